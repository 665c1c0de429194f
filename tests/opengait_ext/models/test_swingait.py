"""Our models inside each host: sizes, start, optimiser groups, keypoints, recomputation."""

import importlib

import pytest
import torch
from gait_models import TINY, embeddings, inputs

from opengait_ext.data.checks import check_groups
from plugins.common.checkpoints import fit
from plugins.errors import KpstraError

pytest_plugins = ["host_folders", "gait_models"]


def randomise(model):
    chance = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.kprpe.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=chance))


def test_zero_start(build):
    """The tables are zero still after the host's init_parameters: with mode add, the outputs of SwinGait-2D."""
    model = build("opengait/swingait2d_kprpe_gait3d", *TINY, "model_cfg.kprpe.mode=add")
    assert all(not p.any() for p in model.kprpe.parameters()) and list(model.kprpe.parameters())
    base = build("opengait/swingait2d_gait3d", *TINY, "data_cfg.data_in_use=[true, false]")
    missing = model.load_state_dict(base.state_dict(), strict=False)
    assert not missing.unexpected_keys and all("kprpe" in name for name in missing.missing_keys)
    start = embeddings(model, inputs())
    assert torch.allclose(start, embeddings(base, inputs(joints=False)), atol=1e-5)
    randomise(model)
    assert not torch.allclose(start, embeddings(model, inputs()), atol=1e-3)


def test_optimiser_groups(build):
    """Every trainable parameter once; KP-RPE without weight decay; a parameter left out is noticed."""
    model = build("opengait/swingait2d_kprpe_gait3d", *TINY)
    groups = model.optimizer.param_groups
    ids = [id(p) for group in groups for p in group["params"]]
    assert len(ids) == len(set(ids)) and set(ids) == {id(p) for p in model.parameters() if p.requires_grad}
    ours = {id(p) for p in model.kprpe.parameters()}
    (group,) = [group for group in groups if {id(p) for p in group["params"]} & ours]
    assert {id(p) for p in group["params"]} == ours and group["weight_decay"] == 0 and group["lr"] == 3e-4
    assert any(other["weight_decay"] == 0.02 for other in groups)
    groups[0]["params"].pop()
    with pytest.raises(KpstraError, match="not in exactly one parameter group"):
        check_groups(model, model.optimizer)


def shapes(model):
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def test_default_sizes_are_the_hosts(build):
    """Without model_cfg.transformer the shapes are those of the host's hard-coded SwinGait."""
    overrides = ("model_cfg.SeparateBNNecks.class_num=4", "data_cfg.data_in_use=[true, false]")
    theirs = shapes(build("opengait/swingait2d_gait3d", *overrides, "model_cfg.model=SwinGait"))
    ours = shapes(build("opengait/swingait2d_gait3d", *overrides))
    differing = {name for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name)}
    parts = {name.split(".")[0] for name in theirs.keys() - differing}
    assert parts == {"layer0", "layer1", "transformer", "FCs", "BNNecks"}
    allowed = ("layer2.", "relative_position_bias_table", "relative_position_index")
    assert all(any(part in name for part in allowed) for name in differing)
    tables = {name: shape for name, shape in ours.items() if "relative_position_bias_table" in name}
    assert {shape[0] for shape in tables.values()} == {1 * 5 * 9} and len(tables) == 6
    joints = shapes(build("opengait/swingait3d_kprpe_gait3d", overrides[0]))
    same = {name: shape for name, shape in joints.items() if "kprpe" not in name}
    assert same.items() <= theirs.items()
    assert all("relative_position" in name for name in theirs.keys() - same.keys())


def test_deepgait_fits(build):
    """The warm start of the paper: DeepGaitV2-2D gives its first three layers."""
    overrides = ("model_cfg.SeparateBNNecks.class_num=4",)
    deep = build("opengait/deepgaitv2_2d_gait3d", *overrides, "data_cfg.data_in_use=[true, false]").state_dict()
    swin = build("opengait/swingait2d_kprpe_gait3d", *overrides).state_dict()
    report = fit(deep, swin, "deep.pt")
    first = {name for name in swin if name.startswith(("layer0.", "layer1.", "layer2."))}
    assert first <= report.weights.keys() and len(first) > 50
    assert {name for name in deep if name.startswith(("layer0.", "layer1.", "layer2."))} == first
    assert any(name.startswith("layer3.") for name in report.unknown)


