"""Rates of SwinGait's parts and how often they fall: the host's unless asked."""

import math

import pytest
import torch
from gait_models import TINY, inputs

from plugins.errors import KpstraError

pytest_plugins = ["host_folders", "gait_models"]
CONFIGS = ["opengait/swingait2d_gait3d", "opengait/swingait2d_kprpe_gait3d"]
FACTORS = "optimizer_cfg.lr_factors={heads: 3, trunk: 0.5}"


def rates(model):
    """The rate of every parameter, by name."""
    by_id = {id(p): group["lr"] for group in model.optimizer.param_groups for p in group["params"]}
    return {name: by_id[id(p)] for name, p in model.named_parameters()}


def seen(model, iterations, joints):
    """The transformer's rate of each of these iterations' steps."""
    found = []
    for model.iteration in iterations:
        model(inputs(joints=joints))
        found.append(rates(model)["transformer.patch_embed.proj.weight"])
    return found


@pytest.mark.parametrize("config", CONFIGS)
def test_factors(build, config):
    """Heads and trunk have their factors of the rate, the transformer and KP-RPE the rate itself; else the host's."""
    joints = ["data_cfg.data_in_use=[true, true]"] if "kprpe" in config else []
    for override, heads, trunk in (
        ([], 0.1, 0.1),
        ([FACTORS], 3, 0.5),
        (["optimizer_cfg.lr_factors={trunk: 2}"], 0.1, 2),
    ):
        expected = {"FCs": heads, "BNNecks": heads, "layer0": trunk, "layer1": trunk, "layer2": trunk, "transformer": 1}
        found = rates(build(config, *TINY, *joints, "optimizer_cfg.lr=0.002", *override))
        for name, rate in found.items():
            assert rate == pytest.approx(0.002 * expected[name.split(".")[0]], rel=1e-12), name
        assert {name.split(".")[0] for name in found} == expected.keys()


@pytest.mark.parametrize("config", CONFIGS)
def test_the_cosine_of_every_iteration(build, config):
    """(1 + cos(pi t / T)) / 2 at every t or every third, down to the host's least; without the setting the host's."""
    joints = "kprpe" in config
    settings = (config, *TINY, "optimizer_cfg.lr=0.002", "trainer_cfg.T_max_iter=8")
    cosine = [0.001 * (1 + math.cos(math.pi * t / 8)) for t in range(8)] + [1e-6] * 2
    assert seen(build(*settings, "trainer_cfg.iteration_per_epoch=1"), range(10), joints) == pytest.approx(cosine)
    third = [cosine[t // 3 * 3] for t in range(8)] + [1e-6] * 2
    assert seen(build(*settings, "trainer_cfg.iteration_per_epoch=3"), range(10), joints) == pytest.approx(third)
    assert seen(build(*settings), range(10), joints) == [0.002] * 8 + [1e-6] * 2


def test_parts_fall_together(build):
    """Each part keeps its share of the rate."""
    model = build(
        CONFIGS[0],
        *TINY,
        "optimizer_cfg.lr=0.002",
        "trainer_cfg.T_max_iter=8",
        FACTORS,
        "trainer_cfg.iteration_per_epoch=1",
    )
    seen(model, [4], False)
    found = rates(model)
    assert found["FCs.fc_bin"] == pytest.approx(0.003) and found[
        "layer1.forward_block.0.conv1.weight"
    ] == pytest.approx(0.0005)


def test_a_test_takes_no_rate(build):
    """A model in test has no optimiser and runs."""
    model = build(
        CONFIGS[0], *TINY, FACTORS, "trainer_cfg.iteration_per_epoch=1", "evaluator_cfg.restore_hint=0", training=False
    )
    assert model.eval()(inputs(joints=False))["inference_feat"]["embeddings"].shape == (2, 16, 15)


@pytest.mark.parametrize(
    ("solver", "arguments"),
    [("SGD", {"momentum": 0.5, "nesterov": True}), ("AdamW", {"betas": [0.8, 0.9], "eps": 1e-6, "weight_decay": 0.3})],
)
def test_every_argument_reaches_every_group(build, solver, arguments):
    """And the parts keep their rates, what is not decayed stays so."""
    given = [f"optimizer_cfg.{key}={value}" for key, value in {"solver": solver, "lr": 0.002, **arguments}.items()]
    model = build(CONFIGS[0], *TINY, *given)
    for group in model.optimizer.param_groups:
        for key in arguments.keys() - {"weight_decay"}:
            assert torch.as_tensor(group[key]).tolist() == torch.as_tensor(arguments[key]).tolist(), key
    found = rates(model)
    assert found["transformer.patch_embed.proj.weight"] == 0.002 and found["FCs.fc_bin"] == pytest.approx(0.0002)
    decays = [group["weight_decay"] for group in model.optimizer.param_groups]
    assert decays == [0.0, *[arguments.get("weight_decay", 0.02)] * (len(decays) - 1)]


def test_arguments_that_go_not_together_are_refused(build):
    with pytest.raises(KpstraError, match=r"optimizer_cfg: .*Nesterov"):
        build(CONFIGS[0], *TINY, "optimizer_cfg.solver=SGD", "optimizer_cfg.momentum=0", "optimizer_cfg.nesterov=true")
