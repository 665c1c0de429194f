"""DeepGaitV2 with StRA in its last stage: what it computes, what it takes over from DeepGaitV2, and that it learns."""

import pytest
import torch
from gait_models import embeddings, inputs

from plugins.common.checkpoints import fit
from plugins.errors import KpstraError

pytest_plugins = ["host_folders", "gait_models"]
SIZES = (
    "model_cfg.Backbone={mode: 2d, in_channels: 1, layers: [1, 1, 1, 2], channels: [4, 8, 8, 32]}",
    "model_cfg.SeparateBNNecks={class_num: 4}",
    "trainer_cfg.sampler.frames_num_fixed=3",
)
PLAIN = ("opengait/deepgaitv2_2d_gait3d", *SIZES)
STRA = (*PLAIN, "model_cfg.model=DeepGaitV2StRA")


def test_the_blocks_are_dressed_in_stra(build):
    """Each block of the last stage by hand, and the diversity loss as the sum of theirs."""
    model = build(*STRA, "model_cfg.stra={groups: 4, weight_d: 0.5}", training=True)
    batch = inputs(joints=False)
    model.eval()
    output = model(batch)
    x = model.layer3(model.layer2(model.layer1(model.layer0(batch[0][0].unsqueeze(1)))))
    maps, diversity = x.transpose(1, 2).flatten(0, 1), 0.0  # frames, c, h, w
    for block in model.layer4.forward_block:
        y = block.relu(block.bn1(block.conv1(maps)))
        s = block.conv2.local(y)
        y, loss = block.conv2.mode(s)
        short = maps if block.downsample is None else block.downsample(maps)
        maps, diversity = block.relu(block.bn2(y) + short), diversity + loss.mean()
    pooled = maps.unflatten(0, (2, 3)).amax(1)  # over frames
    strips = pooled.reshape(*pooled.shape[:2], 16, -1)
    expected = torch.einsum("ncp,pcd->ndp", strips.mean(-1) + strips.amax(-1), model.FCs.fc_bin)
    torch.testing.assert_close(output["inference_feat"]["embeddings"], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(output["training_feat"]["diversity"], 0.5 * diversity)
    assert all(block.conv2.diversity is None for block in model.layer4.forward_block)


def test_it_takes_deepgaitv2_s_weights(build):
    """All but the second convolutions of the last stage."""
    weights, model = build(*PLAIN).state_dict(), build(*STRA)
    report = fit(weights, model.state_dict(), "deepgaitv2.pt")
    assert sorted(report.unknown) == [f"layer4.forward_block.{i}.conv2.weight" for i in range(2)]
    assert not report.reshaped and all(".conv2." in name for name in report.kept)


def test_it_learns(build):
    """The diversity loss is one of the losses, and its gradient reaches the modes."""
    model, batch, found = build(*STRA, "optimizer_cfg.lr=0.02"), inputs(n=4, joints=False), []
    model.train()
    for _ in range(8):
        loss, info = model.loss_aggregator(model(batch)["training_feat"])
        model.optimizer.zero_grad()
        loss.backward()
        model.optimizer.step()
        found.append(loss.item())
    assert found[-1] < found[0] and "scalar/diversity" in info
    assert embeddings(model, batch).shape == (4, 8, 16)
    assert all(p.grad is not None for p in model.layer4.parameters())


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model_cfg.stra.groups=3", "model_cfg.stra.groups: .*3"),
        ("model_cfg.stra.groups=0", "model_cfg.stra.groups: 0: expected a whole number"),
        ("model_cfg.stra.weight_d=-1", "model_cfg.stra.weight_d: -1: expected a number from 0"),
        ("model_cfg.stra.group=8", "model_cfg.stra: group: unknown key .did you mean 'groups'"),
        ("model_cfg.stra=8", "model_cfg.stra: 8: expected keys and values"),
        ("model_cfg.Backbone.mode=p3d", "model_cfg.Backbone.mode: 'p3d': DeepGaitV2StRA has '2d' blocks"),
        ("optimizer_cfg.lr_factors={heads: 1}", "lr_factors: has no effect on DeepGaitV2StRA; DeepGaitV2KPRPE"),
    ],
)
def test_mistakes(build, override, said):
    with pytest.raises(KpstraError, match=said):
        build(*STRA, override)
