"""Every adapter and every formulation, against attention written query by query and key by key."""

import pytest
import timm
import torch
from attention_networks import JOINTS, randomise, swin, swin3d, swin_v2, timm_swin, timm_swin_v2, timm_vit
from attention_networks import vit_of_torchvision as torchvision_vit
from naive_attention import attended, naive_windows
from naive_kprpe import table_of

from plugins.kprpe import inject_kprpe
from plugins.kprpe.position.table import FORMULATIONS

BIASES = [name for name in FORMULATIONS if name != "none"]


def prepared(network, formulation, grid=None):
    network = network.double().eval()
    handle = inject_kprpe(network, {"num_keypoints": JOINTS}, formulation=formulation, grid=grid)
    randomise(handle)
    return network, handle


def some(*shape):
    return torch.randn(*shape).double(), torch.rand(shape[0], JOINTS, 2).double(), torch.rand(shape[0], JOINTS).double()


@pytest.mark.parametrize("grid", ["window", "image"])
@pytest.mark.parametrize("formulation", BIASES)
@pytest.mark.parametrize("build", [swin, swin_v2])
def test_torchvisions_windows(build, formulation, grid):
    network, handle = prepared(build(), formulation, grid)
    attention = network.features[1][1].attn
    x, points, confidence = some(2, 6, 5, 16)
    with torch.no_grad(), handle.set_keypoints(points, confidence):
        out = attention(x)
        for b in range(2):
            expected = naive_windows(attention, x[b, None], points[b, None], confidence[b, None], (0, 2, 2), True)
            torch.testing.assert_close(out[b, None], expected)


@pytest.mark.parametrize("formulation", BIASES)
def test_torchvisions_windows_over_time(formulation):
    network, handle = prepared(swin3d(), formulation, "image")
    attention = network.features[0][1].attn
    assert attention.shift_size == [1, 2, 2]
    x, points, confidence = some(3, 5, 6, 16)
    with torch.no_grad(), handle.set_keypoints(points[None], confidence[None]):
        out = attention(x[None])[0]
        expected = naive_windows(attention, x, points, confidence, (1, 2, 2), True)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("grid", ["window", "image"])
@pytest.mark.parametrize("formulation", BIASES)
@pytest.mark.parametrize("build", [timm_swin, timm_swin_v2])
def test_timms_windows(build, formulation, grid):
    network, handle = prepared(build(size=(12, 10)), formulation, grid)
    block = network.layers[0].blocks[1]
    assert block.input_resolution == (6, 5) and tuple(block.shift_size) == (2, 2)
    x, points, confidence = some(2, 6, 5, 16)
    with torch.no_grad(), handle.set_keypoints(points, confidence):
        out = block._attn(x)
        for b in range(2):
            expected = naive_windows(block.attn, x[b, None], points[b, None], confidence[b, None], (0, 2, 2), False)
            torch.testing.assert_close(out[b, None], expected)


@pytest.mark.parametrize("formulation", BIASES)
@pytest.mark.parametrize("build", [timm_vit, torchvision_vit])
def test_vision_transformers(build, formulation):
    network, handle = prepared(build(), formulation)
    attention = list(handle.attentions.values())[1]
    x, points, confidence = some(2, 17, 32)
    rpe, prefix = attention.kprpe, attention.kprpe.prefix[0]
    with torch.no_grad(), handle.set_keypoints(points, confidence):
        out = attention(x) if isinstance(network, timm.models.VisionTransformer) else attention(x, x, x, False)[0]
        for b in range(2):
            bias = torch.zeros(2, 17, 17).double()
            bias[:, 0, 0], bias[:, 0, 1:], bias[:, 1:, 0] = prefix[:, 2], prefix[:, :1], prefix[:, 1:2]
            for i in range(16):
                m = torch.tensor([(i % 4 + 0.5) / 4, (i // 4 + 0.5) / 4]).double()
                table = table_of(rpe, m, points[b], confidence[b], 0)
                for j in range(16):
                    bias[:, i + 1, j + 1] = table[:, rpe.index[i + 1, j + 1]]
            torch.testing.assert_close(out[b], attended(attention, x[b], bias))
