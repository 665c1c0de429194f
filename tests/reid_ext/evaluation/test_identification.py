"""Identification: the authors' numbers, and a plain loop in parts."""

import numpy as np
import pytest
from golden_vectors import golden_arrays

from plugins.errors import KpstraError
from reid_ext.evaluation import identification
from reid_ext.evaluation.identification import identify

V = {name.removeprefix("tiny."): array for name, array in golden_arrays("face", "tiny.").items()}


def test_the_authors_numbers():
    rows = {path: row for row, path in enumerate(V["image_paths"].tolist())}

    def part(names, person):
        paths = V[names].tolist()
        people = [person(path) for path in paths]
        return V["features"][[rows[path] for path in paths]], np.array(people)

    probes, people = part("probe_paths", number)
    matches, distractors = part("gallery_paths", number), part("distractor_paths", lambda path: -100)
    gallery, named = (np.concatenate(both) for both in zip(matches, distractors, strict=True))
    found = identify(probes, people, gallery, named)
    assert {k: 100 * share for k, share in found.items()} == pytest.approx(
        {k: float(V[f"rank-{k}"]) for k in (1, 5, 20)}, abs=1e-5
    )


def number(path):
    return int(path.rpartition("/")[2].partition("_")[0])


def test_a_loop(monkeypatch):
    """Also where similarities are computed a few probes at a time, and for a probe without a mate."""
    rng = np.random.default_rng(0)
    probes, gallery = rng.normal(size=(9, 4)), rng.normal(size=(30, 4))
    people, named = np.array([0, 0, 1, 2, 3, 4, 5, 6, 99]), rng.integers(0, 8, 30)
    firsts = []
    for feature, person in zip(probes, people, strict=True):
        order = sorted(range(30), key=lambda i: -feature @ gallery[i] / np.linalg.norm(gallery[i]))
        ranks = [rank for rank, i in enumerate(order) if named[i] == person]
        firsts += ranks[:1]
    expected = {k: np.mean([first < k for first in firsts]) for k in (1, 5, 20)}
    assert len(firsts) < 9 and expected[1] < expected[20]
    assert identify(probes, people, gallery, named) == pytest.approx(expected)
    monkeypatch.setattr(identification, "PART", 60)
    assert identify(probes, people, gallery, named) == pytest.approx(expected)


def test_no_mates():
    with pytest.raises(KpstraError, match="no probe's person is in the gallery"):
        identify(np.eye(2), np.arange(2), np.eye(2), np.full(2, -1))
