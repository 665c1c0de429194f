"""The table of plugins, its command, entry points of other packages, the benchmark and the bias picture."""

import json
from pkgutil import resolve_name
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from plugins import registry
from plugins.__main__ import main
from plugins.benchmarks.speed import kprpe as bench_kprpe


def test_every_builder_loads():
    for plugin in registry.plugins().values():
        assert callable(resolve_name(plugin.builder))


def test_the_command_lists_all(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(plugin.name in out and plugin.summary in out for plugin in registry.BUILT_IN)


def entry(value, name="theirs"):
    def load():
        if isinstance(value, Exception):
            raise value
        return value

    return SimpleNamespace(name=name, value="their.module:plugin", load=load)


def test_other_packages_add_theirs(monkeypatch, capsys):
    theirs = registry.Plugin("theirs", "their host", "math:sqrt", "a square root")
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry(theirs)])
    assert main([]) == 0 and registry.plugins()["theirs"] is theirs
    assert "a square root" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "expected a plugins.registry.Plugin"),
        (registry.BUILT_IN[0], "the name 'kprpe' is taken"),
        (ImportError("no\nx"), "theirs = their.module:plugin: cannot be loaded (ImportError: no x)"),
    ],
)
def test_broken_entry_points_are_named(monkeypatch, capsys, value, message):
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry(value)])
    assert main([]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def tiny(monkeypatch):
    shape = bench_kprpe.Shape(2, 16, 2, 2, 3, 4, 5, 2, windows=(1, 2))
    monkeypatch.setattr(bench_kprpe, "SHAPES", {"tiny": shape})
    return shape


def test_the_benchmark_measures_every_variant(tiny, tmp_path, capsys):
    arguments = ["--repeats", "2", "--shapes", "tiny", "--device", "cpu", "--json", str(tmp_path / "b.json")]
    assert main(["bench", "kprpe", *arguments]) == 0
    written = json.loads((tmp_path / "b.json").read_text())
    result = written["results"]["tiny"]
    for phase in ("forward", "train step"):
        assert set(result[phase]) == set(bench_kprpe.VARIANTS) and result[phase]["none"]["median"] == 1
    naive, ours = (result["bytes of f(P) per image"][f"KP-RPE {which}"] for which in ("naive", "ours"))
    assert naive == 12 * ours  # N times smaller
    assert capsys.readouterr().out.count("| tiny |") == len(bench_kprpe.VARIANTS)


def test_the_benchmarks_naive_formula_equals_ours(tiny):
    naive, ours = (bench_kprpe.Transformer(tiny, f"KP-RPE {which}") for which in ("naive", "ours"))
    nn.init.normal_(naive.linear.weight)
    ours.rpe.load_reference(naive.linear.weight, naive.linear.bias)
    ours.load_state_dict(naive.state_dict(), strict=False)
    x, keypoints = torch.randn(4, 12, 16), torch.rand(2, 5, 2)
    torch.testing.assert_close(ours(x, keypoints), naive(x, keypoints), atol=1e-5, rtol=1e-5)


def test_the_benchmark_leaves_out_what_does_not_differ(tiny):
    assert tiny.variants() == list(bench_kprpe.VARIANTS)
    assert "KP-RPE ours, image grid" not in tiny._replace(windows=(1, 1)).variants()


def test_the_benchmark_names_a_wrong_shape(tiny, capsys):
    assert main(["bench", "kprpe", "--shapes", "tinny"]) == 2
    assert "did you mean 'tiny'" in capsys.readouterr().err
