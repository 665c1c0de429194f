"""Parity with the authors' public StRA code: its vectors, and the repository itself where one is at hand."""

import os
import sys
from types import SimpleNamespace

import pytest
import torch
from golden_vectors import golden

from plugins.errors import KpstraError
from plugins.stra import StRAttention
from plugins.stra.reference import from_reference


@pytest.fixture(scope="module")
def vectors():
    return golden("stra")


def reference_weights(vectors):
    return {key.removeprefix("w."): value for key, value in vectors.items() if key.startswith("w.")}


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_equals_the_reference_vectors(vectors, mode):
    attention = StRAttention(512)
    attention.load_state_dict(from_reference(reference_weights(vectors)))
    attention.train(mode == "train")
    y, diversity = attention(vectors["x"])
    torch.testing.assert_close(y, vectors[f"{mode}.out"], atol=1e-5, rtol=0)
    torch.testing.assert_close(diversity, vectors[f"{mode}.diversity"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_local_attention_alone_equals_the_reference(vectors, mode):
    attention = StRAttention(512, mode_attention=False)
    weights = from_reference(reference_weights(vectors))
    attention.load_state_dict({key: value for key, value in weights.items() if key.startswith("local.")})
    attention.train(mode == "train")
    torch.testing.assert_close(attention(vectors["x"])[0], vectors[f"{mode}.local"], atol=1e-5, rtol=0)


def test_whole_checkpoints_are_renamed():
    tensor = torch.zeros(512, 2048, 1, 1)
    checkpoint = {
        "epoch": 100,
        "state_dict": {
            "module.layer4.0.conv2.moe.bn2.weight": torch.ones(8),
            "module.layer4.0.conv2.moe.bn.weight": torch.zeros(8),
            "module.layer4.0.conv2.mask_conv.0.bias": torch.zeros(128),
            "module.global_avg_pool.1.weight": tensor,
            "module.bn1.weight": torch.ones(64),
        },
    }
    renamed = from_reference(checkpoint)
    assert set(renamed) == {
        "layer4.0.conv2.mode.interaction_norm.weight",
        "layer4.0.conv2.mode.gate_norm.weight",
        "layer4.0.conv2.local.mask.0.bias",
        "fc.0.weight",
        "bn1.weight",
    }
    assert renamed["fc.0.weight"].shape == (512, 2048)


def test_other_weights_are_refused():
    with pytest.raises(KpstraError, match="not weights of the authors"):
        from_reference({"conv1.weight": torch.zeros(1)})


@pytest.fixture
def authors():
    home = os.environ.get("STRA_HOME")
    if not home:
        pytest.skip("STRA_HOME does not point at a checkout of the authors' StRA repository")
    sys.modules.setdefault("cv2", SimpleNamespace())
    sys.path.insert(0, home)
    import models

    yield models.StRARes
    sys.path.remove(home)


def test_equals_the_authors_network_side_by_side(authors):
    from reid_ext.models.networks import StRAResNet

    theirs = authors.stru_resnet50(10, pretrained=False)
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.normal_(module.running_mean, 0, 0.2)
    ours = StRAResNet(10, "softmax")
    missing = ours.load_state_dict(from_reference(theirs.state_dict()))
    assert not missing.missing_keys and not missing.unexpected_keys
    x = torch.randn(4, 3, 128, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), atol=1e-4, rtol=1e-4)
    theirs.train().cuda = lambda: None
    torch.Tensor.cuda, original = (lambda self: self), torch.Tensor.cuda
    try:
        logits, accumulated = theirs(x)
    finally:
        torch.Tensor.cuda = original
    ours.train().return_diversity = True
    our_logits, diversity = ours(x)
    torch.testing.assert_close(our_logits, logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(diversity, accumulated[-4:], atol=1e-4, rtol=0)
