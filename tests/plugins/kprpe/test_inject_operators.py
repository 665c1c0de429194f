"""How many operators KP-RPE adds to a block on CUDA, and that none of them waits for the device."""

from contextlib import nullcontext

import pytest
import timm
import torch
import torchvision
from operators import Operators, fake_cuda

from plugins.kprpe import inject_kprpe
from plugins.kprpe.keypoints import Keypoints

FORMS = {
    "multihead": {},
    "relative": {"formulation": "relative"},
    "absolute": {"formulation": "absolute"},
    "static": {"formulation": "static"},
    "second order": {"formulation": "second_order"},
    "nonlinear": {"formulation": "nonlinear"},
    "standardised": {"standardised": True},
    "constant": {"keypoints": "constant"},
    "rotary": {"formulation": "none", "rotary": "image"},
    "rotary, body": {"formulation": "none", "rotary": "body"},
}


def vit(depth):
    sizes = {"embed_dim": 32, "num_heads": 2, "class_token": False, "global_pool": "avg"}
    return timm.models.VisionTransformer(32, 8, 3, 6, depth=depth, **sizes)


def swin(depth):
    return torchvision.models.SwinTransformer([4, 4], 16, [depth], [2], [4, 4], num_classes=6)


def operators(network, config, training=False, confidence=False):
    """Of the second forward: what is remembered is remembered then."""
    handle = inject_kprpe(network, {"num_keypoints": 5, **config}) if config is not None else None
    if handle is not None and any(attention.kprpe.pose is not None for attention in handle.attentions.values()):
        handle.fit_pose(torch.rand(10, 5, 2))
        for attention in handle.attentions.values():
            attention.kprpe.pose.warn_unless_set("")
    with fake_cuda(network.train(training)):
        images, points = torch.empty(2, 3, 32, 32, device="cuda"), torch.empty(2, 5, 2, device="cuda")
        scores = torch.empty(2, 5, device="cuda") if confidence else None
        for _ in range(2):
            keypoints = nullcontext() if handle is None else handle.context.set(Keypoints(points, scores))
            with Operators() as counted, torch.set_grad_enabled(training), keypoints:
                network(images)
    return counted


def added(network, config, **setting):
    """Operators of one block more, beyond those that the block has without KP-RPE."""
    ours, plain = (
        [operators(network(depth), of, **setting).calls.total() for depth in (2, 3)] for of in (config, None)
    )
    return ours[1] - ours[0] - (plain[1] - plain[0])


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("form", ["multihead", "relative", "absolute", "static", "second order"])
def test_at_most_three_operators_a_block(form, training):
    """One product with the offsets of all joints, one look-up, and attention's sum with its mask.

    That sum is part of the fused kernel on a real device; there the rounding under autocast is the third.
    """
    assert added(vit, FORMS[form], training=training) <= 3


@pytest.mark.slow
@pytest.mark.parametrize(("network", "form", "most"), [(vit, "nonlinear", 5), (swin, "multihead", 8)])
def test_others_add_few(network, form, most):
    """The hidden layer of the nonlinear form; in windows the bias is copied once to all that share it."""
    assert added(network, FORMS[form], training=True) <= most


@pytest.mark.parametrize("confidence", [False, True], ids=["", "confidence"])
@pytest.mark.parametrize("network", [vit, swin])
@pytest.mark.parametrize("form", FORMS)
def test_nothing_waits_for_the_device(form, network, confidence):
    assert operators(network(2), FORMS[form], True, confidence).waits == []


def test_waits_are_seen():
    """The test of the test: a look at a value, and a copy from the host."""
    with fake_cuda():
        table = torch.empty(2, device="cuda")
        with Operators() as counted:
            table + torch.ones(2).to("cuda")
        assert counted.waits == ["aten._to_copy"]
        with Operators() as counted, pytest.raises(torch._subclasses.fake_tensor.DataDependentOutputException):
            table[0].item()
