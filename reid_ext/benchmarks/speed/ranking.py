"""What ranking costs in an evaluation of Market1501's size, the host's and ours."""

from __future__ import annotations

import statistics
from functools import partial
from typing import Any

import numpy as np
import torch

from plugins.benchmarks.speed.measure import interleaved, ratios
from plugins.errors import KpstraError

QUERIES, GALLERY, IDENTITIES, CAMERAS, FEATURES = 3368, 15913, 751, 6, 512  # Market1501; random labels and features
MODEL, BATCH = "resnet50_stra", 32
OURS, HOST = "kpstra", "torchreid"


def run(repeats: int, queries: int, gallery: int) -> dict[str, Any]:
    """Time ranking by both in turn on ``queries`` of :data:`QUERIES`, and what else an evaluation does.

    Both are linear in the queries, so fewer give the same ratio sooner.

    Returns:
        ``ratio`` of our seconds over the host's, and ``seconds`` of each part of an evaluation with all
        :data:`QUERIES`, scaled from what was measured.

    Raises:
        KpstraError: the results of the two differ.
    """
    from ... import register
    from ...host import torchreid
    from ...training import ranking as rank

    register()
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    features = [torch.randn(n, FEATURES, generator=generator) for n in (queries, gallery)]
    labels = [rng.integers(0, high, n) for high in (IDENTITIES, CAMERAS) for n in (queries, gallery)]
    distances = torchreid.metrics.compute_distance_matrix(*features).numpy()
    ours, host = (
        partial(f, distances, *labels, use_cython=False)
        for f in (rank.evaluate_rank, torchreid.metrics.rank.evaluate_rank)
    )
    try:
        (cmc, mean_ap), (expected, expected_ap) = ours(), host()
    except KpstraError as error:
        raise KpstraError(f"--queries {queries} --gallery {gallery}: {error}; give more of both") from error
    if not np.array_equal(cmc, expected) or mean_ap != expected_ap:
        raise KpstraError(f"--queries {queries} --gallery {gallery}: ranking differs from the host's; nothing is timed")
    network = torchreid.models.build_model(MODEL, IDENTITIES, loss="softmax", pretrained=False, use_gpu=False).eval()
    images = torch.randn(BATCH, 3, 256, 128, generator=generator)

    def extract() -> None:
        with torch.no_grad():
            network(images)

    runs = {
        "features": extract,
        "distances": partial(torchreid.metrics.compute_distance_matrix, *features),
        "argsort": partial(np.argsort, distances, axis=1),
        f"ranking, {OURS}": ours,
        f"ranking, {HOST}": host,
    }
    seconds = interleaved(runs, repeats, "rank")
    share = QUERIES / queries
    scale = dict.fromkeys(runs, share) | {"features": (QUERIES + gallery) / BATCH}
    return {
        "model": MODEL,
        "queries timed": queries,
        "gallery": gallery,
        "ratio": ratios(seconds, f"ranking, {HOST}")[f"ranking, {OURS}"],
        "seconds": {name: statistics.median(values) * scale[name] for name, values in seconds.items()},
    }


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table, with each part's share of an evaluation by either ranking."""
    seconds, ratio = results["seconds"], results["ratio"]
    rows = {name: seconds[name] for name in ("features", "distances")}
    lines = ["| part of an evaluation | seconds | share, torchreid's ranking | share, ours |", "|---|---|---|---|"]
    totals = {who: sum(rows.values()) + seconds[f"ranking, {who}"] for who in (HOST, OURS)}
    for name, value in rows.items():
        lines.append(f"| {name} | {value:.2f} | {value / totals[HOST]:.1%} | {value / totals[OURS]:.1%} |")
    theirs, ours = (seconds[f"ranking, {who}"] for who in (HOST, OURS))
    lines.append(f"| ranking, torchreid's Python | {theirs:.2f} | {theirs / totals[HOST]:.1%} | |")
    lines.append(f"| ranking, ours | {ours:.2f} | | {ours / totals[OURS]:.1%} |")
    lines.append(f"| of which argsort, in both | {seconds['argsort']:.2f} | | |")
    ends = f"{ratio['min']:.3f} to {ratio['max']:.3f}"
    return "\n".join(lines) + f"\n\nranking, ours over torchreid's: {ratio['median']:.3f} ({ends})"
