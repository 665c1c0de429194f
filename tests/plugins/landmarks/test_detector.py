"""The landmark detector: equal to the authors' vectors, and to their module where their code is at hand."""

import os
import sys
from pathlib import Path

import pytest
import torch
from golden_vectors import golden

from plugins.errors import KpstraError
from plugins.landmarks import LandmarkDetector
from plugins.landmarks.anchors import anchors
from plugins.landmarks.detector import network_input

PUBLISHED = "cvlface/research/recognition/code/run_v1"


@pytest.fixture(scope="module")
def vectors():
    return golden("face", "dfa.")


@pytest.fixture(scope="module")
def weights(vectors):
    """Names as published, values float32."""
    prefix = "dfa.w."
    return {name.removeprefix(prefix): value.float() for name, value in vectors.items() if name.startswith(prefix)}


@pytest.fixture(scope="module")
def detector(weights):
    detector = LandmarkDetector().eval()
    detector.load_reference(weights)
    return detector


def images_of(vectors, name="images"):
    return vectors[f"dfa.{name}"] / 127.5 - 1


def test_size(detector):
    assert sum(parameter.numel() for parameter in detector.parameters()) == 486_775
    parts = [detector.body, detector.fpn, detector.ssh1, detector.aggregator]
    counts = [sum(parameter.numel() for parameter in part.parameters()) for part in parts]
    assert counts == [213_072, 103_040, 34_752, 60_167]
    assert len(detector.state_dict()) == 338


def test_regressions_equal_the_reference(vectors, detector):
    torch.testing.assert_close(anchors(), vectors["dfa.priors"], atol=1e-6, rtol=0)
    with torch.no_grad():
        boxes, classes, landmarks = detector.regress(network_input(images_of(vectors)).flip(1))
    torch.testing.assert_close(boxes[0], vectors["dfa.loc"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(classes[0].softmax(-1), vectors["dfa.conf"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(landmarks[0], vectors["dfa.ldmk"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("kind", "padding"), [("", 0.0), ("padded_", 0.215)])
def test_landmarks_and_faces_equal_the_reference(vectors, detector, kind, padding):
    images = images_of(vectors)
    with torch.no_grad():
        landmarks, score = detector(images, padding=padding)
        found, aligned = detector.detect(images, padding), detector.align(images, padding)
    torch.testing.assert_close(landmarks, vectors[f"dfa.{kind}landmarks"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(score, vectors[f"dfa.{kind}score"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.box, vectors[f"dfa.{kind}bbox"] * 160, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(aligned.thetas, vectors[f"dfa.{kind}thetas"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(aligned.landmarks, vectors[f"dfa.{kind}aligned_landmarks"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(aligned.images[..., ::4, ::4], vectors[f"dfa.{kind}aligned"], atol=1e-3, rtol=0)


def test_a_wide_image_is_padded_to_a_square(vectors, detector):
    """The authors have no landmarks there; ours are those of the padded square, in shares of the image."""
    image = images_of(vectors, "wide_image")
    square = torch.nn.functional.pad(image, [0, 0, 16, 16], value=-1)
    with torch.no_grad():
        aligned, (landmarks, score) = detector.align(image), detector(image)
        expected, _ = detector(square)
    torch.testing.assert_close(aligned.thetas, vectors["dfa.wide_thetas"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(aligned.images[..., ::4, ::4], vectors["dfa.wide_aligned"], atol=1e-3, rtol=0)
    torch.testing.assert_close(score, vectors["dfa.wide_score"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(landmarks * torch.tensor([96, 64]) + torch.tensor([0, 16]), expected * 96)


def test_gradients_reach_the_image(vectors, detector):
    image = images_of(vectors)[:1].requires_grad_()
    detector(image)[0].sum().backward()
    assert torch.isfinite(image.grad).all() and (image.grad != 0).float().mean() > 0.9


def test_weights_are_taken_whole_or_not_at_all(weights):
    fresh = LandmarkDetector().eval()
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    lacking = {name: value for name, value in weights.items() if name != "net.body.stage1.0.0.weight"}
    reshaped = {**weights, "net.aggregator.3.bias": torch.zeros(2)}
    for wrong, message in (
        (lacking, "1 missing: body.stage1.0.0.weight"),
        ({**weights, "net.head": torch.zeros(1)}, "1 unknown: head"),
        (reshaped, r"1 of another shape: aggregator.3.bias \(2,\), expected \(1,\)"),
        ({}, "291 missing"),
    ):
        with pytest.raises(KpstraError, match=message):
            fresh.load_reference(wrong)
    assert all(torch.equal(value, before[name]) for name, value in fresh.state_dict().items())
    fresh.load_reference({name.removeprefix("net."): value for name, value in weights.items()})
    assert torch.equal(fresh.aggregator[3].bias, weights["net.aggregator.3.bias"])


@pytest.mark.parametrize(
    ("images", "padding", "message"),
    [
        (torch.zeros(3, 8, 8), 0.0, r"images \(3, 8, 8\)"),
        (torch.zeros(1, 4, 8, 8), 0.0, r"expected \(B, 3, H, W\) floats"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 0.0, "uint8"),
        (torch.zeros(1, 3, 0, 8), 0.0, r"\(1, 3, 0, 8\)"),
        (torch.zeros(1, 3, 8, 8), -0.1, "padding: -0.1"),
        (torch.zeros(1, 3, 8, 8), float("nan"), "padding: nan"),
    ],
)
def test_other_inputs_are_refused(detector, images, padding, message):
    with pytest.raises(KpstraError, match=message):
        detector(images, padding=padding)


@pytest.fixture
def published(monkeypatch):
    """The authors' network and anchors; their aligner beside them needs scikit-image."""
    if not os.environ.get("CVLFACE_HOME"):
        pytest.skip("CVLFACE_HOME does not point at a checkout of CVLface")
    folder = Path(os.environ["CVLFACE_HOME"], PUBLISHED, "aligners/differentiable_face_aligner")
    monkeypatch.syspath_prepend(str(folder))
    try:
        import dfa

        yield dfa
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "dfa"]:
            del sys.modules[name]


def test_equals_the_published_module(published):
    """Fresh weights of theirs, images of their size and larger, with and without margin; names and order too."""
    net, prior_box = published.get_landmark_predictor("mobile0.25", use_aggregator=True, input_size=160)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1), module.running_var.uniform_(0.5, 2)
    theirs, ours = net.eval(), LandmarkDetector().eval()
    ours.load_reference(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    with torch.no_grad():
        for side, padding in ((112, 0.0), (171, 0.215)):
            images = torch.rand(2, 3, side, side) * 2 - 1
            inputs = published.get_preprocessor(160)(images, padding_ratio_override=padding)
            merged = theirs(inputs.flip(1), prior_box)[3]
            found = ours.detect(images, padding)
            landmarks = (merged[:, 6:].view(2, 5, 2) - 0.5) * (1 + 2 * padding) + 0.5
            torch.testing.assert_close(found.landmarks, landmarks, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(found.box, merged[:, :4], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(found.score, merged[:, 4:6].softmax(1)[:, 1:], atol=1e-5, rtol=1e-5)
