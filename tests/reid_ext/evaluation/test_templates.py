"""Templates: the authors' numbers, and a plain loop."""

import numpy as np
import pytest
from golden_vectors import golden_arrays

from plugins.errors import KpstraError
from reid_ext.evaluation.templates import RATES, pair_scores, template_features, true_accepts

V = {name.removeprefix("ijb."): array for name, array in golden_arrays("face", "ijb.").items()}


def test_the_authors_numbers():
    numbers, features = template_features(V["features"], V["templates"], V["medias"], V["faceness"])
    np.testing.assert_array_equal(numbers, V["unique_templates"])
    np.testing.assert_allclose(features, V["template_features_NormFalse_DetTrue"], atol=1e-6)
    scores = pair_scores(numbers, features, V["p1"], V["p2"])
    np.testing.assert_allclose(scores, V["scores_NormFalse_DetTrue"], atol=1e-6)
    accepted = true_accepts(scores, V["label"] == 1)
    for rate, name in zip(RATES, ("1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1"), strict=True):
        assert 100 * accepted[rate] == pytest.approx(
            float(V[f"result.Norm:False_Det:True_tpr_at_fpr_{name}"]), abs=1e-12
        )


def test_a_loop():
    rng = np.random.default_rng(0)
    features, detection = rng.normal(size=(12, 4)), rng.random(12)
    templates, medias = rng.integers(5, 8, 12), rng.integers(0, 3, 12)
    for weights in (detection, None):
        numbers, found = template_features(features, templates, medias, weights)
        for number, row in zip(numbers, found, strict=True):
            media = {}
            for i in range(12):
                if templates[i] == number:
                    unit = features[i] / np.linalg.norm(features[i])
                    media.setdefault(medias[i], []).append(unit * (1 if weights is None else weights[i]))
            total = sum(np.mean(images, 0) for images in media.values())
            np.testing.assert_allclose(row, total / np.linalg.norm(total))


def test_a_template_without_images_and_pairs_of_one_kind():
    numbers, features = np.array([2, 5]), np.eye(2)
    with pytest.raises(KpstraError, match="pair 2: template 3 has no images"):
        pair_scores(numbers, features, np.array([2, 2]), np.array([5, 3]))
    with pytest.raises(KpstraError, match="pair 1: template 9 has no images"):
        pair_scores(numbers, features, np.array([9]), np.array([5]))
    with pytest.raises(KpstraError, match="2 of 2 pairs are of one person"):
        true_accepts(np.ones(2), np.ones(2, bool))
