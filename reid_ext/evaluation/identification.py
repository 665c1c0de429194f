"""Closed-set identification: how often a probe's person is among the first of a gallery, as TinyFace has it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from sklearn.preprocessing import normalize

from plugins.errors import KpstraError

from ..training.ranking import evaluate_rank

RANKS = (1, 5, 20)
PART = 1 << 24  # similarities at a time


def identify(
    probes: np.ndarray,
    probe_people: np.ndarray,
    gallery: np.ndarray,
    gallery_people: np.ndarray,
    ranks: Iterable[int] = RANKS,
) -> dict[int, float]:
    """Return the share of probes whose person is among the first k of the gallery, for each rank k.

    Ranked by the inner product of features of length 1, with torchreid's ranking. Probes whose person is not in the
    gallery are left out.

    Args:
        probes, gallery: features (P, D) and (G, D), of an image and of its mirror image, added.
        probe_people, gallery_people: numbers (P,) and (G,); any that no probe has for a distractor.

    Raises:
        KpstraError: no probe's person is in the gallery.
    """
    ranks = list(ranks)
    mated = np.isin(probe_people, gallery_people)
    if not mated.any():
        raise KpstraError("identification: no probe's person is in the gallery")
    probes, people = normalize(probes[mated]), probe_people[mated]
    gallery = normalize(gallery)
    rows, found = max(1, PART // len(gallery)), np.zeros(max(ranks))
    other_camera = np.ones(len(gallery), int)  # torchreid leaves out the probe's own camera
    for start in range(0, len(probes), rows):
        part = slice(start, start + rows)
        number = len(people[part])
        distances = -(probes[part] @ gallery.T)
        cmc, _ = evaluate_rank(distances, people[part], gallery_people, np.zeros(number, int), other_camera, max(ranks))
        found += cmc * number
    return {rank: float(found[rank - 1] / len(people)) for rank in ranks}
