"""SwinGait-2D that finds its keypoints: the start, what learns from which loss, the control, mistakes."""

import pytest
import torch
from gait_models import SMALL, embeddings, inputs

from plugins.errors import KpstraError
from plugins.kprpe import KPRPEHandle

pytest_plugins = ["host_folders", "gait_models"]
CONFIG, PLAIN = "opengait/walkers_swingait2d_modes", "opengait/walkers_swingait2d"
SIZES = (*SMALL, "model_cfg.transformer={embed_dim: 16, num_heads: [2, 4]}", "trainer_cfg.sampler.frames_num_fixed=3")


def with_tables(model):
    torch.manual_seed(1)
    for parameter in KPRPEHandle(model.transformer).parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def test_it_begins_as_the_network_without_position_bias(build):
    """The zero start holds after the host's init_parameters; every parameter is in one group, tables undecayed."""
    model, plain = build(CONFIG, *SIZES), build(PLAIN, *SIZES)
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            if "relative_position_bias_table" in name:
                parameter.zero_()
    missing = model.load_state_dict(plain.state_dict(), strict=False)
    assert all("relative_position_bias_table" in name for name in missing.unexpected_keys)
    assert all(".modes." in name or ".kprpe." in name for name in missing.missing_keys)
    assert torch.allclose(embeddings(model, inputs()), embeddings(plain, inputs()), atol=1e-5)
    assert not torch.allclose(embeddings(with_tables(model), inputs()), embeddings(plain, inputs()), atol=1e-3)
    groups = model.optimizer.param_groups
    ids = [id(p) for group in groups for p in group["params"]]
    assert len(ids) == len(set(ids)) and set(ids) == {id(p) for p in model.parameters()}
    (ours,) = [g for g in groups if any(p is next(KPRPEHandle(model.transformer).parameters()) for p in g["params"])]
    assert ours["weight_decay"] == 0.0


def test_modes_learn_from_the_hosts_losses_and_from_the_diversity_loss(build):
    """The host's aggregator adds the loss as it comes, times its weight; recomputed blocks change nothing."""
    recompute = "model_cfg.transformer={embed_dim: 16, num_heads: [2, 4], drop_path: 0.0, checkpoint: true}"
    plain = "model_cfg.transformer={embed_dim: 16, num_heads: [2, 4], drop_path: 0.0}"
    gradients = {}
    for name, overrides in {"w": (), "again": (recompute,), "none": ("model_cfg.modes.weight_d=0",)}.items():
        model = with_tables(build(CONFIG, *SIZES, plain, *overrides)).train()
        output = model(inputs())["training_feat"]
        loss, info = model.loss_aggregator(output)
        rest = model.loss_aggregator({key: value for key, value in output.items() if key != "diversity"})[0]
        torch.testing.assert_close(loss, rest + output["diversity"])
        assert (name == "none") == (output["diversity"].item() == 0) and "scalar/diversity" in info
        weight = model.transformer.modes.mask[-1].weight
        gradients[name] = torch.autograd.grad(loss, weight)[0]
    assert gradients["none"].abs().sum() > 0
    assert not torch.allclose(gradients["none"], gradients["w"])
    torch.testing.assert_close(gradients["again"], gradients["w"])


def test_every_frame_has_its_own_modes(build):
    """The centres of a frame do not depend on the others of its sequence."""
    model = with_tables(build(CONFIG, *SIZES)).eval()
    seen, batch = [], inputs()
    model.transformer.modes.register_forward_hook(lambda module, args, parts: seen.append(parts.points))
    embeddings(model, batch)
    batch[0][0][1, 2] = batch[0][0][1, 2].flip(-1)
    embeddings(model, batch)
    before, after = (points.unflatten(0, (2, 3)) for points in seen)
    assert before.shape == (2, 3, 8, 2)
    changed = (before - after).abs().amax(dim=(2, 3)) > 1e-6
    assert changed.tolist() == [[False] * 3, [False, False, True]]


def test_the_control_has_constant_centres(build):
    """Those of the first training batch, kept in the weights; as many parameters as the model."""
    model = with_tables(build(CONFIG, *SIZES, "model_cfg.modes.kprpe.keypoints=constant")).train()
    loss = model(inputs())["training_feat"]["softmax"]["logits"].sum()
    weight = model.transformer.modes.mask[-1].weight
    poses = [at.kprpe.pose for at in KPRPEHandle(model.transformer).attentions.values()]
    first = poses[0].mean.clone()
    assert int(poses[0].count) == 6 and first.min() > 0 and first.max() < 1
    assert torch.autograd.grad(loss, weight, allow_unused=True) == (None,)
    model(inputs(seed=1))
    assert torch.equal(poses[0].mean, first)
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters == sum(p.numel() for p in build(CONFIG, *SIZES).parameters())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model_cfg.modes.groups=5", "model_cfg.modes: StRA: channels = 16 does not split into groups = 5"),
        ("model_cfg.modes.group=4", "model_cfg.modes: group: unknown key.*groups"),
        ("model_cfg.modes.weight_d=-1", "model_cfg.modes.weight_d: -1: expected a number from 0"),
        ("model_cfg.modes.kprpe=static", "model_cfg.modes.kprpe: 'static': expected keys and values"),
        ("model_cfg.modes.kprpe.standardised=true", "model_cfg.modes: kprpe.standardised: True: rests on the mean"),
        ("model_cfg.modes.kprpe.grids=image", "model_cfg.modes: kprpe.grids: 'image': unknown key.*grid"),
    ],
)
def test_wrong_settings(build, override, message):
    with pytest.raises(KpstraError, match=message):
        build(CONFIG, *SIZES, override)
