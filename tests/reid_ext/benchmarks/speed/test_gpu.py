"""ResNet50's table of `bench gpu`, with stand-ins for the networks on a CPU."""

import pytest
import torch

from plugins.benchmarks.gpu import throughput
from plugins.benchmarks.gpu.attention import LAYOUTS
from plugins.benchmarks.gpu.throughput import PRECISIONS
from reid_ext.benchmarks.speed import gpu


@pytest.mark.slow
def test_every_layout_and_precision(monkeypatch):
    monkeypatch.setattr(throughput, "WARM_UP", 0)
    monkeypatch.setattr(gpu, "NETWORKS", ("mobilenetv2_x1_0", "mobilenetv2_x1_0_stra"))
    rows = [row for part in gpu.parts(torch.device("cpu"), 1, (2,), (64, 32)) for row in part()]
    settings = [(layout, precision) for layout in LAYOUTS for precision in PRECISIONS]
    assert [(row["layout"], row["precision"]) for row in rows[::2]] == settings
    assert [row["network"] for row in rows[:2]] == list(gpu.NETWORKS)
