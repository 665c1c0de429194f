"""The authors' code of KP-RPE, of a checkout that CVLFACE_HOME names."""

import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

import pytest

MODELS = "cvlface/research/recognition/code/run_v1/models"
RPE = {
    "name": "KPRPE_shared",
    "rpe_on": "k",
    "shared_head": True,
    "mode": "ctx",
    "method": "product",
    "ratio": 1.9,
    "ctx_type": "rel_keypoint_splithead_unshared",
    "num_keypoints": 5,
}
IRPE = {"name": "iRPE", "rpe_on": "qkv", "shared_head": True, "mode": "ctx", "method": "product", "ratio": 1.9}


class Settings(dict):
    """A mapping with attributes, as their code takes it."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


def vit_kprpe() -> ModuleType:
    """Import their ViT with KP-RPE alone, without building its CUDA operator."""
    return _vit("vit_kprpe")


def vit_irpe() -> ModuleType:
    """Import their ViT with iRPE alone, without building its CUDA operator."""
    return _vit("vit_irpe")


def _vit(name: str) -> ModuleType:
    if not os.environ.get("CVLFACE_HOME"):
        pytest.skip("CVLFACE_HOME does not name a checkout of CVLface")
    package = ModuleType(f"cvlface_{name}")
    package.__path__ = [str(Path(os.environ["CVLFACE_HOME"]) / MODELS / name)]
    operator = SimpleNamespace(RPEIndexFunction=None)  # where it cannot be imported, their code installs it
    known = {
        package.__name__: package,
        f"{package.__name__}.RPE.rpe_ops.rpe_index": operator,
        "easydict": SimpleNamespace(EasyDict=Settings),
    }
    with patch.dict(sys.modules, known):
        return import_module(f"{package.__name__}.vit")
