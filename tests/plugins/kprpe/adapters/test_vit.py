"""timm's vision transformers: masks that a caller gives, and what is refused by name."""

import pytest
import timm
import torch
from attention_networks import JOINTS, beit, randomise, relative_vit, timm_vit

from plugins.errors import KpstraError
from plugins.kprpe import inject_kprpe


@pytest.mark.parametrize("fused", [False, True])
def test_a_mask_of_the_caller_is_added(fused):
    network = timm_vit().eval()
    handle = inject_kprpe(network, {"num_keypoints": JOINTS})
    randomise(handle)
    attention, x = network.blocks[0].attn, torch.randn(2, 17, 32)
    attention.fused_attn = fused
    allowed = torch.rand(2, 1, 17, 17) < 0.7
    allowed |= torch.eye(17, dtype=torch.bool)
    with torch.no_grad(), handle.set_keypoints(torch.rand(2, JOINTS, 2)):
        added = attention(x, attn_mask=torch.where(allowed, 0.0, float("-inf")))
        torch.testing.assert_close(attention(x, attn_mask=allowed), added)
        assert not torch.allclose(attention(x), added)
        with pytest.raises(KpstraError, match="is_causal=True leaves no room"):
            attention(x, is_causal=True)


@pytest.mark.parametrize("build", [beit, relative_vit])
def test_the_bias_takes_the_place_of_the_host_s_table(build):
    """A table that is given the values of ours computes the same."""
    network, x, points = build().double().eval(), torch.randn(1, 3, 32, 32).double(), torch.rand(1, JOINTS, 2)
    handle = inject_kprpe(network, {"num_keypoints": JOINTS})
    randomise(handle)
    biases = {}
    with torch.no_grad():
        with handle.set_keypoints(points):
            expected = network(x)
            biases = {name: at.global_bias(1, at.kprpe.index.shape[-1]) for name, at in handle.attentions.items()}
        handle.remove()
        for name, bias in biases.items():
            attention = network.get_submodule(name)
            if build is beit:
                attention._get_rel_pos_bias = lambda bias=bias: bias
            else:
                attention.rel_pos.get_bias = lambda bias=bias: bias
        torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize(
    ("network", "mode", "message"),
    [
        (lambda: timm_vit(dynamic_img_size=True), "replace", r"blocks.0.attn \(Attention\): .*dynamic_img_size=False"),
        (lambda: timm_vit(patch_drop_rate=0.5), "add", "patch_drop_rate drops tokens in training"),
        (relative_vit, "add", r"blocks.0.attn \(RelPosAttention\): .*mode must be 'replace'"),
        (
            lambda: timm_vit(timm.models.vision_transformer_relpos.VisionTransformerRelPos, shared_rel_pos=True),
            "replace",
            "share one table of relative positions: mode must be 'add'",
        ),
        (lambda: timm_vit(timm.models.Beit, use_shared_rel_pos_bias=True), "replace", "mode must be 'add'"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_changes(network, mode, message):
    network = network()
    names = set(network.state_dict())
    with pytest.raises(KpstraError, match=message):
        inject_kprpe(network, {"num_keypoints": JOINTS}, mode=mode)
    assert set(network.state_dict()) == names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pit_ti_224", "transformers.0.blocks.0.attn.*no module around it has patch_embed.grid_size and num_prefix"),
        ("mobilevit_xxs", "no module around it has patch_embed.grid_size"),
        ("xcit_nano_12_p16_224", "no attention that KP-RPE fits in Xcit; seen: ClassAttentionBlock"),
        ("davit_tiny", "seen: WindowAttention, ChannelAttention"),
        ("maxvit_pico_rw_256", r"attn \(AttentionCl\): no module around it"),
        ("swinv2_cr_tiny_224", "seen: WindowMultiHeadAttention"),
        ("mvitv2_tiny", "seen: MultiScaleAttention"),
        ("samvit_base_patch16", "seen: Attention"),
    ],
)
def test_other_transformers_are_refused_by_name(name, message):
    with torch.device("meta"):
        network = timm.create_model(name)
    with pytest.raises(KpstraError, match=message):
        inject_kprpe(network, {"num_keypoints": JOINTS})


def test_eva():
    """Eva's own rotary positions and its split projections stay; the bias is added."""
    network = timm.models.Eva(
        32, 8, 3, 6, embed_dim=32, depth=2, num_heads=2, qkv_fused=False, use_rot_pos_emb=True, swiglu_mlp=True
    )
    network, x, points = network.double().eval(), torch.randn(2, 3, 32, 32).double(), torch.rand(2, JOINTS, 2)
    with torch.no_grad():
        before = network(x)
        handle = inject_kprpe(network, {"num_keypoints": JOINTS}, mode="add")
        with handle.set_keypoints(points):
            torch.testing.assert_close(network(x), before)
        randomise(handle)
        with handle.set_keypoints(points):
            assert (network(x) - before).abs().max() > 1e-9  # it is small by the network's first weights
