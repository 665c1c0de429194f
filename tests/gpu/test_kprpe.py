"""KP-RPE on CUDA: biases, attention and injected networks as on a CPU, and under AMP."""

import pytest
import timm
import torch
import torchvision
from on_both import assert_same_on_cuda
from torch import nn

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE, inject_kprpe
from plugins.kprpe.attention.dense import attend
from plugins.kprpe.position.table import FORMULATIONS

L = 5
BIASES = [formulation for formulation in FORMULATIONS if formulation != "none"]
HALVES = {torch.float16: 2e-3, torch.bfloat16: 2e-2}  # and the share of the largest value that rounding may change


def randomise(module, spread=0.5):
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, spread)
    return module


@pytest.mark.parametrize("prefix_tokens", [0, 1])
@pytest.mark.parametrize("formulation", BIASES)
def test_the_bias_and_its_gradients(formulation, prefix_tokens):
    module = randomise(KeypointRPE(L, (4, 3), 2, 2, formulation, prefix_tokens=prefix_tokens))
    points = torch.rand(2, L, 2)

    def forward(kprpe, device):
        factors = kprpe.factors(points.to(device))
        return kprpe.bias(factors, 0) + kprpe.bias(factors, 1)

    assert_same_on_cuda(module, forward)


@pytest.mark.parametrize("trained", [True, False], ids=["bias trained", "bias fixed"])
@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
def test_attention_equals_the_formula(dtype, trained):
    q, k, v, bias = (torch.randn(2, 3, 40, n, dtype=torch.float64) for n in (16, 16, 16, 40))
    wanted = (q @ k.mT / 4 + bias).softmax(-1) @ v
    found = attend(*(t.to("cuda", dtype) for t in (q, k, v)), bias.to("cuda").float().requires_grad_(trained))
    assert found.dtype == dtype
    tolerance = 10 * HALVES.get(dtype, 1e-6)
    torch.testing.assert_close(found.detach().double().cpu(), wanted, rtol=tolerance, atol=tolerance)


FORMS = {
    **{formulation: {"formulation": formulation} for formulation in BIASES},
    "second order, standardised": {"formulation": "second_order", "standardised": True},
    "nonlinear, standardised": {"formulation": "nonlinear", "standardised": True},
    "constant": {"keypoints": "constant"},
    "rotary": {"formulation": "none", "rotary": "image"},
    "rotary, body": {"formulation": "none", "rotary": "body"},
    "cross": {"distance": "cross"},
}
NETWORKS = {
    "timm vit": lambda: timm.models.VisionTransformer(32, 8, 3, 6, embed_dim=32, depth=2, num_heads=2),
    "timm vit without class token": lambda: timm.models.VisionTransformer(
        32, 8, 3, 6, embed_dim=32, depth=2, num_heads=2, class_token=False, global_pool="avg"
    ),
    "torchvision swin": lambda: torchvision.models.SwinTransformer(
        [4, 4], 16, [2, 2], [2, 4], [4, 4], stochastic_depth_prob=0.0, num_classes=6
    ),
}


def injected(network, config):
    """A network with random tables, and a mean pose where its form wants one."""
    model = NETWORKS[network]()
    handle = inject_kprpe(model, {"num_keypoints": L, **config})
    randomise(handle, 0.1)
    handle.fit_pose(torch.rand(100, L, 2))
    return model, handle


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("confidence", [False, True], ids=["", "confidence"])
@pytest.mark.parametrize("form", FORMS)
def test_injected_networks(network, form, confidence):
    model, handle = injected(network, FORMS[form])
    x, points = torch.randn(2, 3, 32, 32), torch.rand(2, L, 2)
    scores = torch.rand(2, L) if confidence else None

    def forward(device):
        model.to(device).zero_grad()
        with handle.set_keypoints(points.to(device), None if scores is None else scores.to(device)):
            output = model(x.to(device))
        output.square().mean().backward()
        # copies: the gradients move with the network
        return [output.detach().cpu(), *(p.grad.cpu().clone() for p in model.parameters() if p.grad is not None)]

    for here, there in zip(forward("cpu"), forward("cuda"), strict=True):
        torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-4 * (1 + float(here.abs().max())))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", HALVES)
def test_a_step_under_amp(network, form, dtype):
    """The output is the one in float32 but for rounding; gradients are finite and reach the keypoints' tables."""
    x, points = torch.randn(2, 3, 32, 32).cuda(), torch.rand(2, L, 2).cuda()
    model, handle = injected(network, FORMS[form])
    model.cuda()
    with handle.set_keypoints(points), torch.no_grad():
        wanted = model(x)
    scaler = torch.amp.GradScaler(enabled=dtype == torch.float16)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    with torch.autocast("cuda", dtype), handle.set_keypoints(points):
        output = model(x)
    share = (output.float() - wanted).abs().max() / wanted.abs().max()
    assert share < 10 * HALVES[dtype]
    scaler.scale(output.float().square().mean()).backward()
    scaler.unscale_(optimiser)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    tables = list(handle.parameters())
    assert all(p.grad is not None for p in tables)
    assert any(p.grad.abs().max() > 0 for p in tables) or not tables  # rotary positions have none
    scaler.step(optimiser)


@pytest.mark.parametrize(("value", "message"), [(float("nan"), "image 1 are NaN"), (80.0, "image 1 reach 80")])
def test_wrong_keypoints_are_told_of_at_the_end(value, message):
    model, handle = injected("timm vit", {})
    points = torch.rand(2, L, 2)
    points[1, 3, 0] = value
    with pytest.raises(KpstraError, match=message), handle.set_keypoints(points.cuda()):
        model.cuda()(torch.randn(2, 3, 32, 32).cuda())


def test_compiled():
    """As uncompiled, forward and gradients."""
    model, handle = injected("timm vit without class token", {})
    model.cuda()
    x, points = torch.randn(2, 3, 32, 32).cuda(), torch.rand(2, L, 2).cuda()

    def forward(network):
        model.zero_grad()
        with handle.set_keypoints(points):
            output = network(x)
        output.square().mean().backward()
        return [output.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]

    for plain, compiled in zip(forward(model), forward(torch.compile(model)), strict=True):
        torch.testing.assert_close(compiled, plain, rtol=1e-3, atol=1e-4 * (1 + float(plain.abs().max())))
