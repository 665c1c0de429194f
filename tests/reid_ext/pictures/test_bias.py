"""The picture of KP-RPE's biases on crops: which biases are drawn, under which joints."""

import numpy as np
import pytest
import torch

import reid_ext
from plugins.errors import KpstraError
from plugins.kprpe import draw
from reid_ext.data.keypoints import CropKeypoints, find_keypoints
from reid_ext.host import torchreid
from reid_ext.models import backbones
from reid_ext.models.options import building
from reid_ext.pictures.bias import draw_biases, has_biases

SIZE = (64, 32)


def network(name, monkeypatch):
    reid_ext.register()
    monkeypatch.setitem(backbones.BACKBONES, "vit_tiny_patch16", ("vit_tiny_patch16_224", {"depth": 2}))
    with building(SIZE):
        model = torchreid.models.build_model(name, 2, pretrained=False).eval()
    for parameter in model.kprpe.parameters():
        torch.nn.init.normal_(parameter)
    return model


def test_biases_of_the_first_layer_under_each_crop_s_joints(market_root, monkeypatch, tmp_path):
    """As in a forward with these joints: the mask that the first attention gets, mean over heads."""
    images = sorted((market_root / "market1501" / "Market-1501-v15.09.15" / "query").glob("*.jpg"))[:3]
    path = str(market_root / "market_keypoints.json")
    keypoints = CropKeypoints(find_keypoints(path, map(str, images), "data.keypoints"))
    model, drawn, masks = network("vit_tiny_patch16_kprpe", monkeypatch), {}, []

    def noted(biases, grid, queries, points, crops, titles):
        drawn.update(biases=biases, points=points, crops=crops)
        return draw_bias(biases, grid, queries, points, crops, titles)

    draw_bias = draw.draw_bias
    monkeypatch.setattr(draw, "draw_bias", noted)
    assert draw_biases(model, images, keypoints, SIZE, tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")
    pixels = np.stack([keypoints[str(image)] for image in images])
    np.testing.assert_allclose(drawn["points"], (pixels[..., :2] + 0.5) / [64, 128], atol=1e-5)
    first = model.backbone.blocks[0].attn
    monkeypatch.setattr(
        type(first), "host_forward", lambda self, x, attn_mask=None, **_: masks.append(attn_mask) or torch.zeros_like(x)
    )
    at = np.concatenate([drawn["points"].numpy() * [32, 64] - 0.5, pixels[..., 2:]], 2)
    with torch.no_grad():
        model(torch.randn(3, 3, *SIZE), torch.from_numpy(at).float())
    torch.testing.assert_close(drawn["biases"], masks[0][:, :, 1:, 1:].mean(1), atol=1e-5, rtol=1e-4)
    assert [crop.shape for crop in drawn["crops"]] == [(*SIZE, 3)] * 3


@pytest.mark.parametrize(
    ("name", "kprpe", "drawn"),
    [
        ("vit_tiny_patch16_kprpe", {}, True),
        ("vit_tiny_patch16_kprpe", {"formulation": "none", "rotary": "body"}, False),
        ("vit_tiny_patch16", {}, False),
        ("vit_tiny_patch16_modes", {}, False),
    ],
)
def test_which_networks_have_biases_to_draw(name, kprpe, drawn, monkeypatch):
    reid_ext.register()
    monkeypatch.setitem(backbones.BACKBONES, "vit_tiny_patch16", ("vit_tiny_patch16_224", {"depth": 2}))
    with building(SIZE, kprpe):
        assert has_biases(torchreid.models.build_model(name, 2, pretrained=False)) == drawn


def test_windows_are_refused(market_root, monkeypatch, tmp_path):
    small = {"embed_dim": 24, "depths": (1, 1), "num_heads": (2, 4)}
    monkeypatch.setitem(backbones.BACKBONES, "swin_tiny", ("swin_tiny_patch4_window7_224", small))
    with pytest.raises(KpstraError, match="its attention has windows"):
        draw_biases(network("swin_tiny_kprpe", monkeypatch), [], None, SIZE, tmp_path / "b.png")
