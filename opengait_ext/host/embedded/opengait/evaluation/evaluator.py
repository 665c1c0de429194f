"""Evaluation protocols; ``evaluator_cfg.eval_func`` names one."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from utils import get_msg_mgr

from .metric import cuda_dist, evaluate_rank

RANKS = (1, 5, 10)


def evaluate_Gait3D(data: Mapping, dataset: str, metric: str = "euc") -> dict[str, float]:
    """Gait3D's protocol: the probes of the partition against all other test sequences.

    Args:
        data: ``embeddings`` (n, c, p) and lists ``labels``, ``types``, ``views``; a sequence is
            named by the three joined with "-".
        dataset: its name; the probes are PROBE_SET of ``./datasets/Gait3D/Gait3D.json`` whatever it is.
        metric: ``euc`` or ``cos``.

    Returns:
        Rank-1, -5, -10, mAP and mINP in percent, under ``scalar/test_accuracy/``.

    Raises:
        ValueError: no probes, or fewer than 10 gallery sequences.
    """
    with open("./datasets/Gait3D/Gait3D.json", "rb") as file:
        probes = set(json.load(file)["PROBE_SET"])
    names = map("-".join, zip(data["labels"], data["types"], data["views"], strict=True))
    is_probe = np.array([name in probes for name in names], dtype=bool)
    if not is_probe.any() or (~is_probe).sum() < max(RANKS):
        raise ValueError(
            f"evaluate_Gait3D: {is_probe.sum()} probes and {(~is_probe).sum()} gallery sequences in "
            f"{dataset}; it needs a probe and {max(RANKS)} gallery sequences: see PROBE_SET"
        )
    features, labels = data["embeddings"], np.asarray(data["labels"])
    messages = get_msg_mgr()
    messages.log_info(f"The test metric you choose is {metric}.")
    distances = cuda_dist(features[is_probe], features[~is_probe], metric).cpu().numpy()
    cmc, precision, penalty = evaluate_rank(distances, labels[is_probe], labels[~is_probe])
    results = {f"Rank-{rank}": cmc[rank - 1] for rank in RANKS} | {"mAP": precision.mean(), "mINP": penalty.mean()}
    results = {f"scalar/test_accuracy/{name}": value * 100 for name, value in results.items()}
    messages.log_info(results)
    return results
