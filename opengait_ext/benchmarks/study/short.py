"""One seed of the walkers' study at its full length, for a GPU's page: plain, first order, its control."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugins.benchmarks.gpu.tables import Part
from plugins.common.budget import Budget
from plugins.errors import KpstraError

from .plan import make_plan
from .store import Store
from .table import read_study

if TYPE_CHECKING:
    import torch

TABLE, ROWS, TRAINING, TEST, SEED = "study_walkers", ("plain", "static", "first-order"), "aligned", "clean", 0
LATER = 20.0  # seconds of a budget that the study itself may run over: its start, and the page


def parts(device: torch.device, repeats: int, folder: Path, host: str, budget: Budget) -> list[Part]:
    """Return the one part that trains; finished runs in ``folder`` are kept, and not made again.

    Args:
        device: to train on.
        repeats: of measurements; a training is done once.
        folder: for the runs and the walkers.
        host: see :func:`opengait_ext.host.find.find_host`.
        budget: all that is left of it is the study's.
    """
    return [partial(train, device.type, folder, host, budget)]


def train(device: str, folder: Path, host: str, budget: Budget) -> list[dict[str, Any]]:
    """Run the study in a process of its own, and return a row for each finished run.

    Raises:
        KpstraError: a run failed.
    """
    runs = folder / "study"
    done = subprocess.run(command(device, runs, folder / "walkers", host, budget.left), check=False)
    if done.returncode:
        raise KpstraError(f"bench gpu: a training on walkers failed; what it said is above, its logs are in {runs}")
    return rows_of(runs)


def command(device: str, runs: Path, data: Path, host: str, seconds: float) -> list[str]:
    """Return the command line of the study."""
    line = [sys.executable, "-m", "opengait_ext", "study", "--table", TABLE, "--rows", *ROWS, "--trainings", TRAINING]
    line += ["--seeds", str(SEED), "--tests", TEST, "--output", str(runs), "--data", str(data)]
    line += ["--host", host, "--device", device]
    return line if math.isinf(seconds) else [*line, "--budget", f"{max(1.0, seconds - LATER):.0f}"]


def rows_of(runs: Path) -> list[dict[str, Any]]:
    """Return a row for each finished run, in the table's order, as ``bench gpu`` puts them on its page."""
    study = read_study(TABLE)
    found = Store(runs, study).all(make_plan(study, ROWS, [TRAINING], [SEED]))
    return [
        {
            "network": study.row(job.row).label,
            "iterations": record["settings"]["trainer_cfg.total_iter"],
            "precision": record["precision"],
            "training, s": record["seconds"]["training"],
            "mAP": round(record["tests"][TEST]["mAP"], 2),
            "Rank-1": round(record["tests"][TEST]["Rank-1"], 2),
        }
        for job, record in found.items()
    ]
