"""Rank-1 and mAP with every sequence as a probe against all others, by the host's own distances and ranking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from plugins.errors import KpstraError

from ...host.active import ActiveHost


def leave_one_out(host: ActiveHost, features: np.ndarray, labels: Sequence[str], metric: str) -> dict[str, float]:
    """Rank all other sequences for each one.

    A sequence is moved to the end of its own ranking, where the host counts it as the last of its m matches among n
    sequences: it adds (m / n) / m to the host's average precision, which is taken out again,

        AP = (m AP_host - m / n) / (m - 1),

    and it changes no rank-1, as every person has two sequences or more.

    Args:
        features: (n, channels, parts).
        labels: (n,) the people.
        metric: ``euc`` or ``cos``, as ``evaluator_cfg.metric``.

    Returns:
        ``Rank-1`` and ``mAP`` in percent.

    Raises:
        KpstraError: a person with a single sequence.
    """
    people, counts = np.asarray(labels), Counter(labels)
    alone = [label for label, count in counts.items() if count < 2]
    if alone:
        raise KpstraError(
            f"study: {alone[0]} has a single test sequence: nobody can find it; give 2 --sequences or more"
        )
    distances = host.evaluator.cuda_dist(features, features, metric).cpu().numpy()
    np.fill_diagonal(distances, np.inf)
    cmc, precision, _ = host.evaluator.evaluate_rank(distances, people, people)
    matches, n = np.array([counts[label] for label in labels]), len(labels)
    precision = (matches * np.asarray(precision) - matches / n) / (matches - 1)
    return {"Rank-1": 100 * float(cmc[0]), "mAP": 100 * float(precision.mean())}
