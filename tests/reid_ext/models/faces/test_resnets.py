"""StRA's networks for faces and expressions: sizes, maps, contract, ImageNet's weights, wrong images."""

import warnings
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

import reid_ext
from plugins.errors import KpstraError
from plugins.stra import StRABottleneck
from reid_ext.host import torchreid
from reid_ext.models.faces.resnets import FaceHead
from reid_ext.models.factory import input_of
from reid_ext.models.networks import DiversityOutputs
from reid_ext.models.options import building
from reid_ext.models.pretrained import load_imagenet

PAGE = Path(__file__).parents[4] / "docs" / "faces.md"
reid_ext.register()


def build(name, size=None, classes=7, loss="softmax", device="cpu"):
    with building(size), torch.device(device):
        return torchreid.models.build_model(name, classes, loss, pretrained=False, use_gpu=False)


@cache
def on_meta(name, size=None):
    """A network without memory, built once for all tests."""
    return build(name, size, loss="triplet", device="meta")


@pytest.mark.parametrize(("name", "size", "count"), [
    ("resnet50_face", None, 74_893_888),
    ("resnet50_face_stra", None, 67_957_816),
    pytest.param("resnet50_face_ls2", None, 40_290_880, marks=pytest.mark.slow),
    pytest.param("resnet50_face_ls2_stra", None, 33_354_808, marks=pytest.mark.slow),
    pytest.param("resnet50_face_ls2", (224, 192), 67_553_856, marks=pytest.mark.slow),
    ("resnet50_face_ls2_stra", (224, 192), 60_617_784),
])  # fmt: skip
def test_sizes_of_face_networks(name, size, count):
    """Without the classifier; for the paper's two sizes of images, and ArcFace's."""
    parameters = on_meta(name, size).named_parameters()
    assert sum(value.numel() for key, value in parameters if not key.startswith("classifier")) == count


@pytest.mark.parametrize(("name", "count"), [("fer_resnet", 19_881_927), ("fer_resnet_stra", 6_628_287)])
def test_sizes_of_expression_networks(name, count):
    """With seven classes; of the stem, grey images would need a third."""
    model = on_meta(name)
    assert sum(value.numel() for value in model.parameters()) - model.conv1.weight.numel() * 2 // 3 == count
    assert f"{count:,}" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "width"), [("resnet50_face", 512), ("fer_resnet", 2048)])
def test_outputs_honour_the_hosts_contract(name, width):
    model = on_meta(name).train()
    images = torch.zeros(2, 3, *input_of(name).size, device="meta")
    logits, features = model(images)
    assert logits.shape == (2, 7) and features.shape == (2, width)
    assert model.eval()(images).shape == (2, width)
    assert not isinstance(model, DiversityOutputs)


@pytest.mark.parametrize(("name", "size"), [
    pytest.param("resnet50_face_ls2_stra", (64, 40), marks=pytest.mark.slow),
    ("fer_resnet_stra", (16, 16)),
])  # fmt: skip
def test_stra_s_outputs_honour_it_too(name, size):
    """With the diversity of three blocks where an engine asks for it."""
    model = build(name, size, loss="triplet", device="meta").to_empty(device="cpu")
    for value in model.state_dict().values():
        value.copy_(torch.rand(value.shape) * 0.02 + (value.ndim == 1))  # random initialisation takes long
    images = torch.randn(4, 3, *size)
    logits, features = model(images)
    assert logits.shape == (4, 7) and features.shape == model.eval()(images).shape == (4, 512)
    model.train().return_diversity = True
    diversity = model(images)[-1]
    assert diversity.shape == (4,) and (diversity >= 0).all() and (diversity < 3 * 8).all()
    assert all(isinstance(block, StRABottleneck) for block in model.layer4) and isinstance(model, DiversityOutputs)


def test_the_maps_of_the_expression_network():
    """44, 22, 11, 6; the stem keeps the size."""
    model, x, sides = on_meta("fer_resnet"), torch.zeros(1, 3, 44, 44, device="meta"), []
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        x = stage(x)
        sides.append(x.shape[-1])
    assert sides == [44, 22, 11, 6] and [len(model.layer1), len(model.layer4)] == [3, 3]


def test_a_block_without_its_last_convolution_is_the_plain_computation():
    block = StRABottleneck(8, 32, nn.Conv2d(8, 32, 1, 2), stride=2, expands=False).eval()
    x = torch.randn(2, 8, 6, 4)
    out, diversity = block(x)
    inside, expected = block.conv2(torch.relu(block.bn1(block.conv1(x))))
    torch.testing.assert_close(out, torch.relu(block.bn2(inside) + block.downsample(x)))
    torch.testing.assert_close(diversity, expected)
    assert out.shape == (2, 32, 3, 2)


def test_the_head_is_arcfaces():
    head = FaceHead(4, (3, 2)).eval()
    for norm in (head[1], head[5]):
        nn.init.uniform_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 1, 2)
    maps = torch.randn(5, 4, 3, 2)
    expected = head[5](head[4](head[1](maps).flatten(1)))
    torch.testing.assert_close(head(maps.flatten(1)), expected)
    assert not torch.equal(head.train()(maps.flatten(1)), head(maps.flatten(1)))  # dropout


def test_images_of_another_size_are_refused():
    model = on_meta("resnet50_face")
    with pytest.raises(KpstraError, match=r"feature maps of 7x7.*data\.height"):
        model(torch.zeros(2, 3, 64, 48, device="meta"))


@pytest.mark.parametrize(("name", "replaced"), [("resnet50_face", False), ("resnet50_face_stra", True)])
def test_imagenet_s_weights_fit(tmp_path, name, replaced):
    """Nothing of the plain last stage is replaced; of StRA's all but the 3x3 convolutions fits, if asked for."""
    sizes = {"conv1": (64, 3, 7, 7), "layer4.1.conv1": (512, 2048, 1, 1), "layer4.1.conv2": (512, 512, 3, 3)}
    path = tmp_path / "imagenet.pth"
    torch.save({f"{layer}.weight": torch.zeros(size) for layer, size in sizes.items()}, path)
    model = on_meta(name)
    for last_stage, layers in ((True, 2 if replaced else 3), (False, 1 if replaced else 3)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nothing is copied to the meta device
            assert [*load_imagenet(model, name, path, last_stage).weights] == [f"{x}.weight" for x in [*sizes][:layers]]


def test_there_are_no_imagenet_weights_for_expressions():
    with pytest.raises(KpstraError, match="fer_resnet: nobody publishes"):
        load_imagenet(on_meta("fer_resnet"), "fer_resnet")


def test_unknown_losses_are_refused():
    for name in ("resnet50_face_stra", "fer_resnet_stra"):
        with pytest.raises(KpstraError, match="not one of softmax, triplet"):
            build(name, loss="softmaxx", device="meta")
