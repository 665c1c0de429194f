"""Networks with every form as ONNX files: the outputs are torch's, for another batch too."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from plugins.common.onnx import export_onnx
from plugins.kprpe import inject_kprpe

pytest.importorskip("onnxruntime")
L = 4


class Network(nn.Module):
    def __init__(self, network, settings):
        super().__init__()
        self.network = network
        self.handle = inject_kprpe(network, {"num_keypoints": L, **settings})
        self.handle.fit_pose(torch.rand(20, L, 2))

    def forward(self, images, keypoints, confidence):
        with self.handle.set_keypoints(keypoints, confidence):
            return self.network(images)


def vit():
    return timm.models.VisionTransformer(32, 8, 3, 6, embed_dim=16, depth=1, num_heads=2)


def swin():
    return torchvision.models.SwinTransformer([4, 4], 16, [2], [2], [4, 4], stochastic_depth_prob=0.0, num_classes=6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "settings"),
    [
        (vit, {"formulation": "second_order", "standardised": True}),
        pytest.param(vit, {"formulation": "nonlinear", "standardised": True, "rotary": "body"}, marks=pytest.mark.slow),
        pytest.param(swin, {"formulation": "second_order", "rotary": "body"}, marks=pytest.mark.slow),
        pytest.param(swin, {"formulation": "nonlinear"}, marks=pytest.mark.slow),
        pytest.param(swin, {"formulation": "none", "rotary": "body"}, marks=pytest.mark.slow),
    ],
    ids=lambda value: value.__name__ if callable(value) else "-".join(map(str, value.values())),
)
def test_every_form(build, settings, tmp_path):
    torch.manual_seed(0)
    network = Network(build(), settings)
    for p in network.parameters():
        nn.init.normal_(p, 0, 0.2)

    def inputs(batch):
        return {
            "images": torch.randn(batch, 3, 32, 32),
            "keypoints": torch.rand(batch, L, 2),
            "confidence": torch.rand(batch, L),
        }

    difference = export_onnx(network, inputs(2), [inputs(3)], ("batch",), "logits", tmp_path / "x.onnx")
    assert difference < 1e-4 and (tmp_path / "x.onnx").is_file()
