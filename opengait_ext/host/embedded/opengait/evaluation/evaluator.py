"""Evaluation protocols; ``evaluator_cfg.eval_func`` names one.

Each takes ``data``, ``embeddings`` (n, c, p) and lists ``labels``, ``types``, ``views``, and the name of the data set.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from utils import get_msg_mgr

from .metric import cuda_dist, evaluate_rank
from .protocols import (
    ALL_VIEWS_GALLERY,
    CCPG,
    REAL_SCENE,
    SAME_VIEW_GALLERY,
    Sequences,
    by_view_pairs,
    match_rates,
    of_other_views,
    rank_each,
)

RANKS = (1, 5, 10)
REAL_SCENE_RANKS = (1, 5, 10, 20)
ACCURACY = "scalar/test_accuracy"


def evaluate_Gait3D(data: Mapping, dataset: str, metric: str = "euc") -> dict[str, float]:
    """Gait3D's protocol: the probes of the partition against all other test sequences.

    Args:
        data: a sequence is named by label, type and view joined with "-".
        dataset: its name; the probes are PROBE_SET of ``./datasets/Gait3D/Gait3D.json`` whatever it is.
        metric: ``euc`` or ``cos``.

    Returns:
        Rank-1, -5, -10, mAP and mINP in percent, under ``scalar/test_accuracy/``.

    Raises:
        ValueError: no probes, or fewer than 10 gallery sequences.
    """
    with open("./datasets/Gait3D/Gait3D.json", "rb") as file:
        return _by_partition(data, f"evaluate_Gait3D: {dataset}", metric, probes=json.load(file)["PROBE_SET"])


def evaluate_CCGR_MINI(data: Mapping, dataset: str, metric: str = "euc") -> dict[str, float]:
    """CCGR-MINI's protocol: as :func:`evaluate_Gait3D`, by GALLERY_SET of ``./datasets/CCGR-MINI/CCGR-MINI.json``."""
    with open("./datasets/CCGR-MINI/CCGR-MINI.json", "rb") as file:
        return _by_partition(data, f"evaluate_CCGR_MINI: {dataset}", metric, gallery=json.load(file)["GALLERY_SET"])


def _by_partition(
    data: Mapping, what: str, metric: str, probes: list[str] | None = None, gallery: list[str] | None = None
) -> dict[str, float]:
    sequences, messages = Sequences.of(data), get_msg_mgr()
    names = list(map("-".join, zip(data["labels"], data["types"], data["views"], strict=True)))
    is_probe = np.isin(names, probes) if gallery is None else ~np.isin(names, gallery)
    if not is_probe.any() or (~is_probe).sum() < max(RANKS):
        raise ValueError(
            f"{what}: {is_probe.sum()} probes and {(~is_probe).sum()} gallery sequences; it needs a probe and "
            f"{max(RANKS)} gallery sequences: see {'PROBE_SET' if gallery is None else 'GALLERY_SET'}"
        )
    probe, others = sequences.where(is_probe), sequences.where(~is_probe)
    messages.log_info(f"The test metric you choose is {metric}.")
    distances = cuda_dist(probe.features, others.features, metric).cpu().numpy()
    cmc, precision, penalty = evaluate_rank(distances, probe.labels, others.labels)
    results = {f"Rank-{rank}": cmc[rank - 1] for rank in RANKS} | {"mAP": precision.mean(), "mINP": penalty.mean()}
    results = {f"{ACCURACY}/{name}": value * 100 for name, value in results.items()}
    messages.log_info(results)
    return results


def evaluate_indoor_dataset(
    data: Mapping, dataset: str, metric: str = "euc", cross_view_gallery: bool = False
) -> dict[str, float]:
    """The protocols of CASIA-B, OUMVLP, CASIA-E and SUSTech1K: each view's probes in each other view's gallery.

    Args:
        dataset: one of these names.
        metric: ``euc`` or ``cos``.
        cross_view_gallery: one gallery of all views; what shows the probe's person in the probe's view does not count.

    Returns:
        Of each condition of the probes the rank-1 rate in percent, mean over the views, ``NM@R1``; with
        ``cross_view_gallery`` ``NM-Rank@1`` and ``NM-mAP``. All under ``scalar/test_accuracy/``.

    Raises:
        KeyError: another data set.
        ValueError: a condition or a view without probes or gallery.
    """
    protocols, messages = ALL_VIEWS_GALLERY if cross_view_gallery else SAME_VIEW_GALLERY, get_msg_mgr()
    if dataset not in protocols:
        raise KeyError(f"{dataset}: not one of {', '.join(protocols)}")
    sequences, protocol = Sequences.of(data), protocols[dataset]
    gallery = sequences.where(protocol.among(sequences.types, protocol.gallery))
    views = [view for view in np.unique(sequences.views) if view != protocol.unseen]
    results = {}
    for condition, types in protocol.probes.items():
        probes = sequences.where(protocol.among(sequences.types, types))
        if cross_view_gallery:
            ranked = [rank_each(probes.where(probes.views == view), gallery, metric)[:2] for view in views]
            for column, name in enumerate(("Rank@1", "mAP")):
                each = np.round([100 * np.mean(values[column]) for values in ranked], 2)
                messages.log_info(f"{condition}, {name} of each view: {each}; mean {each.mean():.2f}")
                results[f"{condition}-{name}"] = each.mean()
        else:
            rates = by_view_pairs(probes, gallery, views, protocol.ranks, metric, f"{dataset} {condition}")
            each = of_other_views(rates[..., 0])
            messages.log_info(f"{condition}, rank-1 of each view in the others: {each}; mean {each.mean():.2f}")
            results[f"{condition}@R1"] = each.mean()
    return {f"{ACCURACY}/{name}": value for name, value in results.items()}


