"""Verification of pairs: accuracy at the best threshold of nine folds on the tenth, as LFW's protocol has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import KFold
from sklearn.preprocessing import normalize

from plugins.common.numerics import first_nonfinite
from plugins.errors import KpstraError

FOLDS = 10
THRESHOLDS = np.arange(0, 4, 0.01)  # of the squared distance of two features of length 1
FINE = np.arange(0, 4, 0.001)  # for VAL
FAR = 1e-3  # at which VAL is measured


@dataclass(frozen=True)
class Verification:
    """What was measured on pairs: shares from 0 to 1.

    ``folds`` (10,) are the accuracies; ``tpr`` and ``fpr`` (400,) means over folds at :data:`THRESHOLDS`; ``val`` the
    mean and the population deviation of the true accepts at the threshold of a false accept rate of ``far_target``,
    ``far`` the rate that was met, all NaN where a fold has pairs of one kind only; ``scores`` (N,) minus squared
    distances, and ``same`` (N,), for a ROC curve.
    """

    folds: np.ndarray
    tpr: np.ndarray
    fpr: np.ndarray
    val: tuple[float, float]
    far: float
    scores: np.ndarray
    same: np.ndarray

    @property
    def accuracy(self) -> float:
        """Mean of the folds' accuracies."""
        return float(self.folds.mean())

    @property
    def deviation(self) -> float:
        """Population standard deviation of the folds' accuracies."""
        return float(self.folds.std())


def verify(features: np.ndarray, same: np.ndarray, far_target: float = FAR) -> Verification:
    """Verify pairs by the distance of their features.

    A pair is taken as of one person if its squared distance is below a threshold; of each fold, it is the first of
    :data:`THRESHOLDS` that is best on the others. Folds are contiguous (``sklearn.model_selection.KFold``).

    Args:
        features: (2N, D), of images 2i and 2i + 1 of pair i, of any length: of an image and of its mirror image, added.
        same: (N,) whether a pair is of one person.
        far_target: the false accept rate of VAL.

    Raises:
        KpstraError: fewer pairs than folds, pairs of one kind only, features that do not fit or are not finite.

    Example:
        >>> verify(np.repeat(np.eye(20), 2, axis=0)[[*range(39), 0]], np.arange(20) < 19).accuracy
        1.0
    """
    features, same = np.asarray(features), np.asarray(same, bool)
    if features.shape[:1] != (2 * len(same),):
        raise KpstraError(f"verification: features {features.shape} for {len(same)} pairs: expected two for each")
    if len(same) < FOLDS or same.all() or not same.any():
        raise KpstraError(
            f"verification: {same.sum()} of {len(same)} pairs are of one person; {FOLDS} folds need {FOLDS} pairs, and "
            "pairs of both kinds"
        )
    if (row := first_nonfinite(features)) is not None:
        raise KpstraError(f"verification: the feature of image {row} is not finite")
    features = normalize(features)
    distances = np.square(features[0::2] - features[1::2]).sum(1)
    accepted, finely = distances < THRESHOLDS[:, None], distances < FINE[:, None]  # thresholds, pairs
    folds, tpr, fpr, val = [], [], [], []
    for train, test in KFold(FOLDS).split(distances):
        best = np.argmax((accepted[:, train] == same[train]).mean(1))
        folds.append((accepted[best, test] == same[test]).mean())
        tpr.append(_rate(accepted[:, test], same[test]))
        fpr.append(_rate(accepted[:, test], ~same[test]))
        rates = _rate(finely[:, train], ~same[train])
        threshold = np.interp(far_target, rates, FINE) if rates.max() >= far_target else 0.0
        near = (distances[test] < threshold)[None]
        val.append([_rate(near, kind)[0] if kind.any() else np.nan for kind in (same[test], ~same[test])])
    (true, false), spread = np.mean(val, 0), np.std(val, 0)
    scores = -distances
    return Verification(
        np.array(folds), np.mean(tpr, 0), np.mean(fpr, 0), (float(true), float(spread[0])), float(false), scores, same
    )


def _rate(accepted: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Share of the pairs of a kind (N,) that are accepted, for each row of (K, N); 0 where there are none."""
    return (accepted & kind).sum(1) / max(int(kind.sum()), 1)
