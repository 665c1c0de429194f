"""Who is probe and who is gallery, by the data set's name, and shares of probes that find their identity.

Names of data sets and of sequence types are those of the releases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from .metric import cuda_dist


class Sequences(NamedTuple):
    """Features (n, c, p) and labels, types and views (n,) of sequences."""

    features: np.ndarray
    labels: np.ndarray
    types: np.ndarray
    views: np.ndarray

    @classmethod
    def of(cls, data: Mapping) -> Sequences:
        """Take the features of a test, ``embeddings`` and lists ``labels``, ``types``, ``views``."""
        return cls(data["embeddings"], *(np.asarray(data[name]) for name in ("labels", "types", "views")))

    def where(self, mask: np.ndarray) -> Sequences:
        """Return those of a mask (n,)."""
        return Sequences(*(column[mask] for column in self))


class Conditions(NamedTuple):
    """Which types are probes, by condition, and which are gallery.

    Args:
        probes: condition -> types.
        gallery: types, or condition -> types where they differ.
        ranks: how many ranks are counted.
        inside: whether a type is meant by any name that it is part of, as in ``00-nm`` for ``00-nm-bg``.
        unseen: a view that does not count.
    """

    probes: Mapping[str, Sequence[str]]
    gallery: Sequence[str]
    ranks: int = 1
    inside: bool = False
    unseen: str | None = None

    def among(self, types: np.ndarray, wanted: Sequence[str]) -> np.ndarray:
        """Return the mask (n,) of the wanted types."""
        if self.inside:
            return np.any([np.char.find(types, name) >= 0 for name in wanted], axis=0)
        return np.isin(types, wanted)


def _casia_e(kind: str) -> list[str]:
    scenes = "scene2", "scene3", "scene3_s"
    return [f"{height}-{scene}-{kind}-{take}" for height, scene, take in product("HL", scenes, (1, 2))]


SAME_VIEW_GALLERY = {  # each gallery has one view
    "CASIA-B": Conditions(
        {
            kind.upper(): [f"{kind}-{take}" for take in takes]
            for kind, takes in (("nm", ("05", "06")), ("bg", ("01", "02")), ("cl", ("01", "02")))
        },
        [f"nm-0{take}" for take in range(1, 5)],
    ),
    "OUMVLP": Conditions({"NM": ["00"]}, ["01"]),
    "CASIA-E": Conditions(
        {kind.upper(): _casia_e(kind) for kind in ("nm", "bg", "cl")},
        [f"{height}-scene1-nm-{take}" for height, take in product("HL", (1, 2))],
        unseen="270",
    ),
    "SUSTech1K": Conditions(
        {
            **{"Normal": ["01-nm"], "Bag": ["bg"], "Clothing": ["cl"], "Carrying": ["cr"]},
            **{"Umberalla": ["ub"], "Uniform": ["uf"], "Occlusion": ["oc"], "Night": ["nt"]},
            "Overall": [f"0{take}" for take in range(1, 5)],
        },
        ["00-nm"],
        ranks=5,
        inside=True,
    ),
}
ALL_VIEWS_GALLERY = {  # the gallery has all views but the probe's of that person
    "CASIA-B": Conditions(
        {kind.upper(): [f"{kind}-01"] for kind in ("nm", "bg", "cl")}, [f"{kind}-02" for kind in ("nm", "bg", "cl")]
    ),
    "OUMVLP": Conditions({"NM": ["00"]}, ["01"]),
}
REAL_SCENE = {  # probes, gallery
    "0001-1000": (["3", "4", "5", "6"], ["1", "2"]),
    "HID2021": (["1"], ["0"]),
    "0001-1000-test": (["1"], ["0"]),
    "GREW": (["02"], ["01"]),
    "TTG-200": (["2", "3", "4", "5", "6"], ["1"]),
}
CCPG = {  # change of clothes, of the upper and the lower ones, and a bag: probes, gallery
    "CL": (["U0_D0_BG", "U0_D0"], ["U1_D1", "U2_D2", "U3_D3"]),
    "UP": (["U3_D3"], ["U0_D3"]),
    "DN": (["U1_D0"], ["U1_D1"]),
    "BG": (["U0_D0_BG"], ["U0_D0"]),
}


def match_rates(probes: Sequences, gallery: Sequences, ranks: int, metric: str, what: str) -> np.ndarray:
    """Return for k = 1 .. ``ranks`` the percentage of probes with their identity among the k nearest, to 2 decimals.

    Raises:
        ValueError: no probes, or too few gallery sequences; ``what`` says of which.
    """
    if not len(probes.labels) or len(gallery.labels) < ranks:
        raise ValueError(
            f"{what}: {len(probes.labels)} probes and {len(gallery.labels)} gallery sequences; a probe and {ranks} "
            "gallery sequences are needed"
        )
    nearest = cuda_dist(probes.features, gallery.features, metric).topk(ranks, largest=False).indices.cpu().numpy()
    found = (gallery.labels[nearest] == probes.labels[:, None]).cumsum(1) > 0
    return np.round(found.sum(0) * 100 / len(found), 2)


def by_view_pairs(
    probes: Sequences, gallery: Sequences, views: Sequence[str], ranks: int, metric: str, what: str
) -> np.ndarray:
    """Return :func:`match_rates` (v, v, ranks) of each view's probes in each view's gallery."""
    return np.array(
        [
            [
                match_rates(
                    probes.where(probes.views == seen),
                    gallery.where(gallery.views == other),
                    ranks,
                    metric,
                    f"{what}, view {seen} in {other}",
                )
                for other in views
            ]
            for seen in views
        ]
    )


def of_other_views(rates: np.ndarray) -> np.ndarray:
    """Return the mean over the other views of each view's probes, (v,) of (v, v)."""
    return (rates.sum(1) - rates.diagonal()) / (len(rates) - 1)


def rank_each(probes: Sequences, gallery: Sequences, metric: str) -> tuple[list[bool], list[float], list[float]]:
    """Rank the gallery for each probe, without what shows the same person in the same view.

    Returns:
        Whether the first is a match, of each probe; average precision and inverse negative penalty of each probe that
        has a match.

    Raises:
        ValueError: no probe, or one whose gallery holds nothing else.
    """
    if not len(probes.labels) or not len(gallery.labels):
        raise ValueError(f"{len(probes.labels)} probes, {len(gallery.labels)} gallery sequences; both are needed")
    distances = cuda_dist(probes.features, gallery.features, metric).cpu().numpy()
    first, precisions, penalties = [], [], []
    for row, label, view in zip(distances, probes.labels, probes.views, strict=True):
        counts = (gallery.views != view) | (gallery.labels != label)
        if not counts.any():
            raise ValueError(f"probe {label}, view {view}: the gallery holds the same person and view alone")
        matches = (gallery.labels[counts] == label)[np.argsort(row[counts])]
        first.append(bool(matches[0]))
        if matches.any():
            places = np.flatnonzero(matches) + 1  # of the matches in the ranking, from 1
            found = np.arange(1, len(places) + 1)
            precisions.append(float((found / places).sum() / len(places)))
            penalties.append(len(places) / places[-1])
    return first, precisions, penalties
