"""Shipped recordings to prepare."""

import shutil

import pytest
from prepare_runs import RAW, A, B


@pytest.fixture
def raw(tmp_path):
    """A copy of two sequences that a test may spoil."""
    for kind in ("2D_Silhouettes", "2D_Poses"):
        for name in (A, B):
            shutil.copytree(RAW / kind / name, tmp_path / kind / name)
    return tmp_path
