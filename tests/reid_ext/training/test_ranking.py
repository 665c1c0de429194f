"""Our ranking gives the host's numbers, to the last bit."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reid_ext.host import torchreid
from reid_ext.training import ranking as rank
from reid_ext.training.engines import SoftmaxEngine


def case(seed, queries=23, gallery=70, identities=9, cameras=3):
    chance = np.random.default_rng(seed)
    labels = [chance.integers(0, high, n) for high in (identities, cameras) for n in (queries, gallery)]
    distances = chance.permutation(queries * gallery).reshape(queries, gallery).astype(np.float32)
    return distances, labels[0], labels[1], labels[2], labels[3]


def host(*arguments, **options):
    return torchreid.metrics.rank.evaluate_rank(*arguments, **options, use_cython=False)


def assert_same(arguments, **options):
    cmc, mean_ap = rank.evaluate_rank(*arguments, **options, use_cython=False)
    expected, expected_ap = host(*arguments, **options)
    assert cmc.dtype == expected.dtype and np.array_equal(cmc, expected) and mean_ap == expected_ap
    assert type(mean_ap) is type(expected_ap)


@pytest.mark.parametrize("elements", [1, 200, rank.ELEMENTS])
@pytest.mark.parametrize("seed", range(8))
def test_random_cases_in_chunks_of_any_size(seed, elements, monkeypatch):
    monkeypatch.setattr(rank, "ELEMENTS", elements)
    assert_same(case(seed), max_rank=(1, 5, 20, 60)[seed % 4])


@pytest.mark.parametrize("identities", [1, 40])
def test_many_matches_and_queries_without_any(identities):
    arguments = case(3, gallery=200, identities=identities)
    assert_same(arguments, max_rank=50)
    assert_same(arguments, max_rank=100)


def test_junk_only_and_same_camera():
    """Queries whose images are all junk do not count; junk shifts the ranks of those behind it."""
    distances, q_pids, g_pids, q_camids, g_camids = case(4, gallery=100)
    g_camids[g_pids == q_pids[0]] = q_camids[0]
    assert_same((distances, q_pids, g_pids, q_camids, g_camids), max_rank=10)


def test_ties_fall_as_in_the_host():
    distances, *labels = case(5, queries=40, gallery=300)
    assert_same((np.floor(distances / 50), *labels))


def test_not_a_number():
    distances, *labels = case(6)
    distances[::3, ::4] = np.nan
    assert_same((distances, *labels), max_rank=5)


def test_small_gallery(capsys):
    arguments = case(7, gallery=12)
    for function in (rank.evaluate_rank, host):
        with pytest.raises(ValueError, match="inhomogeneous"):  # the host's, where junk makes curves of unequal length
            function(*arguments)
    assert capsys.readouterr().out.count("gallery samples is quite small, got 12") == 2
    distances, *labels = arguments
    labels[2][:], labels[3][:] = 0, 1
    assert_same((distances, *labels))


def test_curves_of_unequal_length_are_the_hosts_error():
    arguments = case(8, gallery=50)
    for function in (rank.evaluate_rank, host):
        with pytest.raises(ValueError, match="inhomogeneous"):
            function(*arguments, max_rank=50)


@pytest.mark.parametrize("change", ["no identity", "no query"])
def test_no_valid_query(change):
    distances, q_pids, *labels = case(9)
    if change == "no query":
        distances, q_pids, labels[1] = distances[:0], q_pids[:0], labels[1][:0]
    for function in (rank.evaluate_rank, host):
        with pytest.raises(AssertionError, match="all query identities do not appear"):
            function(distances, q_pids + 100, *labels, max_rank=10)


def test_the_host_computes_what_is_its_own(monkeypatch):
    calls = []
    monkeypatch.setattr(torchreid.metrics.rank, "evaluate_rank", lambda *a: calls.append(a) or (None, 0))
    rank.evaluate_rank(*case(0), use_metric_cuhk03=True)
    monkeypatch.setattr(torchreid.metrics.rank, "IS_CYTHON_AVAI", True)
    rank.evaluate_rank(*case(0))
    assert [c[-2:] for c in calls] == [(True, True), (False, True)]


def test_engines_rank_by_it(monkeypatch):
    """The engine's evaluation comes here, and the host's function is back afterwards."""
    before, calls = torchreid.metrics.evaluate_rank, []
    monkeypatch.setattr(rank, "evaluate_rank", lambda *a, **k: calls.append(k) or (np.ones(20), 1.0))
    pids = torch.arange(4)
    batch = {"img": torch.randn(4, 3, 64, 32), "pid": pids, "camid": pids}
    data = SimpleNamespace(
        train_loader=[], test_loader={"x": {"query": [batch], "gallery": [batch]}}, sources=["x"], num_train_pids=4
    )
    model = torchreid.models.build_model("mobilenetv2_x1_0", 4, loss="softmax", pretrained=False, use_gpu=False)
    optimizer = torchreid.optim.build_optimizer(model)
    SoftmaxEngine(data, model, optimizer, use_gpu=False).test()
    assert calls == [{"use_metric_cuhk03": False}] and torchreid.metrics.evaluate_rank is before
