"""The output folder of a training run: begun with settings that stay, and gone on with from its last checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plugins.common.folders import RECORD, claim
from plugins.errors import KpstraError

from ..settings.load import GOING_ON
from .checkpoints import checkpoint_files, checkpoint_path, read_checkpoint
from .record import output_folder, read_training
from .tested_data import marked

MAY_DIFFER = (  # of a run that goes on: where things are, how often they are said, how far it goes, how it is tested
    "data_cfg.dataset_root",
    "data_cfg.num_workers",
    "data_cfg.pretreatment",
    "data_cfg.cache",
    "data_cfg.test_dataset_name",
    "data_cfg.remove_no_gallery",
    "evaluator_cfg",
    *(
        f"trainer_cfg.{key}"
        for key in ("log_iter", "save_iter", "total_iter", "with_test", "restore_hint", "restore_ckpt_strict")
    ),
    "trainer_cfg.optimizer_reset",
    "trainer_cfg.scheduler_reset",
)


@contextmanager
def training_folder(settings: Mapping[str, Any], defaults: Mapping[str, Any], goes_on: bool) -> Iterator[list[str]]:
    """Claim the output folder for a training run, in the first process; below the working directory.

    Args:
        settings: of the run, before they are fitted to the device.
        defaults: by dotted key, see :func:`plugins.common.folders.require_same`.
        goes_on: from one of the folder's checkpoints.

    Yields:
        What was found in the folder, for the log.

    Raises:
        KpstraError: its checkpoints are of other settings, or of settings that are not known, or another run is at it.
    """
    name = settings["trainer_cfg"]["save_name"]
    folder = Path(output_folder(settings, training=True))
    found = checkpoint_files(folder, name)
    if found and not (folder / RECORD).exists() and not goes_on:
        raise KpstraError(
            f"trainer_cfg.save_name: {name!r}: {folder / 'checkpoints'} holds checkpoints of a run whose settings are "
            "not known; give another save_name or --workdir, or go on with --resume"
        )
    notes = []
    if found and not goes_on:
        notes.append(
            f"{folder / 'checkpoints'}: checkpoints of these settings up to iteration {next(iter(found))} are there; "
            "this run starts anew and replaces them one by one; in its place, --resume would go on from the last"
        )
    data = {**settings["data_cfg"], "dataset_partition": marked(settings["data_cfg"]["dataset_partition"])}
    about = f"trainer_cfg.save_name {name}: the folder"

    def trained() -> bool:
        return bool(checkpoint_files(folder, name))

    settings = {**settings, "data_cfg": data}
    with claim(folder, settings, option=about, ignore=MAY_DIFFER, defaults=defaults, bound=trained):
        yield notes


def go_on(settings: dict[str, Any]) -> list[str]:
    """Let the settings restore the last whole checkpoint of their output folder, if there is one.

    Checkpoints that ``training.json`` calls ``earlier`` are left aside: they are of a run in whose folder this one
    began anew, and not replaced yet.

    Returns:
        What was found, for the log.
    """
    trainer, notes = settings["trainer_cfg"], []
    folder = output_folder(settings, training=True)
    earlier = (read_training(folder) or {}).get("earlier", ())
    for iteration, path in checkpoint_files(folder, trainer["save_name"]).items():
        if iteration in earlier:
            notes.append(f"--resume: left aside: {path}: of an earlier run, and not yet replaced by this one")
            continue
        try:
            read_checkpoint(str(path), "cpu")
        except KpstraError as error:
            notes.append(f"--resume: left aside: {error}")
            continue
        trainer.update(GOING_ON, restore_hint=iteration)
        return [*notes, f"--resume: goes on from iteration {iteration} of {trainer['total_iter']}"]
    return [*notes, "--resume: no checkpoint yet; the run starts at its beginning"]


def of_an_earlier_run(settings: Mapping[str, Any], training: bool) -> list[str]:
    """Return a warning if ``restore_hint`` names a checkpoint that an earlier run has left in the output folder."""
    engine, folder = settings["trainer_cfg" if training else "evaluator_cfg"], output_folder(settings, training)
    hint = engine["restore_hint"]
    if not isinstance(hint, int) or hint not in (read_training(folder) or {}).get("earlier", ()):
        return []
    path = checkpoint_path(folder, engine["save_name"], hint)
    return [
        f"{path}: of an earlier run: one that began anew in this folder has not reached it yet; "
        "--iter N takes another checkpoint, --resume goes on with the run that was begun last"
    ]
