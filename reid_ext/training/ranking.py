"""torchreid's CMC and mAP: the same numbers, an order of magnitude sooner, and for small galleries too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from unittest.mock import patch

import numpy as np

from plugins.errors import KpstraError

from ..host import torchreid

NO_MATCH = "no query person is in the gallery under another camera: there is nothing to rank"
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
    """Return CMC (max_rank,) and mAP: wherever the host's function of this name gives them, its numbers.

    The host's Python loops over every gallery image of every query; here it is the few images of the query's identity.
    It has no number where galleries, junk left out, are of unequal length and below ``max_rank`` (its compiled
    extension then counts what the query before has left). The value is defined: a query's curve is 1 from its first
    match on, also behind its last gallery image.

    Args:
        distmat: (queries, gallery).
        q_pids, g_pids, q_camids, g_camids: identities and cameras, (queries,) and (gallery,).
        max_rank: length of the CMC.
        use_metric_cuhk03: one random gallery image of each identity, computed by the host.
        use_cython: let it use its compiled extension.

    Raises:
        KpstraError: no query has its identity in the gallery under another camera.
    """
    if use_metric_cuhk03:
        compiled = use_cython and len(np.unique(g_pids)) >= max_rank
        labels = q_pids, g_pids, q_camids, g_camids
        cmc, mean_ap = torchreid.metrics.rank.evaluate_rank(distmat, *labels, max_rank, True, compiled)
        return np.pad(cmc, (0, max_rank - len(cmc)), constant_values=1), mean_ap
    firsts, precisions = [], []
    rows = max(1, ELEMENTS // distmat.shape[1])
    buffer = np.zeros(distmat.shape[1])
    for start in range(0, len(distmat), rows):
        part = slice(start, start + rows)
        for kept, ranks in _good_ranks(distmat[part], q_pids[part], g_pids, q_camids[part], g_camids):
            firsts.append(ranks[0])
            buffer[ranks] = np.arange(1, len(ranks) + 1) / (ranks + 1.0)  # precision at each good image
            precisions.append(buffer[:kept].sum() / len(ranks))  # zeros and all: the host's rounding
            buffer[ranks] = 0
    if not firsts:
        raise KpstraError(NO_MATCH)
    curves = np.asarray(firsts)[:, None] <= np.arange(max_rank)  # queries, ranks
    return curves.astype(np.float32).sum(0) / float(len(firsts)), np.mean(precisions)


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
def ranking() -> Iterator[list[tuple[np.ndarray, float]]]:
    """Let the host's engines rank by :func:`evaluate_rank`, which they look up in ``torchreid.metrics``.

    Yields:
        What they measure in the block: CMC and mAP of each ranking.
    """
    measured = []

    def recorded(*args, **kwargs) -> tuple[np.ndarray, float]:
        measured.append(evaluate_rank(*args, **kwargs))
        return measured[-1]

    with patch.object(torchreid.metrics, "evaluate_rank", recorded):
        yield measured
