"""KP-RPE in OpenGait's windows, against attention written query by query, in the host's blocks and in ours."""

import sys

import pytest
import torch
from attention_networks import JOINTS, randomise
from naive_attention import naive_windows
from torch import nn

from opengait_ext.models import windows  # noqa: F401, registers the adapter
from plugins.errors import KpstraError
from plugins.kprpe import inject_kprpe
from plugins.kprpe.position.table import FORMULATIONS

pytest_plugins = ["host_folders"]


def injected(window, size, ours=False, **settings):
    """A block with shifted windows, its handle and its mask for features (frames, rows, columns)."""
    from modeling.models.swingait import SwinTransformerBlock3D, compute_mask, get_window_size

    sys.modules.pop("opengait_ext.models.blocks", None)  # that of another host's classes
    from opengait_ext.models.blocks import FusedBlock, use_fused

    shift = tuple(side // 2 for side in window)
    network = nn.Sequential(SwinTransformerBlock3D(8, 2, window_size=window, shift_size=shift, qkv_bias=True))
    if ours:
        use_fused(network, FusedBlock)
    handle = inject_kprpe(network.double().eval(), {"num_keypoints": JOINTS, "feature_size": size[1:], **settings})
    randomise(handle)
    used, shift = get_window_size(size, window, shift)
    padded = [-(-n // side) * side for n, side in zip(size, used, strict=True)]
    return network[0], handle, shift, compute_mask(*padded, used, shift, torch.device("cpu"))


@pytest.mark.parametrize("formulation", [name for name in FORMULATIONS if name != "none"])
@pytest.mark.parametrize(
    ("window", "size", "ours"),
    [((1, 3, 5), (3, 6, 10), True), ((3, 3, 5), (6, 3, 10), True), ((1, 2, 3), (2, 5, 4), False)],
    ids=["one frame", "three frames", "padded"],
)
def test_blocks_equal_the_naive_loop(host, formulation, window, size, ours):
    block, handle, shift, mask = injected(window, size, ours, formulation=formulation, grid="image")
    x, points = torch.randn(2, *size, 8).double(), torch.rand(2, size[0], JOINTS, 2).double()
    confidence = torch.rand(2, size[0], JOINTS).double()
    with torch.no_grad(), handle.set_keypoints(points, confidence):
        out = block(x, mask)
        for sequence in range(2):
            given = block.norm1(x[sequence])
            attended = naive_windows(block.attn, given, points[sequence], confidence[sequence], shift, True)
            expected = x[sequence] + attended
            torch.testing.assert_close(out[sequence], expected + block.mlp(block.norm2(expected)))


@pytest.mark.parametrize("grid", ["window", "image"])
@pytest.mark.parametrize("sets", [1, 2, 3, 8])
def test_keypoints_of_another_batch(embedded, grid, sets):
    block, handle, _, mask = injected((1, 3, 5), (3, 6, 10), ours=True, grid=grid)
    message = f"keypoints of {3 * sets} images, but features of 12"
    with pytest.raises(KpstraError, match=message), handle.set_keypoints(torch.rand(sets, 3, JOINTS, 2)):
        block(torch.randn(4, 3, 6, 10, 8).double(), mask)


def test_another_size_and_a_missing_one(embedded):
    block, handle, _, mask = injected((1, 3, 5), (3, 6, 10), ours=True)
    message = "10 windows of features, but maps of 6 x 10 tokens have 12 in 3 frames"
    with pytest.raises(KpstraError, match=message), handle.set_keypoints(torch.rand(1, 3, JOINTS, 2)):
        block(torch.randn(1, 5, 3, 10, 8).double(), mask[:2])
    handle.remove()
    with pytest.raises(KpstraError, match=r"0.attn \(FusedAttention\): kprpe.feature_size: missing"):
        inject_kprpe(nn.Sequential(block), {"num_keypoints": JOINTS})


@pytest.mark.parametrize(("window", "grid"), [([1, 3, 5], "window"), ([1, 3, 5], "image"), ([3, 3, 5], "window")])
@pytest.mark.parametrize("frames", [2, 4])
def test_a_frames_joints_reach_its_windows_alone(host, window, grid, frames):
    from modeling.models.swingait import SwinTransformer3D

    network = SwinTransformer3D(
        patch_size=[1, 2, 2],
        in_chans=4,
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=window,
        drop_path_rate=0.0,
        patch_norm=True,
        downsample=[1, 0],
    )
    network.norm = nn.LayerNorm(32)  # the host fixes it to the published width
    network.eval()
    x, points = torch.randn(2, 4, frames, 30, 20), torch.rand(2, frames, 17, 2)
    with torch.no_grad():
        before = network(x)
        handle = inject_kprpe(network, {"num_keypoints": 17}, mode="add", grid=grid, feature_size=(15, 10))
        with handle.set_keypoints(points):
            torch.testing.assert_close(network(x), before, atol=1e-5, rtol=1e-4)
        randomise(handle)
        moved = points.clone()
        moved[0, 0, 3] += 0.2
        with handle.set_keypoints(points):
            here = network(x)
        with handle.set_keypoints(moved):
            there = network(x)
    changed = (there - here).abs().amax(dim=(1, 3, 4)) > 1e-6  # B, T
    assert changed[0, 0] and not changed[1].any()
    if window[0] == 1:
        assert not changed[0, 1:].any()  # a frame's joints touch that frame alone
