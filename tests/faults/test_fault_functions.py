"""Public functions with arguments of other shapes, types and values: the outputs that they promise, or one error."""

import math

import numpy as np
import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_ext.data.prepare.poses import fill_absent
from plugins.errors import KpstraError
from plugins.kprpe import inject_kprpe
from plugins.kprpe.position.global_grid import KeypointRPE
from plugins.stra import StRAttention

STRA, KPRPE = "StRAttention: any arguments and feature maps", "KP-RPE: any arguments, keypoints and confidences"
JOINTS = "filling in joints: any values"
ERROR, RIGHT = "error names the argument", "right shape, finite"
SIZES = st.sampled_from([-1, 0, 1, 2, 3, 5, 8, 16])
TYPES = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.uint8])
SPECIAL = [0.0, 1.0, -1.0, 0.5, 1e30, -1e30, math.nan, math.inf, -math.inf]


def tensors(draw, shape):
    """Values of any kind in a tensor of this shape, of any type."""
    chosen = draw(st.lists(st.sampled_from(SPECIAL), min_size=1, max_size=3))
    values = torch.tensor(chosen).repeat(math.prod(shape) // len(chosen) + 1)[: math.prod(shape)].reshape(shape)
    kind = draw(TYPES)
    return (values if kind.is_floating_point else values.nan_to_num(0, 1, 0).clamp(0, 1)).to(kind)


def harmless(tensor):
    """Whether a finite result is owed."""
    return bool((tensor.float().abs() <= 1).all())


@given(data=st.data())
def test_stra(data, record):
    draw = data.draw
    sound = draw(st.booleans())
    arguments = {
        "channels": draw(st.sampled_from([16, 32]) if sound else SIZES),
        "groups": draw(st.sampled_from([1, 2, 4]) if sound else SIZES),
        "kernel_size": draw(st.sampled_from([1, 3, 5]) if sound else SIZES),
        "operator": draw(st.sampled_from(["local", "conv", "group_conv", "sasa"] + ["locl"] * (not sound))),
        "gate": draw(st.sampled_from(["sigmoid", "softmax"] + ["none"] * (not sound))),
    }
    sizes = st.integers(int(sound), 7)
    shape = [draw(sizes), max(arguments["channels"], 0), draw(sizes), draw(sizes)]
    if not sound and draw(st.booleans()):
        shape = shape[: draw(st.integers(0, 4))]
    x = tensors(draw, shape)
    network = None
    try:
        network = StRAttention(**arguments).eval()
        y, diversity = network(x)
    except KpstraError as error:
        assert str(error) and "\n" not in str(error)
        record(STRA, ERROR)
    except RuntimeError as error:
        assert network and x.dtype != torch.float32 and "type" in str(error)
        record(STRA, "torch's own error names the types")
    else:
        assert y.shape == x.shape and diversity.shape == x.shape[:1] and diversity.dtype == torch.float32
        assert torch.isfinite(y).all() or not harmless(x)  # NaN is passed on, and found by the engines
        record(STRA, RIGHT)


@given(data=st.data())
def test_kprpe(data, record):
    draw = data.draw
    joints, grid = draw(SIZES), (draw(SIZES), draw(SIZES))
    arguments = {
        "num_heads": draw(SIZES),
        "num_layers": draw(st.sampled_from([0, 1, 2])),
        "formulation": draw(st.sampled_from(["multihead", "relative", "absolute", "static", "x"])),
        "distance": draw(st.sampled_from(["product", "euclidean", "quant", "cross", "x"])),
        "ratio": draw(st.sampled_from([1.9, 1.9, 0.0, -1.0, math.nan, math.inf, 1e-9])),
    }
    shape = [draw(st.integers(0, 3)), max(joints, 0), draw(st.sampled_from([2, 2, 2, 3]))]
    points, confidence = tensors(draw, shape), tensors(draw, shape[:-1]) if draw(st.booleans()) else None
    try:
        table = KeypointRPE(joints, grid, **arguments)
        bias = table.bias(table.factors(points, confidence), 0)
    except KpstraError as error:
        assert str(error) and "\n" not in str(error)
        record(KPRPE, ERROR)
    else:
        assert bias.shape[-2:] == (grid[0] * grid[1],) * 2 and bool(torch.isfinite(bias).all())
        record(KPRPE, RIGHT)


@pytest.fixture(scope="module")
def network():
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=1, num_classes=3).eval()
    return model, inject_kprpe(model, num_keypoints=5, config={})


@given(data=st.data())
def test_keypoints_of_a_network(data, network, record):
    draw, (model, handle) = data.draw, network
    shape = [draw(st.integers(1, 3)), draw(st.sampled_from([4, 5])), draw(st.sampled_from([2, 3]))]
    if draw(st.booleans()):
        shape = [2, 5, 2]
    points, confidence = tensors(draw, shape), tensors(draw, shape[:-1]) if draw(st.booleans()) else None
    try:
        with torch.no_grad(), handle.set_keypoints(points, confidence):
            y = model(torch.zeros(2, 3, 32, 32))
    except KpstraError as error:
        assert "KP-RPE" in str(error) and "\n" not in str(error)
        record(KPRPE, ERROR)
    else:
        assert y.shape == (2, 3) and torch.isfinite(y).all()
        record(KPRPE, RIGHT)


@given(data=st.data())
def test_filling_in_joints(data, record):
    shape = (data.draw(st.integers(1, 4)), 17, 3)
    values = data.draw(st.lists(st.floats(width=32) | st.sampled_from(SPECIAL), min_size=1, max_size=40))
    joints = np.resize(np.float32(values), shape)
    filled, absent = fill_absent(joints, (64, 44))
    assert filled.shape == shape and np.isfinite(filled).all() and 0 <= absent <= joints.shape[0] * 17
    record(JOINTS, RIGHT)
