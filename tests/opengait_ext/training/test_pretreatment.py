"""Batches that are transformed in the loader's workers, against those that the training process transforms."""

import pickle
import random
from itertools import islice

import numpy as np
import pytest
import torch

from opengait_ext.host.patches import in_memory
from opengait_ext.training.pretreatment import Prepared, Pretreatment, mapped
from plugins.errors import KpstraError

pytest_plugins = ["host_folders", "gait_models"]
RECIPES = ("opengait/pets_swingait2d_kprpe", "opengait/pets_swingait2d")
EMBEDDED = pytest.mark.parametrize("host", ["embedded"], indirect=True)
SIZES = (
    "trainer_cfg.sampler.frames_num_fixed=5",
    "trainer_cfg.sampler.batch_size=[2, 2]",
    "model_cfg.Backbone.channels=[4, 8]",
    "model_cfg.transformer={embed_dim: 8, num_heads: [1, 2]}",
    "model_cfg.SeparateBNNecks={in_channels: 16, class_num: 4, parts_num: 16}",
)


def chosen(config):
    """The silhouettes alone, or with keypoints."""
    return f"data_cfg.data_in_use={[True, 'kprpe' in config]}".lower()


def batches(model, count=3, **data):
    """What the network would get from a new loader, and the next draws of all generators after it."""
    found, model.batches = [], 0
    model.cfgs["data_cfg"].update(data)
    model.train_loader = model.get_loader(model.cfgs["data_cfg"])
    for inputs in islice(model.train_loader, count):
        ready = model.inputs_pretreament(inputs)
        found.append((ready, (random.random(), np.random.rand(), torch.rand(1).item())))
    return found


def assert_same(found, expected):
    assert len(found) == len(expected)
    for (batch, draws), (expected_batch, expected_draws) in zip(found, expected, strict=True):
        assert draws == expected_draws
        modalities, labels, types, views, lengths = batch
        assert (types, views) == (expected_batch[2], expected_batch[3])
        assert torch.equal(labels, expected_batch[1]) and labels.dtype == expected_batch[1].dtype
        assert len(modalities) == len(expected_batch[0])
        for ours, theirs in zip(modalities, expected_batch[0], strict=True):
            assert ours.dtype == theirs.dtype == torch.float32 and ours.requires_grad and theirs.requires_grad
            assert torch.equal(ours, theirs)
        both = (lengths, expected_batch[4])
        assert both == (None, None) or torch.equal(*both)


@pytest.mark.parametrize("config", RECIPES)
def test_the_same_numbers_with_any_number_of_workers(host, build, config):
    """Bit for bit what OpenGait's way gives, batch after batch, and the same generators afterwards."""
    model = build(config, *SIZES, chosen(config), "trainer_cfg.seed=5")
    assert isinstance(next(iter(model.train_loader)), Prepared)
    expected = batches(model, pretreatment="host")
    assert not torch.equal(expected[0][0][0][0], expected[1][0][0][0])
    for workers in (0, 2):
        assert_same(batches(model, pretreatment="workers", num_workers=workers), expected)


@EMBEDDED
def test_without_a_seed(host, build):
    """Without workers the process's own stream is drawn from, as OpenGait draws."""
    found, model = [], build(RECIPES[0], *SIZES, "trainer_cfg.seed=null")
    assert model.seed is None
    for way in ("host", "workers"):
        random.seed(3)
        np.random.seed(4)
        torch.manual_seed(5)
        found.append(batches(model, pretreatment=way))
    assert_same(found[1], found[0])


@EMBEDDED
def test_sequences_of_several_lengths(host, build):
    """One concatenated sequence with its lengths, as OpenGait's unfixed samplers give."""
    sampler = ("sample_type: unfixed_unordered, frames_num_min: 2, frames_num_max: 5", "batch_size: [2, 2]")
    sampler = f"trainer_cfg.sampler={{type: TripletSampler, batch_shuffle: false, {', '.join(sampler)}}}"
    model = build(RECIPES[0], *SIZES, sampler, "trainer_cfg.seed=5")
    expected = batches(model, pretreatment="host")
    assert expected[0][0][4].shape == (1, 4)
    assert_same(batches(model, pretreatment="workers", num_workers=1), expected)


