"""Shared fixtures: the reference vectors and the shipped pedestrians."""
from pathlib import Path

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
