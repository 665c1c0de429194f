"""Images per second of networks in turn; the tables of the plugins at a tiny size on a CPU."""

import pytest
import torch
from torch import nn

from plugins.benchmarks.gpu import attention, transformers
from plugins.benchmarks.gpu.throughput import PHASES, PRECISIONS, measure
from plugins.benchmarks.speed import kprpe, stra
from plugins.benchmarks.speed.measure import LEAST, interleaved

CPU = torch.device("cpu")


def test_rows_say_what_was_run():
    calls = []
    networks = {"a": nn.Linear(1, 1), "b": nn.Linear(1, 1)}
    steps = {phase: (lambda net, phase=phase: calls.append((phase, net))) for phase in PHASES}
    rows = measure(networks, steps, 8, 4, 60.0, "x", batch=8)
    assert [(row["network"], row["images"], row["batch"]) for row in rows] == [("a", 8, 8), ("b", 8, 8)]
    for row in rows:
        for phase in PHASES:
            assert row[phase]["rounds"] == 4 and row[phase]["peak bytes"] is None
            assert row[phase]["images per second"] == pytest.approx(8 / row[phase]["seconds"])
    assert rows[0]["forward"]["over"]["median"] == 1
    assert calls[:2] == [("forward", networks["a"]), ("forward", networks["b"])]


def test_a_limit_leaves_three_rounds():
    assert len(interleaved({"a": lambda: None}, 9, "x", 2, 0.0)["a"]) == LEAST
    assert len(interleaved({"a": lambda: None}, 2, "x", 0, 0.0)["a"]) == 2


def test_transformers_of_every_bias_and_precision(monkeypatch):
    monkeypatch.setattr(transformers, "BATCH", 2)
    monkeypatch.setitem(kprpe.SHAPES, "ViT-S", kprpe.Shape(1, 32, 2, 2, 4, 4, 5, 2))
    rows = [row for part in transformers.parts(CPU, 1, ("ViT-S",)) for row in part()]
    blocks = {row["network"] for row in rows if "blocks" in row["network"]}
    assert blocks == {f"ViT-S blocks{suffix}" for suffix in transformers.VARIANTS}
    assert {row["network"] for row in rows} - blocks == {f"timm ViT-S{s}" for s in transformers.INJECTED}
    assert {row["precision"] for row in rows} == set(PRECISIONS)


def test_attention_in_both_layouts(monkeypatch):
    monkeypatch.setitem(stra.SHAPES, attention.SHAPE, stra.Shape(16, 4, 5, 4, 2))
    rows = [row for part in attention.parts(CPU, 1, (2,)) for row in part()]
    assert {(row["layout"], row["precision"]) for row in rows} == {
        (layout, precision) for layout in attention.LAYOUTS for precision in PRECISIONS
    }
    assert [row["network"] for row in rows[:3]] == ["3x3 convolution", "StRA", "StRA, formula written out"]
