"""Comparing the embedded host with OpenGait: the same seed, nested results."""

import random

import numpy as np
import pytest
import torch

BACKBONE = {"in_channels": 1, "layers": [1, 1, 1, 1], "channels": [8, 12, 16, 20]}
NECKS = {"in_channels": 256, "class_num": 5, "parts_num": 16}


def seed(number):
    """Seed everything that a host draws from."""
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def assert_same(a, b, exactly=True):
    """Compare nested results, numbers to 1e-5 unless ``exactly``."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key], exactly)
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y, exactly)
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, **({"atol": 0, "rtol": 0} if exactly else {"atol": 1e-5, "rtol": 1e-5}))
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, float):
        assert a == pytest.approx(b, abs=1e-6)
    else:
        assert a == b
