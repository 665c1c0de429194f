"""``opengait-ext leaderboard``: train, test and report gait rows with OpenGait."""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tqdm import tqdm

from plugins.benchmarks.leaderboard import Complexity, Host, Job, Result, Row
from plugins.benchmarks.leaderboard.host import Description
from plugins.benchmarks.report import Series, read_scalars
from plugins.common.settings import flatten
from plugins.errors import KpstraError

from ..training.record import read_test, read_training

FRAMES = 30


class OpenGaitHost(Host):
    """OpenGait's part of a leaderboard: its options, checkpoints and logs."""

    section, program = "gait", "opengait-ext leaderboard"
    title = "Gait, in OpenGait"
    usage = (
        "`python -m opengait_ext --cfgs configs/opengait/NAME.yaml --phase train data_cfg.dataset_root=DATA` trains, "
        "`--phase test` tests; `opengait-ext leaderboard run --rows NAME` does both with a row. Multiply-accumulates "
        f"of one sequence of {FRAMES} silhouettes of 64x44, parameters without the identity classifier."
    )
    taken: ClassVar = {
        "trainer_cfg.seed": "give --seeds",
        "evaluator_cfg.restore_hint": "the last iteration is tested; give trainer_cfg.total_iter",
    }
    step = "iteration"
    moving = (
        "data_cfg.dataset_root",
        "data_cfg.dataset_partition",
        "data_cfg.num_workers",
        "data_cfg.cache",
        "data_cfg.pretreatment",
        "trainer_cfg.log_iter",
        "trainer_cfg.save_iter",
    )

    def merged(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Merge and check the settings; see the base class."""
        from ..settings.load import load_settings, resolve_paths
        from ..training.session import choose_device, session

        if self.options.processes < 1:
            raise KpstraError(f"--processes {self.options.processes}: expected a whole number from 1")
        choose_device(self.options.device)
        with session(self.options.host, "cpu") as (host, _):
            merged = []
            for job in jobs:
                settings = load_settings(host, job.row.config, self._overrides(job))
                partition = resolve_paths(settings, host, "test")
                digest = hashlib.sha256(partition.read_bytes()).hexdigest()[:8]
                merged.append({**flatten(settings), "sha256 of the partition": digest})
        return merged

    def next_command(self, job: Job, settings: Mapping[str, Any]) -> list[str] | None:
        """Train, go on from the last checkpoint, or test the final one; see the base class."""
        if self.result(job.folder) is not None:
            return None
        total, done = settings["trainer_cfg.total_iter"], self.checkpoints(job.folder)
        if total in done:
            more = ["--phase", "test", "--iter", str(total)]
        elif done:
            more = ["--resume"]
        else:
            more = self._start(job)
        return [
            *(sys.executable, "-m", "opengait_ext", "--cfgs", job.row.config),
            *("--host", self.options.host, "--device", self.options.device),
            *("--processes", str(self.options.processes)),
            *("--workdir", str(job.folder), "--log_to_file"),
            *self._overrides(job),
            *more,
        ]

    def _start(self, job: Job) -> list[str]:
        """Return the settings that name the weights of the row that this one starts from."""
        if job.warm_start is None or "trainer_cfg.restore_hint" in self.settings:
            return []
        done = self.checkpoints(job.warm_start.folder)
        if not done:
            raise KpstraError(
                f"{job.warm_start.folder}: the weights of {job.warm_start}, from which it starts, are "
                "gone; trainer_cfg.restore_hint=PATH names others, 0 starts from scratch"
            )
        return [f"trainer_cfg.restore_hint={done[max(done)].resolve()}"]

    def _overrides(self, job: Job) -> list[str]:
        data = [f"data_cfg.dataset_root={self.options.data}"] if self.options.data else []
        given = [f"{key}={value}" for key, value in self.settings.items()]
        return [*data, *job.row.overrides(), *given, f"trainer_cfg.seed={job.seed}"]

    def defaults(self) -> dict[str, Any]:
        """Return the host's and ours."""
        from ..host.find import find_host
        from ..settings.load import default_values

        return default_values(find_host(self.options.host))

    @staticmethod
    def checkpoints(folder: Path) -> dict[int, Path]:
        """Return a run's checkpoints by iteration."""
        found = folder.glob("output/*/*/*/checkpoints/*.pt")
        numbered = {path.stem.rpartition("-")[2]: path for path in found}
        return {int(number): path for number, path in numbered.items() if number.isdigit()}

    @staticmethod
    def result(folder: Path) -> Result | None:
        """Read the test of the checkpoint with which training ended."""
        for output in sorted(folder.glob("output/*/*/*")):
            trained = read_training(output)
            if trained is None or trained["iteration"] != trained["total_iter"]:
                continue
            tested = read_test(output, f"{output.name}-{trained['total_iter']:0>5}")
            if tested is not None:
                path, content = tested
                processes = trained["processes"]
                where = f"{trained['device']}, {processes} process{'es' if processes != 1 else ''}"
                return Result(content["metrics"], path, trained["seconds"], where)
        return None

    @staticmethod
    def curves(folder: Path) -> dict[str, Series]:
        """Read the losses that the host logs."""
        found = {
            tag: curve for path in folder.glob("output/*/*/*/summary") for tag, curve in read_scalars(path).items()
        }
        return {
            tag.removeprefix("scalar/").removesuffix("/loss") + " loss": found[tag]
            for tag in found
            if tag.endswith("/loss")
        }

    def versions(self) -> dict[str, str]:
        """Return the versions of packages, and the host's commit."""
        from ..host.find import find_host
        from ..host.installation import versions

        return versions(find_host(self.options.host))

    @staticmethod
    def complexities(rows: Sequence[Row]) -> list[Complexity]:
        """Count on networks of the embedded host, with one sequence of :data:`FRAMES` silhouettes of 64x44."""
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.utils.flop_counter import FlopCounterMode

        from .speed.scaling import batch_of, forward, host_models

        counted = []
        with host_models("cpu") as build, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "KP-RPE: .* mean pose")  # the counts do not depend on it
            for row in tqdm(rows, desc="Counting parameters and operations", disable=None):
                model = build(row.config, row.overrides())
                forward(model, batch_of(model, 1, 2))  # what is computed once from the weights is not counted
                # as plain products: not every torch counts the fused attention of a CPU
                with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
                    forward(model, batch_of(model, 1, FRAMES))
                parameters = sum(p.numel() for name, p in model.named_parameters() if name != "BNNecks.fc_bin")
                counted.append(Complexity(parameters, counter.get_total_flops() // 2))
        return counted

    @staticmethod
    def describe(row: Row) -> Description:
        """Read what the page of models says off the YAML file."""
        from ..settings.load import recipe

        settings = recipe(row.config, row.overrides())
        trainer, optimizer = settings["trainer_cfg"], settings["optimizer_cfg"]
        people, sequences = trainer["sampler"]["batch_size"]
        hint = trainer["restore_hint"]
        return Description(
            settings["model_cfg"]["model"],
            f"{trainer['total_iter']} iterations of {people} people x {sequences} sequences x "
            f"{trainer['sampler']['frames_num_fixed']} frames, {optimizer['solver']} {optimizer['lr']:g}",
            f"`{Path(hint).name}`" if hint else "random weights",
        )
