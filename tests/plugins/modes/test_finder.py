"""Modes found in a feature map: StRA's own masks, and the way through KP-RPE of a transformer."""

import pytest
import torch
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer
from torch.utils.checkpoint import checkpoint

from plugins.errors import KpstraError
from plugins.kprpe import inject_kprpe
from plugins.kprpe.position import direct
from plugins.modes import ModeFinder, modes_config
from plugins.stra import ModeAttention


def finder(groups=4, seed=0):
    torch.manual_seed(seed)
    return ModeFinder(16, groups)


def transformer(kind="vit"):
    torch.manual_seed(1)
    small = {"img_size": 32, "patch_size": 4, "in_chans": 16, "num_classes": 3}
    if kind == "swin":
        net = SwinTransformer(**small, window_size=4, embed_dim=16, depths=(2, 1), num_heads=(2, 2))
    else:
        net = VisionTransformer(**small, embed_dim=16, depth=2, num_heads=2, class_token=False, global_pool="avg")
    for parameter in net.parameters():  # timm's own are so small that attention hardly counts
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return net


def with_tables(net, form="multihead", groups=4):
    handle = inject_kprpe(net, modes_config(groups, {"formulation": form, "grid": "image"}))
    torch.manual_seed(2)
    for parameter in handle.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return handle


def test_masks_are_those_of_mode_attention():
    """The same branch under the same names: weights of StRA's mode attention fit."""
    attention, found = ModeAttention(16, 4).eval(), finder().eval()
    found.mask.load_state_dict(attention.mask.state_dict())
    x = torch.randn(2, 16, 5, 3)
    parts = found(x)
    torch.testing.assert_close(parts.mask, attention.modes(x).mask)
    torch.testing.assert_close(found.diversity(parts), attention(x)[1])


@pytest.mark.parametrize("kind", ["vit", "swin"])
@pytest.mark.parametrize("form", ["multihead", "relative", "second_order", "nonlinear"])
@pytest.mark.parametrize("straight", [False, True], ids=["factorised", "direct"])
def test_the_logits_gradient_reaches_the_modes(kind, form, straight, monkeypatch):
    """By both ways to compute f(P), it equals the slope of the logits along a step of the branch's weights."""
    monkeypatch.setattr(direct, "suits", lambda device: straight)
    net, find, x = transformer(kind).double().eval(), finder().double().eval(), torch.randn(2, 16, 32, 32).double()
    handle, weight = with_tables(net, form), find.mask[-1].weight

    def loss():
        parts = find(x)
        with handle.set_keypoints(parts.points, parts.confidence, learned=True):
            return net(x).square().sum()

    (gradient,) = torch.autograd.grad(loss(), weight)
    step, size = torch.randn(weight.shape, dtype=torch.float64), 1e-6
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight += sign * size * step
            values.append(loss())
            weight -= sign * size * step
    slope = (values[0] - values[1]) / (2 * size)
    assert slope.abs() > 1e-4
    torch.testing.assert_close((gradient * step).sum(), slope, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("straight", [False, True], ids=["factorised", "direct"])
def test_recomputation_gives_the_same_gradients(straight, monkeypatch):
    monkeypatch.setattr(direct, "suits", lambda device: straight)
    net, find, x = transformer().double(), finder().double(), torch.randn(2, 16, 32, 32).double()
    handle = with_tables(net, "nonlinear")

    def gradients(run):
        parts = find(x)
        with handle.set_keypoints(parts.points, parts.confidence, learned=True):
            tokens = net.patch_embed(x)
            for block in net.blocks:
                tokens = run(block, tokens)
        return torch.autograd.grad(tokens.square().sum(), list(find.parameters()), allow_unused=True)

    plain = gradients(lambda block, tokens: block(tokens))
    again = gradients(lambda block, tokens: checkpoint(block, tokens, use_reentrant=False))
    for one, other in zip(plain, again, strict=True):
        torch.testing.assert_close(one, other)


def test_given_keypoints_get_no_gradient():
    net = transformer()
    handle, points = with_tables(net), torch.rand(2, 4, 2, requires_grad=True)
    with handle.set_keypoints(points):
        net(torch.randn(2, 16, 32, 32)).sum().backward()
    assert points.grad is None


def test_the_control_gets_the_diversity_loss_alone():
    """Constant centres: the logits do not depend on the branch, which still learns to keep modes apart."""
    net, find, x = transformer(), finder(), torch.randn(2, 16, 32, 32)
    handle = inject_kprpe(net, modes_config(4, {"keypoints": "constant"}))
    handle.fit_pose(find(x).points)
    for parameter in handle.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    parts = find(x)
    with handle.set_keypoints(parts.points, parts.confidence, learned=True):
        logits = net(x)
    assert torch.autograd.grad(logits.sum(), find.mask[-1].weight, allow_unused=True) == (None,)
    (gradient,) = torch.autograd.grad(find.diversity(parts).sum(), find.mask[-1].weight)
    assert gradient.abs().sum() > 0


def test_the_diversity_loss_moves_modes_apart():
    find, x = finder(), torch.randn(4, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(find.parameters(), 0.05)
    losses = []
    for _ in range(30):
        loss = find.diversity(find(x)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_keypoints": 17}, "kprpe.num_keypoints: 17: the keypoints are the 4 modes"),
        ({"standardised": True}, "kprpe.standardised: True: rests on the mean pose"),
        ({"formulation": "none", "rotary": "body"}, "kprpe.rotary: 'body': rests on the mean pose"),
        ({"formulatio": "static"}, "kprpe.formulatio: 'static': unknown key.*formulation"),
    ],
)
def test_settings_that_modes_do_not_take(settings, message):
    with pytest.raises(KpstraError, match=message):
        modes_config(4, settings)


def test_channels_that_the_modes_do_not_divide():
    with pytest.raises(KpstraError, match="channels = 16 does not split into groups = 5"):
        ModeFinder(16, 5)
    with pytest.raises(KpstraError, match="ModeFinder: built for 16 channels, got 8"):
        finder()(torch.zeros(1, 8, 4, 4))
