"""Windows by gathers, and attention inside windows that share biases."""

import pytest
import torch
import torch.nn.functional as F

from plugins.errors import KpstraError
from plugins.kprpe.attention.dense import attend
from plugins.kprpe.attention.partition import padded_length, window_partition, window_reverse, windows_of
from plugins.kprpe.attention.windows import attend_windows
from plugins.kprpe.position.compact import expand_to_windows

CASES = [((2, 6, 10), (1, 3, 5), (0, 1, 2)), ((3, 6, 4), (3, 3, 2), (1, 1, 1)), ((4, 4, 4), (2, 2, 2), (0, 0, 0))]


def naive_cut(x, window, shift):
    """Roll, then cut window by window: (B, D, H, W, C) to a list in Swin's order."""
    x = torch.roll(x, [-s for s in shift], dims=(1, 2, 3))
    (depth, height, width), (d, h, w) = x.shape[1:4], window
    return torch.stack(
        [
            x[b, i : i + d, j : j + h, k : k + w].flatten(0, 2)
            for b in range(len(x))
            for i in range(0, depth, d)
            for j in range(0, height, h)
            for k in range(0, width, w)
        ]
    )


@pytest.mark.parametrize("size, window, shift", CASES)
def test_cut_and_join(size, window, shift):
    """cut equals rolling and slicing, join undoes it; gradients pass through, those of padding rows are dropped."""
    x = torch.randn(2, *size, 3, requires_grad=True)
    windows = windows_of(size, window, shift, x.device)
    y = window_partition(x.flatten(1, 3), windows)
    assert y.shape[1] == windows.rows == padded_length(windows.tokens)
    assert torch.equal(y[:, : windows.tokens], naive_cut(x, window, shift))
    assert torch.equal(window_reverse(y, windows).view_as(x), x)
    weight = torch.randn(y.shape[0], windows.tokens, 3)
    (gradient,) = torch.autograd.grad((y[:, : windows.tokens] * weight).sum(), x, retain_graph=True)
    (expected,) = torch.autograd.grad((naive_cut(x, window, shift) * weight).sum(), x)
    assert torch.equal(gradient, expected)
    y = torch.randn_like(y, requires_grad=True)
    (gradient,) = torch.autograd.grad((window_reverse(y, windows) * x.detach().flatten(1, 3)).sum(), y)
    assert torch.equal(gradient[:, : windows.tokens], naive_cut(x.detach(), window, shift))
    assert not gradient[:, windows.tokens :].any()


def test_padded_length():
    """15 -> 16 and 45 -> 48; no more than an eighth is wasted."""
    assert [padded_length(n) for n in (15, 45, 16, 49, 4, 196, 14)] == [16, 48, 16, 49, 4, 208, 14]


def test_windows_first_met_under_another_default_device():
    with torch.device("meta"):
        windows = windows_of((1, 8, 5), (1, 4, 5), (0, 1, 0), torch.device("cpu"))
    assert {windows.order.device.type, windows.inverse.device.type} == {"cpu"}


def test_windows_first_met_in_inference_mode_can_train():
    with torch.inference_mode():
        windows_of((1, 9, 5), (1, 3, 5), (0, 1, 0), torch.device("cpu"))
    x = torch.randn(1, 45, 2, requires_grad=True)
    windows = windows_of((1, 9, 5), (1, 3, 5), (0, 1, 0), x.device)
    window_reverse(window_partition(x, windows), windows).sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def naive_attention(q, k, v, bias, mask, scale):
    """The formula, window by window."""
    windows, n = len(q), bias.shape[-1]
    out = []
    for w in range(windows):
        frame = w // (windows // bias.shape[0])
        place = w % (windows // bias.shape[0]) % bias.shape[1]
        scores = q[w, :, :n] @ k[w, :, :n].transpose(-2, -1) * scale + bias[frame, place]
        if mask is not None:
            scores = scores + mask[w % len(mask)]
        out.append(scores.softmax(-1) @ v[w, :, :n])
    return torch.stack(out)


@pytest.mark.parametrize("frames, places", [(1, 1), (3, 1), (1, 4), (3, 4)])
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("padding", [0, 2])
def test_attention_equals_the_formula(frames, places, heads, masked, padding):
    """With and without gradients, and the gradients of all that has one."""
    torch.manual_seed(0)
    windows, n = 12, 6
    tensors = [torch.randn(windows, 2, n + padding, 4, dtype=torch.float64) for _ in range(3)]
    bias = torch.randn(frames, places, heads, n, n, dtype=torch.float64)
    mask = torch.randn(4, n, n, dtype=torch.float64) if masked else None
    results = []
    for attention in (attend_windows, naive_attention):
        leaves = [t.clone().requires_grad_() for t in (*tensors, bias)]
        with torch.no_grad():
            inferred = attention(*leaves, mask, 0.3)[:, :, :n]
        out = attention(*leaves, mask, 0.3)[:, :, :n]
        torch.testing.assert_close(out, inferred)
        results.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)
    assert not any(gradient[:, :, n:].any() for gradient in results[0][1:4])


def test_scale_is_the_usual_one_and_dropout_drops():
    q, k, v = torch.randn(3, 4, 2, 6, 8)
    bias = torch.randn(1, 1, 2, 6, 6, requires_grad=True)
    expected = F.scaled_dot_product_attention(q, k, v, bias[0])
    torch.testing.assert_close(attend_windows(q, k, v, bias), expected)
    torch.testing.assert_close(attend(q, k, v, bias[0]), expected)
    ones = torch.ones_like(v)
    for attention, b in ((attend_windows, bias), (attend, bias[0])):
        dropped = attention(q, k, ones, b, dropout=0.5)
        assert 0.8 < dropped.mean() < 1.2 and dropped.std() > 0.1


def test_half_types():
    """Under autocast the formula and the fused attention agree, in the queries' type."""
    q, k, v = torch.randn(3, 4, 2, 6, 8).bfloat16()
    bias = torch.randn(2, 1, 2, 6, 6, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = attend_windows(q, k, v, bias)
        with torch.no_grad():
            inferred = attend_windows(q, k, v, bias)
    assert out.dtype == inferred.dtype == torch.bfloat16
    torch.testing.assert_close(out, inferred, atol=0.05, rtol=0.05)
    out.float().sum().backward()
    assert bias.grad.isfinite().all()


def test_wrong_number_of_windows():
    q = torch.randn(4, 1, 6, 8)
    for gradient in (False, True):
        bias = torch.randn(3, 1, 1, 6, 6, requires_grad=gradient)
        with pytest.raises(KpstraError, match="3 frames do not fit 4 windows"):
            attend_windows(q, q, q, bias)
    with pytest.raises(KpstraError, match="3 frames do not fit 4 windows"):
        expand_to_windows(bias, 4)
