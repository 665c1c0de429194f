"""Images channels last in memory where networks are evaluated on a CPU: which ones, when, and with what numbers."""

import numpy as np
import pytest
import torch
from reid_data import arguments

from reid_ext.__main__ import main
from reid_ext.extractor import FeatureExtractor
from reid_ext.host import torchreid
from reid_ext.models.factory import register
from reid_ext.models.layout import evaluate_channels_last

NAME, SIZE = "mobilenetv2_x1_0_stra", (64, 32)


def build(name, images):
    """A network whose batch norms have seen these images alone, so that its features differ between them."""
    register()
    torch.manual_seed(0)
    model = torchreid.models.build_model(name, 3, pretrained=False, use_gpu=False)
    for norm in [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]:
        norm.momentum = 1.0
    with torch.no_grad():
        model(images)
    return model.eval()


def within_rounding(found, wanted):
    return (found - wanted).norm() <= 1e-4 * wanted.norm()


@pytest.fixture
def layouts(monkeypatch):
    """Whether the images came channels last, at each call of a convolution of images."""
    seen, forward = [], torch.nn.Conv2d.forward

    def note(self, x):
        if self.in_channels == 3:
            seen.append(x.is_contiguous(memory_format=torch.channels_last))
        return forward(self, x)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", note)
    return seen


@pytest.mark.parametrize(
    ("name", "changed"), [(NAME, True), ("osnet_x0_25", True), ("resnet18", True), ("squeezenet1_0", False)]
)
def test_convolutional_networks_in_evaluation(name, changed, layouts):
    """The features stay within rounding, and training is left alone."""
    images = torch.randn(4, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    model = build(name, images)
    layouts.clear()
    with torch.no_grad():
        plain = model(images)
        evaluate_channels_last(model)
        assert within_rounding(model(images), plain)
        model.train()(images)
    assert layouts == [False, changed, False]


def test_ranks_of_the_shipped_images_stay(market_root, tmp_path):
    """CMC and mAP to the last bit, by the extractor's features."""
    data = market_root / "market1501" / "Market-1501-v15.09.15"
    query, gallery = (sorted((data / part).glob("*.jpg")) for part in ("query", "bounding_box_test"))
    _, transform = torchreid.data.transforms.build_transforms(*SIZE, transforms=None)
    images = torch.stack([transform(torchreid.utils.read_image(str(path))) for path in gallery])
    torch.save({"state_dict": build(NAME, images).state_dict()}, tmp_path / "w.pth.tar")
    extractor = FeatureExtractor(NAME, tmp_path / "w.pth.tar", SIZE, device="cpu")
    laid_out = extractor([*query, *gallery])
    extractor.model._forward_pre_hooks.clear()
    plain = extractor([*query, *gallery])
    assert not torch.equal(laid_out, plain) and within_rounding(laid_out, plain)
    people = [np.array([int(path.name[:4]) for path in part]) for part in (query, gallery)]
    cameras = [np.array([int(path.name[6]) for path in part]) for part in (query, gallery)]
    measured = []
    for found in (laid_out, plain):
        distances = torchreid.metrics.compute_distance_matrix(found[: len(query)], found[len(query) :]).numpy()
        measured.append(torchreid.metrics.evaluate_rank(distances, *people, *cameras, 5))
    (cmc, mean_ap), (wanted_cmc, wanted_map) = measured
    np.testing.assert_array_equal(cmc, wanted_cmc)
    assert mean_ap == wanted_map and 0 < wanted_map < 1


def test_torchreids_test(market_root, tmp_path, layouts):
    """As `python -m reid_ext` starts it, after the images of zeros with which operations are counted."""
    assert main(arguments(market_root, tmp_path, "test.evaluate", "True", "model.partial_weights", "True")) == 0
    counted, *tested = layouts
    assert not counted and tested and all(tested)


def test_images_may_be_given_by_name():
    images = torch.rand(2, 3, *SIZE)
    model = build(NAME, images)
    evaluate_channels_last(model)
    with torch.no_grad():
        assert within_rounding(model(x=images), model(images))
