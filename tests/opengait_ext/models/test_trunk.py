"""The convolutions of SwinGait-2D alone: what they compute, and that a SwinGait-2D begins with them."""

import pytest
import torch
from gait_models import TINY, embeddings, inputs

from plugins.common.checkpoints import fit

pytest_plugins = ["host_folders", "gait_models"]
SIZES = (
    "model_cfg.Backbone.layers=[1,1,2,2]",
    "model_cfg.Backbone.channels=[8,16]",
    "model_cfg.SeparateBNNecks={in_channels: 16, class_num: 4, parts_num: 17}",
    "trainer_cfg.sampler.frames_num_fixed=3",
)


@pytest.fixture
def trunk(build):
    return build("opengait/walkers_trunk", *SIZES)


def test_it_is_strips_of_the_convolutions(trunk):
    """Maximum over frames, mean plus maximum of each strip of the last map, linear layers; no joints."""
    batch = inputs()
    found = embeddings(trunk, batch)
    maps = trunk.layer2(trunk.layer1(trunk.layer0(batch[0][0].unsqueeze(1)))).amax(dim=2)  # n, c, rows, columns
    assert maps.shape == (2, 16, 32, 22)
    strips = maps.reshape(2, 16, 16, 44)  # of two rows
    strips = strips.mean(-1) + strips.amax(-1)
    expected = torch.einsum("ncp,pcd->ndp", strips, trunk.FCs.fc_bin[:16])
    assert torch.allclose(found, expected, atol=1e-5)
    batch[0][1].zero_()
    assert torch.equal(found, embeddings(trunk, batch))
    assert not list(trunk.transformer.parameters())


@pytest.mark.parametrize(
    "config",
    ["walkers_swingait2d", "walkers_swingait2d_kprpe", "walkers_swingait2d_heatmaps", "walkers_swingait2d_modes"],
)
def test_a_swingait_takes_all_of_it_but_the_heads(build, trunk, config):
    weights = build(f"opengait/{config}", *TINY, "trainer_cfg.sampler.frames_num_fixed=3").state_dict()
    report = fit(trunk.state_dict(), weights, "trunk.pt")
    layers = {name for name in trunk.state_dict() if name.startswith("layer")}
    assert {name for name in report.weights if "num_batches" not in name} == {
        n for n in layers if "num_batches" not in n
    }
    assert not report.unknown and all(name.startswith(("FCs", "BNNecks")) for name in report.reshaped)


def test_it_learns(trunk):
    """Some steps on one batch lower its loss."""
    trunk.train()
    batch, found = inputs(n=4), []
    for trunk.iteration in range(8):
        loss, _ = trunk.loss_aggregator(trunk(batch)["training_feat"])
        trunk.optimizer.zero_grad()
        loss.backward()
        trunk.optimizer.step()
        found.append(loss.item())
    assert found[-1] < 0.7 * found[0]