def test_each_token_follows_its_own_frame(build):
    """SwinGait-3D: other joints in frame 1 change the first block's attention for queries of frame 1 alone."""
    model = build("opengait/swingait3d_kprpe_gait3d", *TINY)
    randomise(model)
    seen = []
    model.transformer.layers[0].blocks[0].attn.register_forward_hook(lambda module, args, output: seen.append(output))
    batch = inputs(n=1)
    embeddings(model, batch)
    batch[0][1][:, 1] = batch[0][1][:, 1].flip(1)
    embeddings(model, batch)
    before, after = (output[:, :45].unflatten(1, (3, 15)) for output in seen)  # windows, frames, tokens of a frame, C
    changed = (before - after).abs().amax((0, 2, 3))
    assert changed[1] > 1e-4 and changed[0] < 1e-6 and changed[2] < 1e-6


@pytest.mark.parametrize("window, frames", [([1, 3, 5], 4), ([3, 3, 5], 6), ([3, 3, 5], 4), ([2, 4, 4], 4)])
def test_fused_blocks_equal_the_hosts(host, build, window, frames):
    """The same weights give the host transformer's outputs and gradients; sizes that do not divide included."""
    build("opengait/swingait2d_gait3d", *TINY, "data_cfg.data_in_use=[true, false]")  # makes our modules importable
    blocks = importlib.import_module("opengait_ext.models.blocks")
    swingait = host("modeling.models.swingait")
    theirs, ours = (
        swingait.SwinTransformer3D(
            patch_size=[1, 2, 2],
            in_chans=4,
            embed_dim=16,
            depths=[2, 2],
            num_heads=[2, 4],
            window_size=window,
            downsample=[1, 0],
            drop_path_rate=0.0,
            patch_norm=True,
        )
        for _ in range(2)
    )
    for network in (theirs, ours):
        network.num_features, network.norm = 32, torch.nn.LayerNorm(32)
    torch.nn.init.normal_(theirs.layers[0].blocks[1].attn.relative_position_bias_table)
    ours.load_state_dict(theirs.state_dict())
    blocks.use_fused(ours, blocks.FusedBlock)
    results = []
    for network in (theirs, ours):
        x = torch.rand(2, 4, frames, 30, 20, generator=torch.Generator().manual_seed(0)).requires_grad_()
        with torch.no_grad():
            inferred = network(x)
        y = network(x)
        y.square().mean().backward()
        results.append([inferred, y, x.grad, *(p.grad for p in network.parameters())])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, atol=2e-6, rtol=1e-4)


def test_recomputation(build):
    """model_cfg.transformer.checkpoint: the same loss and gradients, dropped paths included, with less kept."""
    losses, gradients, kept = [], [], []
    for checkpoint in ("false", "true"):
        model = build(
            "opengait/swingait2d_kprpe_gait3d",
            *TINY,
            f"model_cfg.transformer.checkpoint={checkpoint}",
            "model_cfg.transformer.drop_path=0.5",
        )
        randomise(model)
        model.train()
        torch.manual_seed(5)
        size = []

        def pack(tensor, size=size):
            size.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = model(inputs())["training_feat"]["triplet"]["embeddings"].square().mean()
        loss.backward()
        losses.append(loss.item())
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
        kept.append(sum(size))
    assert losses[0] == losses[1] and gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-7, rtol=1e-5)
    assert any("kprpe" in name and gradient.any() for name, gradient in gradients[0].items())
    assert kept[1] < 0.8 * kept[0]


@pytest.mark.parametrize("formulation", ["absolute", "relative", "multihead", "static"])
@pytest.mark.parametrize("grid", ["window", "image"])
def test_formulations(build, formulation, grid):
    """All run and learn; the control ignores the joints, the others follow them."""
    kprpe = (f"model_cfg.kprpe.formulation={formulation}", f"model_cfg.kprpe.grid={grid}")
    model = build("opengait/swingait2d_kprpe_gait3d", *TINY, *kprpe)
    randomise(model)
    here, there = (
        embeddings(model, (inputs()[0], *inputs()[1:]))
        if seed is None
        else embeddings(model, ([inputs()[0][0], inputs(seed=seed)[0][1]], *inputs()[1:]))
        for seed in (None, 7)
    )
    assert torch.allclose(here, there, atol=1e-6) == (formulation == "static")
    here.square().mean().backward()
    assert any(p.grad is not None and p.grad.any() for p in model.kprpe.parameters())


