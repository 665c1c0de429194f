"""SwinGait-2D's table of `bench gpu`, at a tiny size on a CPU."""

import pytest
import torch

from opengait_ext.benchmarks.speed import gpu
from plugins.benchmarks.gpu import throughput
from plugins.benchmarks.gpu.throughput import PRECISIONS


@pytest.mark.slow
def test_every_form_in_every_precision(monkeypatch):
    monkeypatch.setattr(throughput, "WARM_UP", 0)
    parts = gpu.parts(torch.device("cpu"), 1, size="small", sequences=2, frames=2)
    rows = [row for part in parts for row in part()]
    names = [gpu.NAME, *(gpu.NAME + suffix for suffix in gpu.FORMS)]
    assert [(row["network"], row["precision"]) for row in rows] == [(n, p) for p in PRECISIONS for n in names]
    assert all(row["images"] == 4 and row["batch"] == "2 x 2" for row in rows)
