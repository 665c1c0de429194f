"""Batches that a sampler, a loss or a batch norm cannot take, by their numbers; what passes, the host builds."""

import pytest
from torch import nn

from plugins.errors import KpstraError
from reid_ext.data.batches import check_batch_norm, check_people, check_sampler, check_triplets
from reid_ext.host import torchreid
from reid_ext.settings.load import load_config

# 6 people of 5 images, alternating 2 cameras; data set 1 has only the last 3 images
IMAGES = [(f"{i}.jpg", i // 5, i % 2, int(i >= 27)) for i in range(30)]
NUMBERS = {"num_instances": 4, "num_cams": 1, "num_datasets": 1}


@pytest.mark.parametrize(
    ("sampler", "batch", "numbers", "message"),
    [
        ("RandomSampler", 31, {}, "there are 30 training images"),
        ("RandomIdentitySampler", 2, {}, "train.batch_size 2 and sampler.num_instances 4: the batch is not divisible"),
        ("RandomIdentitySampler", 14, {}, "a multiple of 4"),
        ("RandomIdentitySampler", 28, {}, "take 7 people a batch, but there are 6 .* to 24 or less"),
        ("RandomDomainSampler", 30, {"num_cams": 3}, "are of 2 cameras; lower sampler.num_cams"),
        ("RandomDomainSampler", 30, {"num_cams": 4}, "not divisible"),
        (
            "RandomDatasetSampler",
            8,
            {"num_datasets": 2},
            "take 4 images from each of the data sets, but one has only 3",
        ),
    ],
)
def test_samplers(sampler, batch, numbers, message):
    numbers = NUMBERS | numbers
    with pytest.raises(KpstraError, match=message):
        check_sampler(IMAGES, sampler, batch, **numbers)


@pytest.mark.parametrize("batch", range(1, 31))
@pytest.mark.parametrize(
    ("sampler", "numbers"),
    [
        ("RandomIdentitySampler", {}),
        ("RandomDomainSampler", {"num_cams": 2}),
        ("RandomDatasetSampler", {"num_datasets": 2}),
    ],
)
def test_what_passes_the_host_builds_and_draws(sampler, batch, numbers):
    numbers = NUMBERS | numbers
    try:
        check_sampler(IMAGES, sampler, batch, **numbers)
    except KpstraError:
        return
    drawn = list(torchreid.data.sampler.build_train_sampler(IMAGES, sampler, batch_size=batch, **numbers))
    assert drawn and len(drawn) % batch == 0


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        (["train.batch_size", "4"], "sampler.num_instances 4 is one person a batch"),
        (["train.batch_size", "1"], "a triplet is of three images"),
        (["train.batch_size", "8", "sampler.num_instances", "1"], "a triplet needs two"),
        (["train.batch_size", "8"], None),
        (["train.batch_size", "4", "loss.triplet.weight_t", "0", "loss.triplet.weight_x", "1"], None),
    ],
)
def test_triplets(opts, message):
    cfg = load_config(opts=["loss.name", "triplet", "sampler.train_sampler", "RandomIdentitySampler", *opts])
    if message is None:
        check_triplets(cfg)
        return
    with pytest.raises(KpstraError, match=message):
        check_triplets(cfg)


def test_one_person():
    check_people(2)
    with pytest.raises(KpstraError, match="1 person"):
        check_people(1)


@pytest.mark.parametrize(("batch", "devices", "refused"), [(1, 1, True), (2, 1, False), (5, 2, False), (3, 2, True)])
def test_batch_norm(batch, devices, refused):
    check_batch_norm(nn.Sequential(nn.BatchNorm2d(3)), batch, devices)
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    if not refused:
        check_batch_norm(network, batch, devices)
        return
    with pytest.raises(KpstraError, match=f"train.batch_size: {batch}.* leaves one image to the batch norm 1"):
        check_batch_norm(network, batch, devices)
