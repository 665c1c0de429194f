"""``reid-ext leaderboard``: train, test and report re-identification rows with torchreid."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tqdm import tqdm

from plugins.benchmarks.leaderboard import Complexity, Host, Job, Result, Row
from plugins.benchmarks.leaderboard.folder import read_settings
from plugins.benchmarks.leaderboard.host import Description
from plugins.benchmarks.report import Series, read_scalars
from plugins.common.folders import same
from plugins.common.machine import installed
from plugins.errors import KpstraError

from ..settings.evaluation import WHEN, evaluation_settings
from ..training.folder import CHECKPOINT, NAME, checkpoints
from ..training.results import Results, read_results


class TorchreidHost(Host):
    """torchreid's part of a leaderboard: its options, checkpoints and logs."""

    section, program = "reid", "reid-ext leaderboard"
    title = "Re-identification, in torchreid"
    usage = (
        "`python -m reid_ext --config-file configs/reid/NAME.yaml --root DATA` trains, with `test.evaluate True "
        "model.load_weights PATH` it tests; `reid-ext leaderboard run --rows NAME` does both with a row. "
        "Multiply-accumulates of one image of the configuration's size, parameters without the identity classifier."
    )
    taken: ClassVar = {"train.seed": "give --seeds", "data.save_dir": "give --results"}
    step = "batch"
    moving = (
        "data.root",
        "data.save_dir",
        "data.workers",
        "train.print_freq",
        "train.save_freq",
        "use_gpu",
        "model.resume",
        "test.batch_size",
    )

    def merged(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Merge and check the settings; see the base class."""
        from plugins.common.settings import flatten

        from ..data.datasets import check_datasets
        from ..models.build import model_name
        from ..settings.load import load_config

        merged = []
        for job in jobs:
            cfg = load_config(job.row.config, self._opts(job), self.options.data or "")
            check_datasets(cfg)
            model_name(cfg)
            merged.append(flatten(cfg))
        return merged

    def next_command(self, job: Job, settings: Mapping[str, Any]) -> list[str] | None:
        """Train, go on from the last checkpoint, or test the final one; see the base class."""
        if self.result(job.folder) is not None:
            return None
        done = checkpoints(job.folder)
        last = max(done, default=0)
        more = []
        if last >= settings["train.max_epoch"]:
            more = ["test.evaluate", "True", "model.load_weights", str(done[last])]
        elif last:
            more = ["model.resume", str(done[last])]
        else:
            more = self._start(job)
        root = ["--root", self.options.data] if self.options.data else []
        return [sys.executable, "-m", "reid_ext", "--config-file", job.row.config, *root, *self._opts(job), *more]

    def _start(self, job: Job) -> list[str]:
        """Return the setting that names the weights of the row that this one starts from."""
        if job.warm_start is None or "model.load_weights" in self.settings:
            return []
        done = checkpoints(job.warm_start.folder)
        if not done:
            raise KpstraError(
                f"{job.warm_start.folder}: the weights of {job.warm_start}, from which it starts, are gone; "
                "model.load_weights=PATH names others"
            )
        return ["model.load_weights", str(done[max(done)])]

    def _opts(self, job: Job) -> list[str]:
        given = [token for pair in self.settings.items() for token in pair]
        return [*_set(job.row), *given, "train.seed", str(job.seed), "data.save_dir", str(job.folder)]

    def defaults(self) -> dict[str, Any]:
        """Return torchreid's and ours."""
        from ..settings.load import default_values

        return default_values()

    checkpoints = staticmethod(checkpoints)

    @staticmethod
    def result(folder: Path) -> Result | None:
        """Read what the run measured in the end, of the last target; see the base class.

        Of several targets each one's metrics are there under ``<data set> <metric>`` too. A test of another checkpoint
        or with other settings that somebody wrote there is left aside.
        """
        found = {path: results for path, results in read_results(folder).items() if _of_the_run(results, folder)}
        if not found:
            return None
        path, results = list(found.items())[-1]
        metrics = dict(list(results.metrics.values())[-1])
        if len(results.metrics) > 1:
            metrics |= {f"{one} {name}": v for one, values in results.metrics.items() for name, v in values.items()}
        metrics = {name: round(value * 100, 4) for name, value in metrics.items()}
        trained = next((one.seconds for one in found.values() if one.epoch is not None), None)
        return Result(metrics, path, trained, results.device)

    @staticmethod
    def curves(folder: Path) -> dict[str, Series]:
        """Read the losses and the training accuracy that the host logs, a value a batch."""
        return {
            tag: curve for tag, curve in read_scalars(folder).items() if tag.startswith(("Train/loss", "Train/acc"))
        }

    def versions(self) -> dict[str, str]:
        """Return the versions of packages, torchreid's as it calls itself."""
        return versions()

    @staticmethod
    def complexities(rows: Sequence[Row]) -> list[Complexity]:
        """Count on networks as the configurations have them, with one image of their size."""
        counted = tqdm(map(_settings, rows), "Counting parameters and operations", len(rows), disable=None)
        return [complexity(cfg.model.name, cfg.data.height, cfg.data.width, *_shape(cfg)) for cfg in counted]

    @staticmethod
    def describe(row: Row) -> Description:
        """Read what the page of models says off the merged configuration."""
        cfg = _settings(row)
        train = cfg.train
        frozen = f", all but {', '.join(train.open_layers)} frozen for the first {train.fixbase_epoch}"
        steps = f"{'every' if train.lr_scheduler == 'single_step' else 'at'} {', '.join(map(str, train.stepsize))}"
        rises = f"{train.warmup_epoch} epochs of warm-up, " if train.warmup_epoch else ""
        falls = "cosine to 0" if train.lr_scheduler == "cosine" else f"x{train.gamma:g} {steps} epochs"
        return Description(
            cfg.model.name,
            f"{train.max_epoch} epochs in batches of {train.batch_size}{frozen if train.fixbase_epoch else ''};"
            f" {train.optim} {train.lr:g}, {rises}{falls}",
            "ImageNet weights" if cfg.model.pretrained else "random weights",
        )


def _of_the_run(results: Results, folder: Path) -> bool:
    """Whether results are of the last checkpoint and the settings of the run in a folder, as far as both are told."""
    begun = read_settings(folder)
    if results.settings is None or not begun:
        return True
    from ..settings.load import default_values

    last = f"{NAME}/{CHECKPOINT}{begun['train.max_epoch']}"
    now = evaluation_settings(results.settings)
    return results.checkpoint == last and same(evaluation_settings(begun), now, (*WHEN, "data.root"), default_values())


def versions() -> dict[str, str]:
    """Return the versions of packages, torchreid's as it calls itself."""
    from ..host import torchreid

    return {**installed(("Pillow", "tensorboard")), "torchreid": torchreid.__version__}


def _set(row: Row) -> list[str]:
    """Return what a row sets as torchreid's ``key value`` pairs, values as Python has them."""
    return [text for key, value in row.set.items() for text in (key, str(value))]


def _settings(row: Row) -> Any:
    from ..settings.load import load_config

    return load_config(row.config, _set(row))


def _shape(cfg: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    from ..settings.load import kprpe_settings, stra_settings

    return kprpe_settings(cfg), stra_settings(cfg)


def complexity(
    name: str,
    height: int = 256,
    width: int = 128,
    kprpe: Mapping[str, Any] | None = None,
    stra: Mapping[str, Any] | None = None,
) -> Complexity:
    """Count a model's parameters without its classifier, and the multiply-accumulates of an evaluation of one image.

    Convolutions and matrix products count, as in the StRA paper. Joints, where the model takes some, are all absent.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from plugins.kprpe.position.pose import unwarned

    from .. import register
    from ..host import torchreid
    from ..models.feed import joints_taken, takes_keypoints
    from ..models.options import building

    register()
    with building((height, width), kprpe, stra):
        model = torchreid.models.build_model(name, 10, pretrained=False, use_gpu=False).eval()
    parameters = sum(p.numel() for key, p in model.named_parameters() if not key.startswith("classifier"))
    with unwarned(model), FlopCounterMode(display=False) as counter, torch.no_grad():
        model(
            torch.zeros(1, 3, height, width),
            *([torch.zeros(1, joints_taken(model), 3)] if takes_keypoints(model) else []),
        )
    return Complexity(parameters, counter.get_total_flops() // 2)
