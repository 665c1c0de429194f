"""torchreid's CMC and mAP without its compiled extension: the same numbers, an order of magnitude sooner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from unittest.mock import patch

import numpy as np

from ..host import torchreid

ELEMENTS = 1 << 22  # distances ranked at a time; bounds the memory to some 100 MB


def evaluate_rank(
    distmat: np.ndarray,
    q_pids: np.ndarray,
    g_pids: np.ndarray,
    q_camids: np.ndarray,
    g_camids: np.ndarray,
    max_rank: int = 50,
    use_metric_cuhk03: bool = False,
    use_cython: bool = True,
) -> tuple[np.ndarray, float]:
    """Return CMC (max_rank,) and mAP, as the host's function of this name.

    The host itself computes CUHK03's metric, galleries smaller than ``max_rank`` and, if its compiled extension is
    there, everything. For the rest its Python loops over every gallery image of every query; here it is the few images
    of the query's identity.

    Args:
        distmat: (queries, gallery).
        q_pids, g_pids, q_camids, g_camids: identities and cameras, (queries,) and (gallery,).
        max_rank: length of the CMC.
        use_metric_cuhk03: one random gallery image of each identity.
        use_cython: prefer the compiled extension.

    Raises:
        AssertionError: no query has its identity in the gallery under another camera, as the host has it.
    """
    host = torchreid.metrics.rank
    arguments = q_pids, g_pids, q_camids, g_camids, max_rank, use_metric_cuhk03
    if use_metric_cuhk03 or (use_cython and host.IS_CYTHON_AVAI) or distmat.shape[1] < max_rank:
        return host.evaluate_rank(distmat, *arguments, use_cython)
    curves, precisions = [], []
    rows = max(1, ELEMENTS // distmat.shape[1])
    buffer = np.zeros(distmat.shape[1])
    for start in range(0, len(distmat), rows):
        part = slice(start, start + rows)
        for kept, ranks in _good_ranks(distmat[part], q_pids[part], g_pids, q_camids[part], g_camids):
            curves.append(np.arange(min(max_rank, kept)) >= ranks[0])
            buffer[ranks] = np.arange(1, len(ranks) + 1) / (ranks + 1.0)  # precision at each good image
            precisions.append(buffer[:kept].sum() / len(ranks))  # zeros and all: the host's rounding
            buffer[ranks] = 0
    if not curves:
        return host.evaluate_rank(distmat, *arguments, use_cython)  # raises
    return np.asarray(curves).astype(np.float32).sum(0) / float(len(curves)), np.mean(precisions)


def _good_ranks(
    distmat: np.ndarray, q_pids: np.ndarray, g_pids: np.ndarray, q_camids: np.ndarray, g_camids: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """For each query that has any, yield its number of kept images and the ranks, from 0, of the good ones.

    Good: the query's identity under another camera. Junk, left out before ranking: under the same camera.
    """
    order = np.argsort(distmat, axis=1)  # the host's call: ties fall as they do there
    query, place = (g_pids[order] == q_pids[:, None]).nonzero()
    junk = g_camids[order[query, place]] == q_camids[query]
    bounds = query.searchsorted(np.arange(len(distmat) + 1))
    for first, last in pairwise(bounds):
        left_out = junk[first:last]
        good = ~left_out
        if good.any():
            ranks = place[first:last] - left_out.cumsum()
            yield len(g_pids) - int(left_out.sum()), ranks[good]


@contextmanager
def ranking() -> Iterator[None]:
    """Let the host's engines rank by :func:`evaluate_rank`, which they look up in ``torchreid.metrics``."""
    with patch.object(torchreid.metrics, "evaluate_rank", evaluate_rank):
        yield
