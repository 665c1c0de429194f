"""The Triton kernels for CUDA against the sums for a CPU: by Triton's interpreter, so that no device is needed."""

import json
import os
import subprocess
import sys

import pytest

COMPARE = """
import json, torch
from plugins.stra import bands, kernels

torch.manual_seed(0)
compared = []
for kernel_size, height, width, channels, dtype in {cases}:
    dtype = getattr(torch, dtype)
    weights = torch.randn(2, kernel_size**2, height, width, dtype=dtype)
    one, other = torch.randn(2, 2, channels, height, width, dtype=dtype)
    for name, given in {{
        "gather_sum": (weights, one), "scatter_sum": (weights, one), "neighbour_products": (one, other)
    }}.items():
        found = getattr(kernels, name)(*given, kernel_size)
        wanted = getattr(bands, name)(*(t.double() for t in given), kernel_size)
        torch.testing.assert_close(found, wanted.to(dtype))
        compared.append(name)
print(json.dumps(compared))
"""
ONE = [(3, 9, 8, 17, "float64")]  # more nodes than one program takes, and more channels
ALL = [
    (kernel_size, *shape, dtype)
    for kernel_size in (1, 3, 5)
    for shape in ((4, 3, 3), (1, 1, 2), (16, 8, 20))
    for dtype in ("float64", "float32", "bfloat16")
]


@pytest.mark.parametrize("cases", [ONE, pytest.param(ALL, marks=pytest.mark.slow)], ids=["one", "all"])
def test_kernels_equal_the_bands(cases):
    pytest.importorskip("triton", reason="Triton is not installed")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # read when Triton is imported: a process of its own
    done = subprocess.run(
        [sys.executable, "-c", COMPARE.format(cases=cases)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 3 * len(cases)
