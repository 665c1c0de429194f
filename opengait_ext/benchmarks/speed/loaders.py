"""The loaders' part of ``bench load``, a process of its own so that its memory is: FOLDER SEQUENCES WORKERS HOST."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from plugins.errors import KpstraError

from ...settings.load import load_settings, resolve_paths
from ...training.hosted import hosted_class
from ...training.restore import quiet
from ...training.session import adapt, session
from .load import STEPS, children, point, resident

CONFIG = "opengait/pets_swingait2d_kprpe"  # a small network: only its loaders are used
IDENTITIES_A_BATCH, SEQUENCES_OF_EACH = 32, 4  # the paper's, or all that train


def measure(folder: Path, sequences: int, workers: int, choice: str) -> dict[str, Any]:
    """Time the data sets, and loaders that read as many sequences as there are, or all of the test half once."""
    partition = folder / "partition.json"
    trained = len(json.loads(partition.read_text())["TRAIN_SET"])
    overrides = (
        f"data_cfg.dataset_root={folder / 'prepared'}",
        f"data_cfg.dataset_partition={partition}",
        f"data_cfg.num_workers={workers}",
        f"model_cfg.SeparateBNNecks.class_num={trained}",
        f"trainer_cfg.sampler.batch_size=[{min(IDENTITIES_A_BATCH, trained)}, {SEQUENCES_OF_EACH}]",
        "evaluator_cfg.restore_hint=0",
    )
    with session(choice, "cpu") as (host, device), quiet(host):
        settings = load_settings(host, CONFIG, overrides)
        resolve_paths(settings, host, "train")
        adapt(settings, device)
        results: dict[str, Any] = {"host": str(host), "data sets": {}}
        for half, training in (("training", True), ("test", False)):
            began = time.monotonic()
            dataset = host.datasets.DataSet(settings["data_cfg"], training)
            results["data sets"][half] = {
                "sequences": len(dataset),
                "seconds": time.monotonic() - began,
                "main MB": resident(),
            }
            total = sequences if training else len(dataset)
            model = hosted_class(host, settings["model_cfg"]["model"])(settings, training)
            results[f"{half} loader"] = follow(model.train_loader if training else model.test_loader, total)
        return results


def follow(loader: DataLoader, total: int) -> list[dict[str, float]]:
    """Draw batches until ``total`` sequences have come; return what was seen at each part, as ``load.watched`` does."""
    began, points, peak, finished = time.monotonic(), [], [0.0, 0.0], 0
    for _, labels, *_ in loader:
        finished += len(labels)
        peak = [max(peak[0], resident()), max(peak[1], *map(resident, children()), 0.0)]
        if finished >= total * (len(points) + 1) // STEPS:
            points.append(point(finished, began, peak))
            peak = [0.0, 0.0]
        if finished >= total:
            return points
    raise KpstraError(f"bench load: the loader gave {finished} of {total} sequences")


def main(argv: Sequence[str]) -> int:
    """Write ``FOLDER/loaders.json``; return the exit status."""
    folder, sequences, workers, choice = Path(argv[0]), int(argv[1]), int(argv[2]), argv[3]
    try:
        results = measure(folder, sequences, workers, choice)
    except KpstraError as error:
        print(f"opengait_ext.benchmarks.speed.loaders: error: {error}", file=sys.stderr)
        return 2
    (folder / "loaders.json").write_text(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
