"""Verification: the authors' numbers, and a plain loop."""

import numpy as np
import pytest
from golden_vectors import golden_arrays

from plugins.errors import KpstraError
from reid_ext.evaluation.verification import THRESHOLDS, verify

VECTORS = golden_arrays("face", "verif.")
FEATURES = VECTORS["verif.features"] + VECTORS["verif.features_flipped"]


def test_the_authors_numbers():
    result = verify(FEATURES, VECTORS["verif.issame"], 0.02)
    np.testing.assert_array_equal(result.folds, VECTORS["verif.accuracy_folds"])
    np.testing.assert_allclose(result.tpr, VECTORS["verif.tpr"], rtol=0, atol=1e-15)
    np.testing.assert_allclose(result.fpr, VECTORS["verif.fpr"], rtol=0, atol=1e-15)
    assert 100 * result.accuracy == pytest.approx(float(VECTORS["verif.result_acc"]), abs=1e-12)
    assert 100 * result.deviation == pytest.approx(float(VECTORS["verif.result_std"]), abs=1e-12)
    expected = [float(VECTORS[name]) for name in ("verif.val_at_far_0.02", "verif.val_std")]
    assert result.val == pytest.approx(expected, abs=1e-15)
    assert result.far == pytest.approx(float(VECTORS["verif.far"]), abs=1e-15)


def test_a_loop():
    rng = np.random.default_rng(0)
    same = rng.random(40) < 0.5
    features = rng.normal(size=(80, 3))
    features[1::2] += 1.5 * features[0::2] * same[:, None]
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    distances = [float(((units[2 * i] - units[2 * i + 1]) ** 2).sum()) for i in range(40)]
    same = same.tolist()
    folds = []
    for fold in range(10):
        test = range(4 * fold, 4 * fold + 4)
        rest = [i for i in range(40) if i not in test]
        right = [sum((distances[i] < t) == same[i] for i in rest) for t in THRESHOLDS.tolist()]
        best = THRESHOLDS[right.index(max(right))]
        folds.append(sum((distances[i] < best) == same[i] for i in test) / 4)
    result = verify(features, same)
    assert result.folds.tolist() == folds
    np.testing.assert_allclose(result.scores, [-d for d in distances])


@pytest.mark.parametrize(
    ("features", "same", "message"),
    [
        (np.ones((20, 2)), np.ones(9, bool), r"features \(20, 2\) for 9 pairs: expected two for each"),
        (np.ones((18, 2)), np.arange(9) < 4, "4 of 9 pairs are of one person; 10 folds need 10"),
        (np.ones((20, 2)), np.ones(10, bool), "10 of 10 pairs"),
        (np.full((20, 2), np.nan), np.arange(10) < 5, "the feature of image 0 is not finite"),
    ],
)
def test_what_cannot_be_verified(features, same, message):
    with pytest.raises(KpstraError, match=message):
        verify(features, same)


def test_val_is_undefined_where_a_fold_has_pairs_of_one_kind():
    result = verify(np.random.default_rng(0).normal(size=(40, 3)), np.arange(20) < 10)
    assert np.isnan(result.val).all() and np.isnan(result.far)
