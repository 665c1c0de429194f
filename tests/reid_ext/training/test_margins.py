"""Margin heads: the authors' logits, losses, gradients and statistics, a plain loop, and what is refused."""

import math

import pytest
import torch
from golden_vectors import golden
from torch.nn import functional as F

from plugins.errors import KpstraError
from reid_ext.training.margins import MARGINS, AdaFace, ArcFace, CosFace


@pytest.fixture(scope="module")
def vectors():
    return {name.removeprefix("head."): value for name, value in golden("face_heads").items()}


def head_of(vectors, name):
    head = MARGINS[name](16, 12)
    with torch.no_grad():
        head.weight.copy_(vectors["weight"])
    return head


@pytest.mark.parametrize("name", MARGINS)
def test_they_are_the_authors(vectors, name):
    """Two batches one after the other; cosines 1 and -1, a norm above 100."""
    head, labels = head_of(vectors, name), vectors["labels"]
    if name == "adaface":
        head.batch_mean.copy_(vectors["adaface.mean_before"])
        head.batch_std.copy_(vectors["adaface.std_before"])
    for batch in "01":
        expected = {
            part: vectors[f"{name}.{part}{batch}"] for part in ("logits", "loss", "grad_features", "grad_weight")
        }
        features = vectors[f"features{batch}"].clone().requires_grad_()
        logits = head(features, labels)
        loss = F.cross_entropy(logits, labels)
        head.zero_grad()
        loss.backward()
        torch.testing.assert_close(logits, expected["logits"], atol=2e-5, rtol=1e-6)  # of order 64
        torch.testing.assert_close(loss, expected["loss"], atol=1e-5, rtol=1e-6)
        torch.testing.assert_close(features.grad, expected["grad_features"], atol=5e-6, rtol=1e-5)
        torch.testing.assert_close(head.weight.grad, expected["grad_weight"], atol=5e-6, rtol=1e-5)
        if name == "adaface":
            torch.testing.assert_close(head.batch_mean, vectors[f"adaface.mean{batch}"], atol=1e-6, rtol=1e-6)
            torch.testing.assert_close(head.batch_std, vectors[f"adaface.std{batch}"], atol=1e-6, rtol=1e-6)


def test_adaface_starts_as_the_authors(vectors):
    head = head_of(vectors, "adaface")
    loss = F.cross_entropy(head(vectors["features0"], vectors["labels"]), vectors["labels"])
    torch.testing.assert_close(loss, vectors["adaface.default_loss0"], atol=1e-5, rtol=1e-6)
    torch.testing.assert_close(head.batch_mean, vectors["adaface.default_mean"])
    torch.testing.assert_close(head.batch_std, vectors["adaface.default_std"])


def naive(kind, cosine, norm, mean, std):
    """One true class's cosine under its margin."""
    theta = math.acos(max(-1.0, min(1.0, cosine)))
    if kind is CosFace:
        return cosine - 0.4
    if kind is ArcFace:
        return math.cos(theta + 0.5)
    z = max(-1.0, min(1.0, 0.333 * (min(max(norm, 1e-3), 100) - mean) / (std + 1e-3)))
    return math.cos(theta - 0.4 * z) - (0.4 + 0.4 * z)


@pytest.mark.parametrize("kind", MARGINS.values())
def test_they_are_a_plain_loop(kind):
    head = kind(6, 4)
    features, labels = 10 * torch.randn(5, 6, dtype=torch.float64), torch.tensor([3, 0, 0, 2, 1])
    mean, std = 0.0, 0.0
    if kind is AdaFace:
        norms = features.norm(dim=1).clamp(1e-3, 100)
        mean = float(0.01 * norms.mean() + 0.99 * 20)
        std = float(0.01 * norms.std() + 0.99 * 100)
    logits = head(features.float(), labels).tolist()
    for i, (feature, label) in enumerate(zip(features, labels.tolist(), strict=True)):
        for j, weight in enumerate(head.weight.detach().double()):
            cosine = float(feature @ weight / feature.norm() / weight.norm())
            cosine = naive(kind, cosine, float(feature.norm()), mean, std) if j == label else cosine
            assert logits[i][j] == pytest.approx(64 * cosine, abs=1e-4)


@pytest.mark.parametrize("kind", MARGINS.values())
def test_gradients_pass_straight_through(kind):
    """Those of the logits without a margin, whatever the margin's own slope is."""
    head, labels = kind(6, 4, margin=0.3), torch.tensor([0, 1, 2])
    features = torch.randn(3, 6, requires_grad=True)
    weights = torch.randn(3, 4)
    (head(features, labels) * weights).sum().backward()
    plain = features.detach().clone().requires_grad_()
    (64 * F.cosine_similarity(plain[:, None], head.weight[None].detach(), dim=2) * weights).sum().backward()
    torch.testing.assert_close(features.grad, plain.grad, atol=1e-4, rtol=1e-4)


def test_adaface_keeps_its_statistics_in_evaluation_and_in_the_state_dict():
    head, features, labels = AdaFace(6, 4), torch.randn(3, 6), torch.tensor([0, 1, 2])
    head(features, labels)
    kept = head.state_dict()
    assert {"batch_mean", "batch_std"} < {*kept} and kept["batch_mean"] != 20
    kept = {name: value.clone() for name, value in kept.items()}
    head.eval()(features, labels)
    torch.testing.assert_close(head.state_dict(), kept)
    again = AdaFace(6, 4)
    again.load_state_dict(kept)
    torch.testing.assert_close(again(features, labels), head.train()(features, labels))


def test_half_precision_is_computed_in_single():
    head, features, labels = ArcFace(6, 4), torch.randn(3, 6), torch.tensor([0, 1, 2])
    with torch.autocast("cpu", torch.bfloat16):
        logits = head(features, labels)
    torch.testing.assert_close(logits, head(features, labels))
    assert logits.dtype == torch.float32


@pytest.mark.parametrize(("features", "labels", "said"), [
    (torch.zeros(2, 5), torch.zeros(2, dtype=torch.int64), r"\(B, 6\)"),
    (torch.zeros(2, 6), torch.zeros(3, dtype=torch.int64), r"\(3,\)"),
    (torch.zeros(2, 6), torch.zeros(2), "int64"),
    (torch.zeros(2, 6), torch.tensor([0, 4]), "0 to 3"),
    (torch.zeros(2, 6), torch.tensor([-1, 0]), "0 to 3"),
])  # fmt: skip
def test_wrong_inputs_are_refused(features, labels, said):
    with pytest.raises(KpstraError, match=said):
        CosFace(6, 4)(features, labels)


def test_adaface_needs_two_images():
    with pytest.raises(KpstraError, match="batch of one"):
        AdaFace(6, 4)(torch.zeros(1, 6), torch.tensor([0]))


@pytest.mark.parametrize(("kind", "arguments", "said"), [
    (CosFace, {"margin": -0.1}, "margin"),
    (ArcFace, {"scale": 0}, "scale"),
    (AdaFace, {"h": 0}, "h 0"),
    (AdaFace, {"t_alpha": 1.5}, "t_alpha"),
    (AdaFace, {"classes": 0}, "classes"),
])  # fmt: skip
def test_wrong_settings_are_refused(kind, arguments, said):
    with pytest.raises(KpstraError, match=said):
        kind(**{"features": 6, "classes": 4, **arguments})
