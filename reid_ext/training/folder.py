"""The output folder of a training: begun with settings that stay, gone on with, and never written over unasked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from yacs.config import CfgNode

from plugins.common.files import read_json
from plugins.common.folders import RECORD, claim, require_same, same
from plugins.errors import KpstraError

from ..settings.evaluation import WHEN, evaluation_settings
from ..settings.load import default_values
from .checkpoints import load_checkpoint
from .results import Results, read_results

NAME, CHECKPOINT = "model", "model.pth.tar-"  # the host's
# Settings that do not enter what is trained, or only where training ends.
MOVING = (
    "data.root",
    "data.save_dir",
    "data.workers",
    "data.targets",
    "model.resume",
    "test",
    "train.max_epoch",
    "train.print_freq",
    "train.save_freq",
    "train.start_epoch",
    "use_gpu",
)


def checkpoints(save_dir: str | Path) -> dict[int, Path]:
    """Return the checkpoints of a folder by their number of finished epochs, in ascending order."""
    found = (Path(save_dir) / NAME).glob(f"{CHECKPOINT}*")
    return dict(sorted((int(path.name[len(CHECKPOINT) :]), path) for path in found if path.suffix[5:].isdigit()))


def last_checkpoint(save_dir: str | Path, since: float = 0.0) -> Path | None:
    """Return the checkpoint in ``save_dir`` that was written last, if one was written after time ``since``."""
    found = [(path.stat().st_mtime, path) for path in checkpoints(save_dir).values()]
    when, path = max(found, default=(0.0, None))
    return path if when >= since else None


def last_whole_checkpoint(save_dir: str | Path) -> Path | None:
    """Return the checkpoint with the most epochs that can be read; damaged ones are told and passed over."""
    for path in reversed(checkpoints(save_dir).values()):
        try:
            load_checkpoint(path)
            return path
        except KpstraError as error:
            print(f"Passed over: {error}")
    return None


@contextmanager
def claimed(cfg: CfgNode) -> Iterator[None]:
    """Hold ``data.save_dir`` for the training of the block.

    Raises:
        KpstraError: the folder holds another training's checkpoints, or this one's and ``model.resume`` names none.
    """
    folder = _folder(cfg)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KpstraError(
            f"data.save_dir: {folder.parent}: cannot be made: {error.strerror}; choose another"
        ) from error
    if checkpoints(cfg.data.save_dir) and not (folder / RECORD).is_file() and not cfg.model.resume:
        raise KpstraError(
            f"data.save_dir {folder}: holds checkpoints of a run whose settings are unknown (no {RECORD}); choose "
            "another folder"
        )

    def trained() -> bool:
        return bool(checkpoints(cfg.data.save_dir))

    with claim(folder, cfg, option="data.save_dir", ignore=_moving(cfg), defaults=default_values(), bound=trained):
        if trained() and not cfg.model.resume:
            raise KpstraError(f"data.save_dir {folder}: {found_text(cfg)}; add --resume, or choose another folder")
        yield


def require_begun_with(cfg: CfgNode) -> None:
    """Check that ``data.save_dir`` was begun with these settings, without holding it.

    Raises:
        KpstraError: names the settings that differ.
    """
    folder = _folder(cfg)
    begun = read_json(folder / RECORD, "the settings that the folder was begun with; choose another data.save_dir")
    advice = "give the same settings, or another folder"
    require_same(begun, cfg, f"data.save_dir {folder}", advice, _moving(cfg), default_values())


def _folder(cfg: CfgNode) -> Path:
    return Path(cfg.data.save_dir) / NAME


def _moving(cfg: CfgNode) -> list[str]:
    """What may differ when a run goes on.

    The cosine schedule depends on where it ends; the weights that a run began from need not be named again.
    """
    moving = [key for key in MOVING if key != "train.max_epoch" or cfg.train.lr_scheduler != "cosine"]
    return moving if cfg.model.load_weights else [*moving, "model.load_weights"]


def found_text(cfg: CfgNode) -> str:
    """Return what the folder holds of a training with these settings."""
    last = max(checkpoints(cfg.data.save_dir))
    text = f"holds {last} of {cfg.train.max_epoch} epochs of a run with these settings"
    return f"{text}, finished and tested" if last >= cfg.train.max_epoch and results_of(cfg, last) else text


def results_of(cfg: CfgNode, epoch: int) -> Results | None:
    """Return what the folder's checkpoint of ``epoch`` reached, tested on these targets with these settings, if known.

    A training's file of before settings were kept in it counts as one of the settings that the folder was begun with.
    """
    folder = Path(cfg.data.save_dir)
    path = checkpoints(folder)[epoch].resolve()
    for results in reversed(read_results(folder).values()):
        if results.settings is None:
            of_it, before = results.epoch == epoch, evaluation_settings(read_json(_folder(cfg) / RECORD, "settings"))
        else:
            of_it, before = (folder / results.checkpoint).resolve() == path, results.settings
        there = of_it and {*results.metrics} == {*cfg.data.targets}
        if there and same(before, evaluation_settings(cfg), WHEN, default_values()):
            return results
    return None


def evaluated_weights(cfg: CfgNode) -> tuple[str, int | None]:
    """Return the file whose weights are tested, from ``data.save_dir`` if it lies in there, and its epochs, if told."""
    if not cfg.test.evaluate or not (given := cfg.model.resume or cfg.model.load_weights):
        return "", None
    path, folder = Path(given).expanduser().resolve(), Path(cfg.data.save_dir).resolve()
    epoch = load_checkpoint(given).get("epoch")
    name = path.relative_to(folder) if path.is_relative_to(folder) else path
    return name.as_posix(), epoch if isinstance(epoch, int) else None