@pytest.mark.parametrize(
    "form",
    [
        "{formulation: second_order, standardised: true, confidence: true}",
        "{formulation: nonlinear}",
        "{formulation: none, rotary: body}",
        "{formulation: multihead, rotary: image, standardised: true, keypoints: constant}",
    ],
)
@pytest.mark.parametrize("config", ["swingait2d_kprpe_gait3d", "swingait3d_kprpe_gait3d"])
def test_forms_with_interaction(build, config, form):
    """Every part learns, all but the constant pose follow the joints, and the mean pose is that of the first batch."""
    model = build(f"opengait/{config}", *TINY, f"model_cfg.kprpe={form}")
    model.get_optimizer(model.cfgs["optimizer_cfg"])
    randomise(model)
    embeddings(model, inputs(), training=True).square().mean().backward()
    transformer = [p for p in model.transformer.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in transformer)
    poses = [at.kprpe.pose for at in model.kprpe.attentions.values() if at.kprpe.pose is not None]
    assert bool(poses) == (form != "{formulation: nonlinear}")
    joints = inputs()[0][1]
    for pose in poses:
        x = (joints[..., 0] + 0.5) / 44
        mean = (joints[..., 2] * x).sum((0, 1)) / joints[..., 2].sum((0, 1))
        torch.testing.assert_close(pose.mean[:, 0], mean)
        assert pose.count == 6
    embeddings(model, inputs(seed=4), training=True)
    assert all(pose.count == 6 for pose in poses)  # and of no later one
    here = embeddings(model, inputs())
    there = embeddings(model, ([inputs()[0][0], inputs(seed=7)[0][1]], *inputs()[1:]))
    assert torch.allclose(here, there, atol=1e-6) == ("constant" in form)


def test_what_the_images_decide_is_shown_in_tensorboard(build):
    model = build("opengait/swingait3d_kprpe_gait3d", *TINY, "model_cfg.kprpe.formulation=second_order")
    model.iteration = model.engine_cfg["log_iter"] - 1
    summary = model.train()(inputs())["visual_summary"]
    assert summary["scalar/kprpe/image_share"] == 0  # the tables are zero
    randomise(model)
    assert 0 < model(inputs())["visual_summary"]["scalar/kprpe/image_share"] < 1


def test_confidence(build):
    """With confidence a joint of score 0 has no say; without it the score is not looked at."""
    for uses in ("false", "true"):
        model = build("opengait/swingait2d_kprpe_gait3d", *TINY, f"model_cfg.kprpe.confidence={uses}")
        randomise(model)
        batch = inputs()
        batch[0][1][..., 5, 2] = 0
        outputs = [embeddings(model, batch)]
        batch[0][1][..., 5, :2] += 9
        outputs.append(embeddings(model, batch))
        assert torch.allclose(*outputs, atol=1e-6) == (uses == "true")


def test_wrong_inputs(build):
    """Missing keypoints, and keypoints of another shape, say what to look at."""
    model = build("opengait/swingait2d_kprpe_gait3d", *TINY)
    with pytest.raises(KpstraError, match=r"1 modalities, expected silhouettes.*check data_cfg.data_in_use"):
        model(inputs(joints=False))
    modalities, *others = inputs()
    with pytest.raises(KpstraError, match="silhouettes must come first and keypoints second"):
        model((modalities[::-1], *others))
    with pytest.raises(KpstraError, match=r"expected \(2, 3, 17, 3\)"):
        model(([modalities[0], modalities[1][:, :, :5]], *others))


@pytest.mark.parametrize(
    "override, message",
    [
        ("model_cfg.transformer.embed_dims=8", "model_cfg.transformer.embed_dims: unknown key.*'embed_dim'"),
        ("model_cfg.transformer.num_heads=[3, 4]", "two numbers that divide embed_dim 16 and 32"),
        ("model_cfg.transformer.window=[3, 5]", r"expected \[frames, rows, columns\]"),
        ("model_cfg.kprpe.confidence=maybe", "model_cfg.kprpe.confidence: 'maybe': expected true or false"),
        ("model_cfg.kprpe.formulation=multi", "model_cfg.kprpe.formulation: 'multi' is not one of.*'multihead'"),
        ("model_cfg.kprpe.gird=window", "model_cfg.kprpe.gird.*'grid'"),
        ("model_cfg.Backbone.mode=p3d", "model_cfg.Backbone.mode: 'p3d': SwinGait2DKPRPE has '2d' blocks"),
    ],
)
def test_wrong_settings(build, override, message):
    with pytest.raises(KpstraError, match=message):
        build("opengait/swingait2d_kprpe_gait3d", *TINY, override)
