"""All runs of a comparison in one folder: finished ones are kept, others made, all with the same settings."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from ...common.files import atomic_write
from ...errors import KpstraError
from .digits import Source
from .network import VARIANTS
from .protocol import TESTS, TRAINING
from .train import RECIPE, accuracy, train

SETTINGS = "settings.json"
LOG_EVERY = 10  # steps between two points of the TensorBoard curve


class Run(NamedTuple):
    """One training: ``protocol`` is a key of ``TRAINING``."""

    protocol: str
    variant: str
    seed: int

    def __str__(self) -> str:
        return f"{self.protocol}-{self.variant}-{self.seed}"


def make_runs(variants: Iterable[str], seeds: Iterable[int]) -> list[Run]:
    """Return the runs, seed by seed, so that a comparison that is stopped has whole seeds."""
    variants = list(dict.fromkeys(variants))
    return [Run(p, v, s) for s in dict.fromkeys(seeds) for p in TRAINING for v in variants]


def same_settings(folder: Path, source: Source, steps: int) -> None:
    """Write the settings into a new folder; in an old one they must be the same.

    Raises:
        KpstraError: others were used there, or the file cannot be read or written.
    """
    now = {
        "digits": source.name,
        "hash": source.fingerprint(),
        "training digits": len(source.train.labels),
        "test digits": len(source.test.labels),
        "steps": steps,
        "recipe": RECIPE,
        "training": {name: motion._asdict() for name, motion in TRAINING.items()},
        "tests": {name: test.motion._asdict() for name, test in TESTS.items()},
    }
    now = json.loads(json.dumps(now))
    path = folder / SETTINGS
    if not path.is_file():
        with atomic_write(path, "w") as stream:
            json.dump(now, stream, indent=1)
        return
    before = read_json(path)
    for key, value in now.items():
        if before.get(key) != value:
            raise KpstraError(
                f"{path}: begun with {key} {before.get(key)!r}, now {value!r}; choose another --output "
                "FOLDER, or delete this one"
            )


def make_all(runs: Sequence[Run], source: Source, steps: int, folder: Path, device: torch.device) -> int:
    """Train and test what has no result yet; return how many runs that were.

    Every run writes ``runs/<run>.json`` when it is finished, whole or not at all, and its loss for TensorBoard.

    Raises:
        KpstraError: the folder was begun with other settings.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise KpstraError("the toy's curves need tensorboard: pip install '.[toy]'") from error
    same_settings(folder, source, steps)
    missing = [run for run in runs if not result_path(folder, run).is_file()]
    with tqdm(total=len(missing) * steps, unit="step", disable=not missing) as bar:
        for number, run in enumerate(missing, 1):
            bar.set_description(f"{number}/{len(missing)} {run}")
            with SummaryWriter(str(folder / "tensorboard" / str(run)), purge_step=0) as writer:
                result = make(run, source, steps, device, bar, writer)
            with atomic_write(result_path(folder, run), "w") as stream:
                json.dump(result, stream, indent=1)
    return len(missing)


def make(run: Run, source: Source, steps: int, device: torch.device, bar: tqdm, writer) -> dict:
    """Train and test one network; return what is kept of it."""

    def note(step: int, loss: float) -> None:
        bar.update()
        if step % LOG_EVERY == 0 or step == steps - 1:
            writer.add_scalar("loss", loss, step)

    began = time.monotonic()
    network = train(run.variant, run.protocol, run.seed, source, steps, device, note)
    tests = [name for name, test in TESTS.items() if test.training == run.protocol]
    accuracies = {name: accuracy(network, source.test, name, device) for name in tests}
    for name, value in accuracies.items():
        writer.add_scalar(f"accuracy/{name}", value, steps)
    parameters = sum(p.numel() for p in network.parameters())
    seconds = round(time.monotonic() - began, 1)
    return {**run._asdict(), "parameters": parameters, "seconds": seconds, "accuracy": accuracies}


def result_path(folder: Path, run: Run) -> Path:
    """Return where a run's result lies."""
    return folder / "runs" / f"{run}.json"


def collect(folder: Path) -> dict[str, dict[str, dict[int, float]]]:
    """Return the accuracies in percent of all finished runs: ``[test][variant][seed]``, in the order of the tables.

    Raises:
        KpstraError: no results, or a file that cannot be read.
    """
    found: dict = {test: {variant: {} for variant in VARIANTS} for test in TESTS}
    for path in sorted((folder / "runs").glob("*.json")):
        result = read_json(path)
        try:
            for test, value in result["accuracy"].items():
                found[test][result["variant"]][int(result["seed"])] = float(value)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise KpstraError(f"{path}: not a result of this command ({error!r}); delete it") from error
    if not any(seeds for variants in found.values() for seeds in variants.values()):
        raise KpstraError(f"{folder}: no finished runs")
    return {t: {v: seeds for v, seeds in variants.items() if seeds} for t, variants in found.items()}


def read_json(path: Path) -> dict:
    """Read a file of this folder.

    Raises:
        KpstraError: it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KpstraError(f"{path}: cannot be read ({error}); delete it") from error
    if not isinstance(content, dict):
        raise KpstraError(f"{path}: not a result of this command; delete it")
    return content
