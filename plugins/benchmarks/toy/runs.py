"""All runs of a comparison in one folder: finished ones are kept, others made, all with the same settings."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from ...common.files import read_json, write_json
from ...common.folders import claim
from ...errors import KpstraError
from .digits import Source
from .protocol import TESTS, TRAINING
from .train import RECIPE, accuracy, image_share, train
from .variants import VARIANTS

OURS = "a result of this command; delete it"
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


def settings_of(source: Source, steps: int) -> dict[str, Any]:
    """Return what all runs of a folder share."""
    return {
        "digits": source.name,
        "hash": source.fingerprint(),
        "training digits": len(source.train.labels),
        "test digits": len(source.test.labels),
        "steps": steps,
        "recipe": RECIPE,
        "training": {name: motion._asdict() for name, motion in TRAINING.items()},
        "tests": {name: test.motion._asdict() for name, test in TESTS.items()},
    }


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
    with claim(folder, settings_of(source, steps), alone=True):
        missing = [run for run in runs if not result_path(folder, run).is_file()]
        with tqdm(total=len(missing) * steps, unit="step", disable=not missing) as bar:
            for number, run in enumerate(missing, 1):
                bar.set_description(f"{number}/{len(missing)} {run}")
                with SummaryWriter(str(folder / "tensorboard" / str(run)), purge_step=0) as writer:
                    result = make(run, source, steps, device, bar, writer)
                write_json(result_path(folder, run), result)
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
    share = image_share(network, source.test, run.protocol, device)
    return {**run._asdict(), "parameters": parameters, "seconds": seconds, "accuracy": accuracies, "image share": share}


def result_path(folder: Path, run: Run) -> Path:
    """Return where a run's result lies."""
    return folder / "runs" / f"{run}.json"


def collect(folder: Path) -> dict[str, dict[str, dict[int, float]]]:
    """Return the accuracies in percent of all finished runs: ``[test][variant][seed]``, in the order of the tables.

    Raises:
        KpstraError: no results, or a file that cannot be read.
    """
    found: dict = {test: {variant: {} for variant in VARIANTS} for test in TESTS}
    for path, result in results(folder):
        try:
            for test, value in result["accuracy"].items():
                if not isinstance(value, (int, float)) or not 0 <= value <= 100:
                    raise ValueError(f"{test} {value!r}")
                found[test][result["variant"]][int(result["seed"])] = value
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise KpstraError(f"{path}: {error!r}: expected {OURS}") from error
    if not any(seeds for variants in found.values() for seeds in variants.values()):
        raise KpstraError(f"{folder}: no finished runs")
    return {t: {v: seeds for v, seeds in variants.items() if seeds} for t, variants in found.items()}


def collect_shares(folder: Path) -> dict[str, list[float]]:
    """Return the shares of B's variance that images decide, of all finished runs that have one, by variant."""
    found: dict[str, list[float]] = {}
    for _, result in results(folder):
        if result.get("image share") is not None:
            found.setdefault(result["variant"], []).append(result["image share"])
    return found


def results(folder: Path) -> Iterator[tuple[Path, dict]]:
    """Yield the finished runs of a folder with their files."""
    for path in sorted((folder / "runs").glob("*.json")):
        yield path, read_json(path, OURS)
