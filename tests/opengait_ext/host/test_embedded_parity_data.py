"""The embedded host's samples and transforms against OpenGait's, where a checkout is at hand."""

import numpy as np
import pytest
import torch
from host_parity import assert_same, seed

pytest_plugins = ["host_folders"]
RANDOM = [
    {"type": "RandomHorizontalFlip"},
    {"type": "RandomErasing"},
    {"type": "RandomErasing", "per_frame": True},
    {"type": "RandomRotate"},
    {"type": "RandomPerspective"},
    {"type": "RandomAffine"},
    {
        "type": "Compose",
        "trf_cfg": [
            {"type": "RandomPerspective", "prob": 0.7},
            {"type": "BaseSilTransform"},
            {"type": "RandomHorizontalFlip", "prob": 0.7},
            {"type": "RandomRotate", "prob": 0.7},
        ],
    },
]


SAMPLE_TYPES = [
    f"{length}_{order}" for length in ("fixed", "unfixed", "all") for order in ("ordered", "unordered", "allordered")
]


@pytest.mark.parametrize("sample_type", SAMPLE_TYPES)
@pytest.mark.parametrize("in_use", [None, [True, True, False], [1, 0]])
def test_samples(both, gait_data, sample_type, in_use):
    sampler = {
        "sample_type": sample_type,
        "frames_num_fixed": 6,
        "frames_num_min": 2,
        "frames_num_max": 9,
        "frames_skip_num": 3,
        "frames_all_limit": 5,
    }
    data_cfg = {**gait_data, "cache": in_use is None, **({"data_in_use": in_use} if in_use else {})}

    def compute(host):
        dataset = host("data.dataset").DataSet(data_cfg, training=True)
        samplers, collate = host("data.sampler"), host("data.collate_fn").CollateFn(dataset.label_set, sampler)
        seed(5)
        drawn = [[dataset.label_list, dataset.types_set, dataset.views_set, dataset.indices_dict]]
        for instance in (
            samplers.TripletSampler(dataset, [3, 2], True),
            samplers.TripletSampler(dataset, [2, 3]),
            samplers.TripletSampler(dataset, [7, 1]),
            samplers.CommonSampler(dataset, 5, False),
            samplers.InferenceSampler(dataset, 1),
            samplers.InferenceSampler(dataset, 4),
        ):
            batches = [indices for _, indices in zip(range(3), instance, strict=False)]
            drawn.append([len(instance), batches, *(collate([dataset[i] for i in batch]) for batch in batches)])
        test = host("data.dataset").DataSet(data_cfg, training=False)
        return [drawn, test.label_list, len(test[0][0]), test[0][1], torch.rand(1), np.random.rand()]

    assert_same(*both(compute))


@pytest.mark.parametrize("config", RANDOM, ids=lambda config: config["type"])
def test_random_transforms(both, config):
    def compute(host):
        transform = host("data.transform").get_transform(config)
        found = []
        for number in range(20):
            seq = np.random.default_rng(number).integers(0, 256, (3, 64, 44)).astype(np.uint8)
            seed(number)
            found.append(np.ascontiguousarray(transform(seq)))
            if config["type"] != "RandomErasing":  # which takes no channels
                colour = np.random.default_rng(number).random((2, number % 2 * 2 + 1, 64, 44))
                found.append(np.ascontiguousarray(transform(colour)))
        return found

    assert_same(*both(compute))


def test_plain_transforms(both):
    configs = [
        None,
        {"type": "NoOperation"},
        {"type": "BaseSilTransform"},
        {"type": "BaseSilTransform", "divsor": 7.0},
        {"type": "BaseSilTransform", "img_shape": [1, 64, 64]},
        {"type": "BaseSilCuttingTransform"},
        {"type": "BaseSilCuttingTransform", "cutting": 0},
        {"type": "BaseSilCuttingTransform", "cutting": 3},
    ]
    seq = np.random.default_rng(0).integers(0, 256, (3, 64, 64)).astype(np.uint8)
    assert_same(*both(lambda host: [host("data.transform").get_transform([config])[0](seq) for config in configs]))
