"""Our ranking gives the host's numbers, to the last bit."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from plugins.errors import KpstraError
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


def naive(distmat, q_pids, g_pids, q_camids, g_camids, max_rank):
    """CMC and mAP by two loops; behind its gallery's end a query's curve stays 1."""
    curves, precisions = [], []
    for row, pid, camera in zip(distmat, q_pids, q_camids, strict=True):
        kept = [g for g in np.argsort(row) if g_pids[g] != pid or g_camids[g] != camera]
        hits = [g_pids[g] == pid for g in kept]
        if any(hits):
            first = hits.index(True)
            curves.append([float(rank >= first) for rank in range(max_rank)])
            precisions.append(np.mean([sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit]))
    return np.mean(curves, axis=0), np.mean(precisions)


@pytest.mark.parametrize(("gallery", "max_rank"), [(12, 50), (50, 50), (52, 50), (30, 31)])
def test_galleries_of_unequal_length_equal_two_loops(gallery, max_rank):
    arguments = case(8, gallery=gallery)
    with pytest.raises(ValueError, match="inhomogeneous"):
        host(*arguments, max_rank=max_rank)
    cmc, mean_ap = rank.evaluate_rank(*arguments, max_rank=max_rank)
    expected, expected_ap = naive(*arguments, max_rank)
    np.testing.assert_allclose(cmc, expected, rtol=1e-6)
    assert mean_ap == pytest.approx(expected_ap) and cmc[-1] == 1


def test_a_small_gallery_gives_the_hosts_curve_and_ones_behind_it():
    distances, *labels = case(7, gallery=12)
    labels[2][:], labels[3][:] = 0, 1
    (cmc, mean_ap), (expected, expected_ap) = rank.evaluate_rank(distances, *labels), host(distances, *labels)
    assert len(expected) == 12 and np.array_equal(cmc[:12], expected) and mean_ap == expected_ap
    assert len(cmc) == 50 and (cmc[12:] == 1).all()


@pytest.mark.parametrize("change", ["no identity", "no query"])
def test_no_valid_query(change):
    distances, q_pids, *labels = case(9)
    if change == "no query":
        distances, q_pids, labels[1] = distances[:0], q_pids[:0], labels[1][:0]
    with pytest.raises(AssertionError, match="all query identities do not appear"):
        host(distances, q_pids + 100, *labels, max_rank=10)
    with pytest.raises(KpstraError, match="no query person is in the gallery under another camera"):
        rank.evaluate_rank(distances, q_pids + 100, *labels, max_rank=10)


@pytest.mark.parametrize("identities", [9, 60])
def test_cuhk03s_metric_is_the_hosts_and_ones_behind_its_end(identities):
    distances, *labels = case(2, gallery=300, identities=identities)
    np.random.seed(0)
    expected, expected_ap = host(distances, *labels, use_metric_cuhk03=True)
    np.random.seed(0)
    cmc, mean_ap = rank.evaluate_rank(distances, *labels, use_metric_cuhk03=True)
    assert np.array_equal(cmc[: len(expected)], expected) and mean_ap == expected_ap
    assert len(cmc) == 50 and (cmc[len(expected) :] == 1).all()


def test_engines_rank_by_it(monkeypatch, capsys):
    """The engine's evaluation comes here, and the host's function is back afterwards."""
    before, calls = torchreid.metrics.evaluate_rank, []
    monkeypatch.setattr(rank, "evaluate_rank", lambda *a, **k: calls.append(k) or (np.ones(20), 1.0))
    loader = DataLoader([{"img": torch.randn(3, 64, 32), "pid": i, "camid": i} for i in range(4)], batch_size=4)
    data = SimpleNamespace(
        train_loader=[], test_loader={"x": {"query": loader, "gallery": loader}}, sources=["x"], num_train_pids=4
    )
    model = torchreid.models.build_model("mobilenetv2_x1_0", 4, loss="softmax", pretrained=False, use_gpu=False)
    optimizer = torchreid.optim.build_optimizer(model)
    SoftmaxEngine(data, model, optimizer, use_gpu=False).test()
    assert re.search(r"x +100.0% +100.0%", capsys.readouterr().out)
    assert calls == [{"use_metric_cuhk03": False}] and torchreid.metrics.evaluate_rank is before
