"""Shared fixtures: one seed for every test, and the shipped pedestrians."""

import os
from pathlib import Path

# Small tensors: one thread each is faster than two, and far faster where test processes share the cores.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import quick_environment  # noqa: F401
import torch


@pytest.fixture
def market_root() -> Path:
    """Root of the shipped crops in Market-1501's layout."""
    return Path(__file__).parent / "data" / "pets-mini"


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
