"""Injection into OpenGait's own window transformer, where a checkout is at hand."""

import importlib.util
import os
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

from opengait_ext.models import windows  # noqa: F401, registers the adapter
from plugins.kprpe import inject_kprpe


def stand_in(name):
    """Whatever OpenGait's other classes are built from."""
    if name.startswith("__"):
        raise AttributeError(name)
    return object


@pytest.fixture(scope="module")
def opengait():
    """OpenGait's own window transformer, loaded from a checkout without its package imports."""
    home = os.environ.get("OPENGAIT_HOME")
    if not home:
        pytest.skip("OPENGAIT_HOME does not point at a checkout of OpenGait")
    root = Path(home) / "opengait" / "modeling"
    package = types.ModuleType("opengait_modeling")
    package.__path__ = [str(root)]
    base = types.ModuleType("opengait_modeling.base_model")
    base.BaseModel = object
    models = types.ModuleType("opengait_modeling.models")
    models.__path__ = [str(root / "models")]
    modules = types.ModuleType("opengait_modeling.modules")
    modules.__getattr__ = stand_in
    added = {m.__name__: m for m in (package, base, models, modules)}
    sys.modules.update(added)
    name = "opengait_modeling.models.swingait"
    spec = importlib.util.spec_from_file_location(name, root / "models" / "swingait.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(root.parent))  # for its top-level `utils`
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(root.parent))
    return module


@pytest.mark.parametrize(("window", "grid"), [([1, 3, 5], "window"), ([1, 3, 5], "image"), ([3, 3, 5], "window")])
@pytest.mark.parametrize("frames", [2, 4])
def test_opengaits_window_transformer(opengait, window, grid, frames):
    network = opengait.SwinTransformer3D(
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
        for p in handle.parameters():
            nn.init.normal_(p, 0, 0.5)
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
