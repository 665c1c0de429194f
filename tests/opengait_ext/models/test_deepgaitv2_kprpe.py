"""DeepGaitV2 with KP-RPE over its last map: the plain network at first, then attention as a naive loop computes it."""

import math

import pytest
import torch
from gait_models import embeddings, inputs

from opengait_ext.pictures.tensorboard import mean_image_share
from plugins.common.checkpoints import fit
from plugins.errors import KpstraError

pytest_plugins = ["host_folders", "gait_models"]
SIZES = (
    "model_cfg.Backbone={mode: 2d, in_channels: 1, layers: [1, 1, 1, 1], channels: [4, 4, 8, 16]}",
    "model_cfg.SeparateBNNecks={class_num: 4}",
    "trainer_cfg.sampler.frames_num_fixed=3",
)
PLAIN = ("opengait/deepgaitv2_2d_gait3d", *SIZES)
OURS = ("opengait/deepgaitv2_kprpe_gait3d", *SIZES, "model_cfg.attention.num_heads=2")


def randomise(model):
    """Give the block's last layer and the tables weights, as if they had learned."""
    chance = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in (*model.TP.block.parameters(), *model.kprpe.parameters()):
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=chance))


@pytest.mark.parametrize("mode", ["2d", "p3d", "3d"])
def test_a_new_block_is_the_plain_network_to_the_bit(build, mode):
    """DeepGaitV2's weights fit by name, the block alone is missing; then all outputs are equal, in training too."""
    plain, model = (build(*settings, f"model_cfg.Backbone.mode={mode}") for settings in (PLAIN, OURS))
    report = fit(plain.state_dict(), model.state_dict(), "deepgaitv2.pt")
    assert not report.unknown and not report.reshaped
    assert report.kept and all(name.startswith("TP.block.") for name in report.kept)
    model.load_state_dict(report.weights, strict=False)
    assert torch.equal(embeddings(model, inputs()), embeddings(plain, inputs(joints=False)))
    ours, theirs = model.train()(inputs())["training_feat"], plain.train()(inputs(joints=False))["training_feat"]
    assert torch.equal(ours["softmax"]["logits"], theirs["softmax"]["logits"])
    randomise(model)
    assert not torch.allclose(embeddings(model, inputs()), embeddings(plain, inputs(joints=False)), atol=1e-3)


def test_equals_a_loop_over_frames_heads_and_queries(build):
    """``x + W_o softmax(q k^T / sqrt(d) + B(P)) v`` for each frame under its own joints, then the host's heads."""
    model, batch = build(*OURS), inputs(s=2)
    randomise(model)
    seen = []
    model.layer4.register_forward_hook(lambda module, args, output: seen.append(output))
    found = embeddings(model, batch)
    (maps,), block, rpe = seen, model.TP.block, model.TP.block.attention.kprpe
    (n, c, s, h, w), heads = maps.shape, 2
    places, d = h * w, c // heads
    y, weight, bias = maps.clone(), block.attention.in_proj_weight, block.attention.in_proj_bias
    for sequence in range(n):
        for frame in range(s):
            joints = (batch[0][1][sequence, frame, :, :2] + 0.5) / torch.tensor([44.0, 64.0])
            x = block.norm(maps[sequence, :, frame].flatten(1).T)  # places, c
            q, k, v = (x @ weight.T + bias).split(c, dim=1)
            tables = rpe.bias(joints[None], 0)[0]  # heads, places, places
            together = torch.zeros(places, c)
            for head in range(heads):
                part = slice(head * d, (head + 1) * d)
                for i in range(places):
                    scores = k[:, part] @ q[i, part] / math.sqrt(d)
                    together[i, part] = torch.softmax(scores + tables[head, i], 0) @ v[:, part]
            y[sequence, :, frame] += block.attention.out_proj(together).T.view(c, h, w)
    strips = y.amax(2).reshape(n, c, 16, -1)
    expected = torch.einsum("ncp,pcd->ndp", strips.mean(-1) + strips.amax(-1), model.FCs.fc_bin)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "form",
    [
        "{formulation: multihead, confidence: true}",
        "{formulation: relative}",
        "{formulation: absolute, distance: euclidean}",
        "{formulation: static}",
        "{formulation: second_order, standardised: true}",
        "{formulation: second_order, standardised: true, keypoints: constant}",
        "{formulation: nonlinear}",
        "{formulation: none, rotary: body}",
    ],
)
def test_every_form_learns_and_all_but_the_controls_follow_the_joints(build, form):
    model = build(*OURS, f"model_cfg.kprpe={form}")
    randomise(model)
    embeddings(model, inputs(), training=True).square().mean().backward()
    assert all(p.grad is not None for p in model.TP.parameters() if p.requires_grad)
    here = embeddings(model, inputs())
    there = embeddings(model, ([inputs()[0][0], inputs(seed=7)[0][1]], *inputs()[1:]))
    assert torch.allclose(here, there, atol=1e-6) == ("static" in form or "constant" in form)


