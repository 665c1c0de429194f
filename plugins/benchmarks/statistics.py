"""What paired differences over seeds decide: their mean, its confidence interval, and Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
LEAST_PAIRS = 3  # fewer decide nothing: the interval of two is 12.7 standard errors wide to either side


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences, the half width of its 95 % interval, the two-sided p of a t test, and the pairs.

    With fewer than :data:`LEAST_PAIRS`, or pairs that are all the same, there is neither interval nor p.
    """

    mean: float
    half: float | None
    p: float | None
    pairs: int


def paired(values: Sequence[float], controls: Sequence[float]) -> Difference:
    """Compare values with their controls, seed by seed.

    The interval is mean +- t(0.975, n - 1) s / sqrt(n), with s the sample standard deviation of the differences.
    """
    from scipy import stats

    differences = np.asarray(values, float) - np.asarray(controls, float)
    n, mean = len(differences), float(np.mean(differences))
    spread = float(np.std(differences, ddof=1)) if n >= LEAST_PAIRS else 0.0
    if not spread:
        return Difference(mean, None, None, n)
    error = spread / n**0.5
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * error
    return Difference(mean, half, float(2 * stats.t.sf(abs(mean) / error, n - 1)), n)


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Return the p values corrected for their number by Holm's step-down; ``None`` is no comparison and stays.

    The k-th smallest of n becomes the largest of (n - j) p_j over j <= k, from j = 0, at most 1.
    """
    order = sorted((i for i, p in enumerate(ps) if p is not None), key=lambda i: ps[i])
    corrected: list[float | None] = [None] * len(ps)
    largest = 0.0
    for step, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - step) * ps[i]))
        corrected[i] = largest
    return corrected
