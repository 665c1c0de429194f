"""Shared fixtures: the reference vectors and the shipped pedestrians."""
import os
from pathlib import Path

# Small tensors: one thread each is faster than two, and far faster where test processes share the cores.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
import torch

TESTS = Path(__file__).parent


def golden(name: str) -> dict:
    """Load reference vectors as tensors, keyed by name."""
    with np.load(TESTS / "golden" / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


@pytest.fixture
def market_root() -> Path:
    """Root of the shipped crops in Market-1501's layout."""
    return TESTS / "data" / "pets-mini"


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