def test_it_learns_from_the_plain_network_on(build):
    """W_o leaves zero, then the tables; TensorBoard shows the biases of the whole map."""
    model, batch, found = build(*OURS, "optimizer_cfg.lr=0.02"), inputs(n=4), []
    model.train()
    for model.iteration in range(8):
        loss, _ = model.loss_aggregator(model(batch)["training_feat"])
        model.optimizer.zero_grad()
        loss.backward()
        model.optimizer.step()
        found.append(loss.item())
    assert found[-1] < 0.9 * found[0]
    assert model.TP.block.attention.out_proj.weight.any() and any(p.any() for p in model.kprpe.parameters())
    model.iteration = model.engine_cfg["log_iter"] - 1
    summary = model(batch)["visual_summary"]
    assert summary["image/bias"].shape == (3, 1, 16 * 16, 16 * 11)
    assert 0 < summary["scalar/kprpe/image_share"] < 1
    points = torch.rand(4, 3, 17, 2)
    one_row = mean_image_share(model.kprpe, points.flatten(0, 1)[None], None)  # sequences of other lengths come so
    torch.testing.assert_close(one_row, mean_image_share(model.kprpe, points.flatten(0, 1)[:, None], None))
    assert 0 < one_row < 1


def test_rates(build):
    """The block has the rate itself, KP-RPE no weight decay; DeepGaitV2's parts have their factors, or the rate."""
    for factors, heads, trunk in (("{heads: 0.1, trunk: 0.5}", 0.1, 0.5), ("{trunk: 0.5}", 1, 0.5), ("null", 1, 1)):
        model = build(*OURS, "optimizer_cfg.lr=0.002", f"optimizer_cfg.lr_factors={factors}")
        groups = model.optimizer.param_groups
        held = [id(p) for group in groups for p in group["params"]]
        assert len(held) == len(set(held)) and set(held) == {id(p) for p in model.parameters() if p.requires_grad}
        of = {id(p): group for group in groups for p in group["params"]}
        expected = {"FCs": heads, "BNNecks": heads, "TP": 1}
        for name, parameter in model.named_parameters():
            wanted = expected.get(name.split(".")[0], trunk)
            assert of[id(parameter)]["lr"] == pytest.approx(0.002 * wanted, rel=1e-12), name
            assert of[id(parameter)]["weight_decay"] == (0 if "kprpe" in name else 0.02), name


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model_cfg.attention.num_heads=3", "model_cfg.attention.num_heads: 3 heads do not divide .* 16 channels"),
        ("model_cfg.attention.num_heads=0", "model_cfg.attention.num_heads: 0: expected a whole number"),
        ("model_cfg.attention.heads=2", "model_cfg.attention: heads: unknown key .did you mean 'num_heads'"),
        ("model_cfg.attention=2", "model_cfg.attention: 2: expected keys and values"),
        ("model_cfg.kprpe.grid=window", "kprpe.grid: 'window': there are no windows, .* leave it out"),
        ("model_cfg.kprpe.formulation=multi", "model_cfg.kprpe.formulation: 'multi' is not one of.*'multihead'"),
        ("model_cfg.transformer={embed_dim: 8}", "model_cfg.transformer: unknown key"),
        ("trainer_cfg.iteration_per_epoch=1", "iteration_per_epoch: has no effect on DeepGaitV2KPRPE; SwinGait2D"),
    ],
)
def test_mistakes(build, override, said):
    with pytest.raises(KpstraError, match=said):
        build(*OURS, override)


def test_silhouettes_of_another_size(build):
    """Twice the size needs feature_size, and is told so without it."""
    wide, model = inputs(n=1, s=1), build(*OURS)
    wide[0][0] = torch.rand(1, 1, 128, 88)
    with pytest.raises(KpstraError, match="built for 176 tokens, got 704: build the network for this size"):
        embeddings(model, wide)
    model = build(*OURS, "model_cfg.kprpe.feature_size=[32, 22]")
    assert embeddings(model, wide).shape == (1, 8, 16)
