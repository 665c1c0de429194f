"""Rank-1 and mAP with every sequence as a probe, against a naive loop, on both hosts."""

import numpy as np
import pytest

from opengait_ext.benchmarks.study.score import leave_one_out
from plugins.errors import KpstraError

pytest_plugins = ["host_folders"]
LABELS = ["b", "a", "c", "a", "b", "a", "c", "b", "b", "a"]


def naive(features, labels):
    """Rank all others by the mean over parts of Euclidean distances, one probe at a time."""
    first, precisions = [], []
    for i in range(len(labels)):
        others = [j for j in range(len(labels)) if j != i]
        distances = {j: np.mean(np.linalg.norm(features[i] - features[j], axis=0)) for j in others}
        hits = [labels[j] == labels[i] for j in sorted(others, key=distances.get)]
        first.append(hits[0])
        precisions.append(np.mean([sum(hits[: k + 1]) / (k + 1) for k in range(len(hits)) if hits[k]]))
    return {"Rank-1": 100 * np.mean(first), "mAP": 100 * np.mean(precisions)}


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_against_a_naive_loop(host, noise):
    rng = np.random.default_rng(0)
    centres = {label: rng.normal(size=(6, 4)) for label in "abc"}
    features = np.stack([centres[label] + noise * rng.normal(size=(6, 4)) for label in LABELS]).astype(np.float32)
    found = leave_one_out(host.active, features, LABELS, "euc")
    assert found == pytest.approx(naive(features, LABELS), abs=1e-3)
    assert found["mAP"] > 99.9 if noise == 0.3 else found["mAP"] < 99


def test_a_person_alone_is_refused(embedded):
    with pytest.raises(KpstraError, match="d has a single test sequence"):
        leave_one_out(embedded.active, np.zeros((3, 2, 2), np.float32), ["c", "c", "d"], "euc")