@EMBEDDED
def test_a_model_that_transforms_by_itself(host, build, monkeypatch):
    """As GaitSSB and SkeletonGait++ do: its own way is gone in the worker; what it lacks there is told."""
    base = host("modeling.models.swingait").SwinGait

    def flipped(self, inputs):
        sequences, *others = inputs
        return super(base, self).inputs_pretreament(([[s[::-1] for s in one] for one in sequences], *others))

    monkeypatch.setattr(base, "inputs_pretreament", flipped, raising=False)
    model = build(RECIPES[1], *SIZES, chosen(RECIPES[1]), "trainer_cfg.seed=5")
    expected = batches(model, pretreatment="host")
    assert_same(batches(model, pretreatment="workers", num_workers=1), expected)
    assert model.train_loader.collate_fn.collate.twin.first_transform is None
    monkeypatch.setattr(base, "inputs_pretreament", lambda self, inputs: self.FCs(inputs))
    with pytest.raises(KpstraError, match=r"'FCs'.*data_cfg.pretreatment=host does that in the training process"):
        batches(model, num_workers=0)


@EMBEDDED
def test_workers_that_are_not_forked(host, build):
    """The collate function is built again from what is pickled."""
    model = build(RECIPES[0], *SIZES, "trainer_cfg.seed=5")
    loader = model.train_loader
    again = pickle.loads(pickle.dumps(loader.collate_fn))
    assert isinstance(again.collate, Pretreatment) and again.collate.twin is not loader.collate_fn.collate.twin
    samples = [loader.dataset[item] for item in next(iter(loader.batch_sampler))]
    (first, *_), (other, *_) = (collate(samples).ready for collate in (loader.collate_fn, again))
    assert all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert first[0].std() > 0


@EMBEDDED
def test_unfit_silhouettes_are_told(host, build):
    """Several sizes in one batch, and modalities without a transform."""
    model = build(RECIPES[0], *SIZES)
    pretreatment = model.train_loader.collate_fn.collate
    joints = np.zeros((2, 17, 3), np.float32)
    wide = [np.zeros((2, 64, 64), np.uint8), np.zeros((2, 64, 128), np.uint8)]
    with pytest.raises(KpstraError, match=r"several sizes in one batch: \(64, 44\), \(64, 88\); prepare"):
        pretreatment.transform(([wide, [joints, joints]], [0, 1], ["t"] * 2, ["v"] * 2, None))
    with pytest.raises(KpstraError, match="joint_transform: the data has 1 modalities"):
        pretreatment.transform(([wide[:1]], [0], ["t"], ["v"], None))


@EMBEDDED
def test_who_reads_is_said(host, build, caplog):
    """Without workers, how to have some."""
    model = build(RECIPES[0], *SIZES)
    assert "data_cfg.num_workers: 0: the training process reads and transforms every batch" in caplog.text
    caplog.clear()
    model.get_loader({**model.cfgs["data_cfg"], "num_workers": 1})
    assert "num_workers" not in caplog.text.replace("'num_workers'", "")


def test_in_memory(host, monkeypatch):
    """No conversion of the host reaches for a device in a worker."""

    def refuse(*_):
        raise AssertionError("a worker asked for a device")

    utils = host("utils")
    if host.active.kind == "embedded":
        monkeypatch.setattr(host("utils.common"), "run_device", refuse)
    else:
        monkeypatch.setattr(torch.Tensor, "cuda", refuse)
    with pytest.raises(AssertionError):
        utils.np2var(np.zeros(2))
    with in_memory(host.active):
        assert utils.list2var([1, 2]).tolist() == [1, 2] and utils.np2var(np.zeros(2)).device.type == "cpu"


def test_mapped():
    """Order, and what is no tensor stays."""
    seen = []
    value = ([torch.tensor(1), {"a": torch.tensor(2)}], "text", None, (torch.tensor(3),))
    changed = mapped(value, lambda t: seen.append(int(t)) or t.item())
    assert seen == [1, 2, 3] and changed == ([1, {"a": 2}], "text", None, (3,))
