"""Verification of templates, sets of images and videos of a person, as IJB-B and IJB-C have them."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_curve
from sklearn.preprocessing import normalize

from plugins.errors import KpstraError

RATES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # false accept rates
PART = 1 << 17  # pairs that are compared at a time


def template_features(
    features: np.ndarray, templates: np.ndarray, medias: np.ndarray, detection: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of templates.

    Features of length 1, times the detector's score, are averaged within a medium (a video's frames) and added over a
    template's media; the sum is of length 1 again.

    Args:
        features: (N, D), of an image and of its mirror image, added.
        templates, medias: (N,) numbers of the template and the medium that an image is of.
        detection: (N,) scores of the face detector; ``None`` weights all alike.

    Returns:
        Numbers of the templates (T,), in their order, and features (T, D) float64.
    """
    weighted = normalize(np.asarray(features, np.float64))
    if detection is not None:
        weighted = weighted * np.asarray(detection, np.float64)[:, None]
    order = np.lexsort((medias, templates))
    templates, medias, weighted = templates[order], medias[order], weighted[order]
    new = np.append(True, (np.diff(templates) != 0) | (np.diff(medias) != 0))
    starts = new.nonzero()[0]
    media = np.add.reduceat(weighted, starts, 0) / np.diff(np.append(starts, len(weighted)))[:, None]
    numbers, firsts = np.unique(templates[starts], return_index=True)
    return numbers, normalize(np.add.reduceat(media, firsts, 0))


def pair_scores(numbers: np.ndarray, features: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the inner products (P,) of pairs of templates, named by their numbers (P,).

    Raises:
        KpstraError: a template without images.
    """
    rows = []
    for pair in (first, second):
        row = np.searchsorted(numbers, pair).clip(max=len(numbers) - 1)
        if (wrong := (numbers[row] != pair).nonzero()[0]).size:
            raise KpstraError(f"pair {wrong[0] + 1}: template {pair[wrong[0]]} has no images")
        rows.append(row)
    parts = (slice(start, start + PART) for start in range(0, len(first), PART))
    return np.concatenate([(features[rows[0][part]] * features[rows[1][part]]).sum(1) for part in parts])


def true_accepts(scores: np.ndarray, same: np.ndarray) -> dict[float, float]:
    """Return the true accept rate at each of :data:`RATES`: at the point of the ROC curve that is nearest to it.

    Of points that are equally near the one that accepts most counts.

    Raises:
        KpstraError: pairs of one kind only.
    """
    if same.all() or not same.any():
        raise KpstraError(f"{same.sum()} of {len(same)} pairs are of one person; a curve needs pairs of both kinds")
    false, true, _ = roc_curve(same, scores)
    return {rate: float(true[::-1][np.abs(false[::-1] - rate).argmin()]) for rate in RATES}
