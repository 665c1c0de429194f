"""NaN and infinite values are found where they are."""

import numpy as np
import pytest
import torch

from plugins.common.numerics import first_nonfinite, nonfinite_rows, require_finite
from plugins.errors import KpstraError


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 2, 3)])
@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_rows(shape, kind):
    values = np.zeros(shape, np.float32)
    values[1, ...] = np.inf
    values[3:4].reshape(-1)[-1] = np.nan
    values = torch.from_numpy(values) if kind == "torch" else values
    assert nonfinite_rows(values) == [1, 3] and first_nonfinite(values) == 1 and first_nonfinite(values[:1]) is None


def test_empty_and_whole_numbers():
    assert nonfinite_rows(np.zeros((0, 3))) == [] and nonfinite_rows(np.zeros((3, 0))) == []
    assert nonfinite_rows(np.ones((2, 2), np.uint8)) == [] and nonfinite_rows(torch.ones(2, dtype=torch.int64)) == []


def test_require_finite():
    tensors = {name: torch.ones(2) for name in "abcde"} | {"count": torch.tensor(3)}
    require_finite(tensors.items(), "x.pt")
    require_finite([], "x.pt")
    for name in "abde":
        tensors[name][1] = float("nan")
    with pytest.raises(KpstraError, match=r"^x.pt: not finite \(NaN or infinite\): a, b, d and 1 more$"):
        require_finite(tensors.items(), "x.pt")