def evaluate_real_scene(data: Mapping, dataset: str, metric: str = "euc") -> dict[str, float]:
    """One gallery and its probes by the sequences' types: GREW (01 and 02), HID2021, TTG-200 and others.

    Returns:
        Rank-1 and Rank-5 in percent, under ``scalar/test_accuracy/``; ranks 10 and 20 are logged.

    Raises:
        KeyError: another data set.
        ValueError: no probes, or fewer than 20 gallery sequences.
    """
    probes, gallery = (_of_types(data, types) for types in REAL_SCENE[dataset])
    rates = match_rates(probes, gallery, max(REAL_SCENE_RANKS), metric, f"evaluate_real_scene: {dataset}")
    get_msg_mgr().log_info(", ".join(f"Rank-{rank}: {rates[rank - 1]:.3f}" for rank in REAL_SCENE_RANKS))
    return {f"{ACCURACY}/Rank-{rank}": rates[rank - 1] for rank in REAL_SCENE_RANKS[:2]}


def GREW_submission(data: Mapping, dataset: str, metric: str = "euc") -> None:
    """Write ``GREW_result/<time>.csv`` for GREW's server: the 20 nearest identities of every probe.

    Types 01 and 02 are the gallery, type 03 are the probes, named by their views.

    Raises:
        KeyError: another data set.
        ValueError: fewer than 20 gallery sequences, or identities that are no numbers.
    """
    probes, gallery = (_of_types(data, types) for types in {"GREW": (["03"], ["01", "02"])}[dataset])
    most = max(REAL_SCENE_RANKS)
    if len(gallery.labels) < most:
        raise ValueError(f"GREW_submission: {len(gallery.labels)} gallery sequences; it needs {most}")
    nearest = cuda_dist(probes.features, gallery.features, metric).topk(most, largest=False).indices.cpu().numpy()
    rows = [["videoId", *(f"rank{rank}" for rank in range(1, most + 1))]]
    rows += [[name, *map(int, gallery.labels[row])] for name, row in zip(probes.views, nearest, strict=True)]
    path = Path("GREW_result") / f"{time.strftime('%Y-%m%d-%H%M%S')}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    get_msg_mgr().log_info(f"GREW's submission is in {path.resolve()}")


def evaluate_CCPG(data: Mapping, dataset: str, metric: str = "euc") -> dict[str, np.ndarray]:
    """CCPG's protocol: changed clothes (CL), upper (UP) and lower (DN) ones, and a bag (BG).

    A view is the part of its name before the first "_".

    Returns:
        Of each condition the rank-1 rates (v, v) in percent of each view's probes in each view's gallery, under
        ``scalar/test_accuracy/``. Rank-1, mAP and mINP in the gallery of all views, without the same person in the same
        view, are logged.

    Raises:
        KeyError: another data set.
        ValueError: a condition or a view without probes or gallery.
    """
    messages, conditions = get_msg_mgr(), {"CCPG": CCPG}[dataset]
    data = {**data, "views": [view.split("_")[0] for view in data["views"]]}
    views, results = sorted(set(data["views"])), {}
    for condition, pair in conditions.items():
        probes, gallery = (_of_types(data, types) for types in pair)
        rates = by_view_pairs(probes, gallery, views, 1, metric, f"CCPG {condition}")[..., 0]
        if len(views) < 2:
            raise ValueError(f"CCPG: one view, {views[0]}; probes are looked for in the gallery of other views")
        each = of_other_views(rates)
        first, precisions, penalties = rank_each(probes, gallery, metric)
        means = [100 * sum(values) / len(precisions) for values in (first, precisions, penalties)]
        messages.log_info(
            f"{condition}: rank-1 {rates.mean():.3f}, in other views {each.mean():.3f}, of each view {each}; in the "
            f"gallery of all views rank-1, mAP, mINP {', '.join(f'{mean:.3f}' for mean in means)}"
        )
        results[f"{ACCURACY}/{condition}"] = rates
    return results


def _of_types(data: Mapping, types: list[str]) -> Sequences:
    sequences = Sequences.of(data)
    return sequences.where(np.isin(sequences.types, types))
