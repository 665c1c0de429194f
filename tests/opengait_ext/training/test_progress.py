"""What a run says of its time: after the first iteration, and of days on a CPU."""

from types import SimpleNamespace

import pytest

from opengait_ext.training import progress
from opengait_ext.training.progress import Progress, clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0:00:00"),
        (59.6, "0:01:00"),
        (3661, "1:01:01"),
        (47 * 3600, "47:00:00"),
        (8 * 86400 + 3660, "8 days 1:01 h"),
    ],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


class Base:
    def train_step(self, loss_sum):
        self.iteration += 1
        return True


class Run(Progress, Base):
    def __init__(self, total, began):
        self.iteration, self.engine_cfg, self.said = 0, {"total_iter": total, "log_iter": 2}, []
        self.started, self.progress = (0, began), SimpleNamespace(update=lambda: None)
        log = {
            f"log_{level}": lambda text, level=level: self.said.append((level, text)) for level in ("info", "warning")
        }
        self.msg_mgr = SimpleNamespace(**log)


@pytest.mark.parametrize(("cuda", "level"), [(False, "warning"), (True, "info")])
def test_the_first_iteration(monkeypatch, cuda, level):
    """12 s an iteration: 60,000 of them are 8 days, of which a run on a CPU is warned."""
    now = iter([112.0, 124.0, 136.0, 148.0])
    monkeypatch.setattr(progress, "uses_cuda", lambda: cuda)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    run = Run(60_000, 100.0)
    for _ in range(4):
        run.train_step(None)
    (first, *others) = run.said
    assert first[0] == level and "first iteration: 12.0 s; 59999 more at this pace: ETA 8 days 7:59 h" in first[1]
    assert ("trainer_cfg.total_iter" in first[1]) is not cuda
    assert others == [("info", "0.08 iterations/s, ETA 8 days 7:59 h")] * 2
