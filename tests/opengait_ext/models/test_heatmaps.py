"""Joints as heat maps beside the silhouette: the maps, the start at zero, the control, mistakes."""

import math

import pytest
import torch
from gait_models import TINY, embeddings, inputs
from torch.nn import functional

from plugins.errors import KpstraError

pytest_plugins = ["host_folders", "gait_models"]
CONFIG, PLAIN = "opengait/walkers_swingait2d_heatmaps", "opengait/walkers_swingait2d"
SIZES = (*TINY, "trainer_cfg.sampler.frames_num_fixed=3")


def test_it_begins_as_the_plain_network_and_then_uses_the_joints(build):
    """Zero weights under their own name, still after the host's init_parameters; a gradient reaches them."""
    model, plain = build(CONFIG, *SIZES), build(PLAIN, *SIZES)
    missing = model.load_state_dict(plain.state_dict(), strict=False)
    assert missing.missing_keys == ["layer0.forward_block.0.maps_weight"] and not missing.unexpected_keys
    start = embeddings(model, inputs())
    assert torch.allclose(start, embeddings(plain, inputs()), atol=1e-6)
    weight = model.first.maps_weight
    model.loss_aggregator(model.train()(inputs())["training_feat"])[0].backward()
    assert weight.shape == (8, 17, 3, 3) and not weight.any() and weight.grad.abs().sum() > 0
    with torch.no_grad():
        weight.normal_(generator=torch.Generator().manual_seed(1))
    moved = inputs()
    moved[0][1][..., 9, :2] += 5
    assert not torch.allclose(start, embeddings(model, inputs()), atol=1e-3)
    assert not torch.allclose(embeddings(model, moved), embeddings(model, inputs()), atol=1e-4)


def test_the_first_convolution_sees_each_frames_own_maps(build):
    """It equals one convolution of silhouette and maps, frame by frame."""
    model = build(CONFIG, *SIZES)
    from plugins.joint_inputs.heatmaps import joint_maps

    with torch.no_grad():
        model.first.maps_weight.normal_(generator=torch.Generator().manual_seed(1))
    seen = []
    model.first.register_forward_hook(lambda module, args, output: seen.append(output))
    batch = inputs()
    embeddings(model, batch)
    silhouettes, keypoints = batch[0]
    maps = joint_maps(keypoints[..., :2], keypoints[..., 2], (64, 44), 1.5)
    weight = torch.cat([model.first.weight, model.first.maps_weight], 1)
    for i in range(2):
        for t in range(3):
            both = torch.cat([silhouettes[i, t, None], maps[i, t]])
            expected = functional.conv2d(both[None], weight, padding=1)[0]
            assert torch.allclose(seen[0].unflatten(0, (2, 3))[i, t], expected, atol=1e-4)


def test_the_control_always_sees_the_mean_pose(build):
    """That of the first training batch, weighted by scores; it is kept in the weights and not asked for again."""
    model = build(CONFIG, *SIZES, "model_cfg.heatmaps.keypoints=constant")
    with torch.no_grad():
        model.first.maps_weight.normal_(generator=torch.Generator().manual_seed(1))
    first = inputs()
    embeddings(model, first, training=True)
    points, scores = first[0][1][..., :2].flatten(0, 1), first[0][1][..., 2:].flatten(0, 1)
    assert torch.allclose(model.pose.mean, (points * scores).sum(0) / scores.sum(0), atol=1e-3)
    assert {"pose.mean", "pose.count"} <= model.state_dict().keys()
    mean = model.pose.mean.clone()
    embeddings(model, inputs(seed=5), training=True)
    assert torch.equal(model.pose.mean, mean)
    moved = inputs()
    moved[0][1][..., :2] += 7
    moved[0][1][..., 2] = 0.5
    assert torch.equal(embeddings(model, moved), embeddings(model, inputs()))


def test_its_weights_have_the_transformers_rate(build):
    model = build(CONFIG, *SIZES)
    (group,) = [g for g in model.optimizer.param_groups if any(p is model.first.maps_weight for p in g["params"])]
    assert (
        len(group["params"]) == 1 and group["lr"] == model.cfgs["optimizer_cfg"]["lr"] and group["weight_decay"] == 0.02
    )


def test_joints_that_cannot_be_right(build):
    model, batch = build(CONFIG, *SIZES), inputs()
    batch[0][1][1, 0, 3, 0] = math.nan
    with pytest.raises(KpstraError, match="keypoints of image 3 are NaN"):
        model(batch)
    with pytest.raises(KpstraError, match="SwinGait2DHeatmaps: 1 modalities"):
        model(inputs(joints=False))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("sigma=0", r"model_cfg.heatmaps.sigma: 0: expected pixels above 0"),
        ("sigma=true", r"model_cfg.heatmaps.sigma: True: expected pixels above 0"),
        ("keypoints=mean", r"model_cfg.heatmaps.keypoints: 'mean' is not one of given, constant"),
        ("sigmas=1", r"model_cfg.heatmaps: sigmas: unknown key \(did you mean 'sigma'\?\)"),
    ],
)
def test_mistakes(build, setting, message):
    with pytest.raises(KpstraError, match=message):
        build(CONFIG, *SIZES, f"model_cfg.heatmaps.{setting}")
