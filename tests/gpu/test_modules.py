"""Modules beside KP-RPE and StRA: forward and backward on CUDA as on a CPU, in float32 and under AMP."""

import copy

import pytest
import timm
import torch
from on_both import assert_same_on_cuda
from torch import nn

from plugins.joint_inputs.heatmaps import joint_maps
from plugins.joint_inputs.pooling import JointPooling
from plugins.joint_inputs.skeleton import draw_skeleton
from plugins.kprpe.attention.contextual import ContextualAttention
from plugins.modes import ModeStem
from plugins.stra import StRABottleneck
from reid_ext.models.faces import FaceViT
from reid_ext.training.margins import MARGINS

IMAGES, TOKENS, FEATURES = torch.randn(4, 3, 32, 32), torch.randn(4, 16, 32), torch.randn(4, 32)
POINTS, SCORES, FIVE = torch.rand(4, 17, 2), torch.rand(4, 17), torch.rand(4, 5, 3)
MAPS = torch.randn(4, 128, 8, 8)
LABELS = torch.tensor([0, 2, 1, 2])
SHARE = {torch.bfloat16: 0.06, torch.float16: 0.02}  # of the largest value, which rounding may change


class Painted(nn.Module):
    """A convolution over images with a skeleton, and their heat maps."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(20, 4, 3)

    def forward(self, images, points, scores):
        painted = draw_skeleton(images, points, scores, 2.0, -2.0, 2.0)
        return self.mix(torch.cat((painted, joint_maps(points, scores, (32, 32), 1.5)), 1))


def face(kind, **sizes):
    return lambda: kind(img_size=32, feature_dim=16, kprpe={}, **sizes)


def contextual():
    return ContextualAttention(timm.layers.Attention(32, num_heads=2), (4, 4))


def modes(module, device):
    parts = module(IMAGES.to(device))
    return torch.cat((parts.points.flatten(1), parts.confidence, module.diversity(parts)[:, None]), 1)


def bottleneck(module, device):
    features, diversity = module(MAPS.to(device))
    return torch.cat((features.flatten(1), diversity[:, None]), 1)


CASES = {
    "iRPE": (contextual, lambda module, device: module(TOKENS.to(device))),
    "modes": (lambda: ModeStem(3, 4), modes),
    "StRA's bottleneck": (lambda: StRABottleneck(128, 32), bottleneck),
    "pooling at joints": (
        lambda: JointPooling(32),
        lambda module, device: module(*(t.to(device) for t in (FEATURES, TOKENS.unflatten(1, (4, 4)), POINTS, SCORES))),
    ),
    "drawn joints": (Painted, lambda module, device: module(*(t.to(device) for t in (IMAGES, 32 * POINTS, SCORES)))),
    "ViT for faces": (
        face(FaceViT, embed_dim=32, depth=2, num_heads=2),
        lambda module, device: module(IMAGES.to(device), FIVE.to(device)),
    ),
    **{
        name: (lambda kind=kind: kind(32, 3), lambda module, device: module(FEATURES.to(device), LABELS.to(device)))
        for name, kind in MARGINS.items()
    },
}


def built(name):
    """A module whose parameters are all away from zero, without drop-out."""
    make, forward = CASES[name]
    torch.manual_seed(0)
    module = make()
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.2)
    for part in module.modules():
        part.__dict__.update({"drop_prob": 0.0} if hasattr(part, "drop_prob") else {})
    return module, forward


@pytest.mark.parametrize("name", CASES)
def test_float32(name):
    module, forward = built(name)
    assert_same_on_cuda(module, forward, rtol=1e-3)


@pytest.mark.parametrize("dtype", SHARE)
@pytest.mark.parametrize("name", CASES)
def test_under_amp(name, dtype):
    """The output is float32's on a CPU but for rounding; gradients are finite."""
    module, forward = built(name)
    module.eval()
    wanted = forward(copy.deepcopy(module), "cpu").detach()
    module.cuda()
    with torch.autocast("cuda", dtype):
        output = forward(module, "cuda").float()
    assert (output.cpu() - wanted).abs().max() <= SHARE[dtype] * wanted.abs().max()
    output.square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)
