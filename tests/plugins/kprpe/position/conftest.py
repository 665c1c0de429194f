"""Every table both ways: multiplied out, as on a CPU, and by the formula itself, as on CUDA."""

import pytest

from plugins.kprpe.position import direct


@pytest.fixture(params=[False, True], ids=["expanded", "direct"])
def both_ways(request, monkeypatch):
    monkeypatch.setattr(direct, "suits", lambda device: request.param)
