"""KeypointRPE against the reference vectors, naive loops over the paper's equations, and what a module must survive."""

import copy
import pickle
from unittest import mock

import pytest
import torch
from golden_vectors import golden
from torch import nn
from torch.func import functional_call, vmap
from torch.nn.utils.parametrize import register_parametrization

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE, relative_buckets
from plugins.kprpe.attention.dense import attend

FORMULATIONS = ["absolute", "relative", "multihead", "static"]


def randomised(*args, **kwargs):
    rpe = KeypointRPE(*args, **kwargs)
    for p in rpe.parameters():
        nn.init.normal_(p)
    return rpe


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("formulation", ["absolute", "relative", "multihead"])
def test_equals_the_reference_vectors(formulation):
    vectors = golden("kprpe")
    rpe = KeypointRPE(5, (7, 7), num_heads=2, num_layers=3, formulation=formulation)
    rpe.load_reference(vectors[f"vit.{formulation}.weight"], vectors[f"vit.{formulation}.bias"])
    expected = vectors[f"vit.{formulation}.out"]
    factors = rpe.factors(vectors["vit.keypoints_xy"])
    for layer in range(3):
        one = expected[layer] if formulation == "multihead" else expected.unsqueeze(1).expand(-1, 2, -1, -1)
        torch.testing.assert_close(rpe.bias(factors, layer), one, atol=1e-5, rtol=0)
        torch.testing.assert_close(rpe.bias(vectors["vit.keypoints_xy"], layer), one, atol=1e-5, rtol=0)


def naive(rpe, keypoints, confidence, layer, distance):
    """Eqs. 8 to 11 pair by pair; the materialised f(P)."""
    (height, width), heads = rpe.grid_size, rpe.num_heads
    index, _ = relative_buckets(height, width, distance)
    index = index if distance == "cross" else index.unsqueeze(0)
    shared = rpe.table_weight.shape[0] == 1 and rpe.num_layers > 1
    out = []
    for p, s in zip(keypoints, confidence, strict=True):
        image = []
        for head in range(heads):
            weight = rpe.table_weight[0, 0] if shared else rpe.table_weight[layer, head]
            bias = rpe.table_bias[0, 0] if shared else rpe.table_bias[layer, head]
            rows = []
            for i in range(height * width):
                m = torch.tensor([(i % width + 0.5) / width, (i // width + 0.5) / height]).to(p.dtype)  # as the buffer
                if rpe.formulation == "absolute":
                    d = p * s[:, None]
                elif rpe.formulation == "static":
                    d = m.expand_as(p)
                else:
                    d = (m - p) * s[:, None]
                f = (weight * d).sum((1, 2)) + bias  # K
                rows.append(sum(f[axis[i]] for axis in index))
            image.append(torch.stack(rows))
        out.append(torch.stack(image))
    return torch.stack(out)


@pytest.mark.parametrize("distance", ["product", "euclidean", "quant", "cross"])
@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize("with_confidence", [False, True])
def test_equals_the_naive_loop_with_gradients(formulation, distance, with_confidence):
    rpe = randomised(3, (3, 2), 2, 2, formulation, distance).double()
    keypoints = torch.rand(2, 3, 2, dtype=torch.float64) * 2 - 0.5
    confidence = torch.rand(2, 3, dtype=torch.float64) if with_confidence else None
    factors = rpe.factors(keypoints, confidence)
    ones = torch.ones(2, 3, dtype=torch.float64) if confidence is None else confidence
    probe = torch.randn(2, 2, 6, 6, dtype=torch.float64)
    for layer in range(2):
        expected = naive(rpe, keypoints, ones, layer, distance)
        bias = rpe.bias(factors, layer).expand(2, -1, -1, -1)
        torch.testing.assert_close(bias, expected)
        parameters = [rpe.table_weight, rpe.table_bias]
        ours = torch.autograd.grad((bias * probe).sum(), parameters, retain_graph=True)
        theirs = torch.autograd.grad((expected * probe).sum(), parameters)
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("prefix_tokens", [0, 2])
def test_gradcheck(prefix_tokens):
    rpe = randomised(2, (2, 3), 2, 1, prefix_tokens=prefix_tokens).double()
    keypoints, confidence = torch.rand(2, 2, 2).double(), torch.rand(2, 2).double()
    names = [name for name, _ in rpe.named_parameters()]

    def bias(*values):
        return torch.func.functional_call(
            Biased(rpe), {f"rpe.{n}": v for n, v in zip(names, values, strict=True)}, (keypoints, confidence)
        )

    assert torch.autograd.gradcheck(bias, tuple(p.detach().clone().requires_grad_() for p in rpe.parameters()))


class Biased(nn.Module):
    def __init__(self, rpe):
        super().__init__()
        self.rpe = rpe

    def forward(self, keypoints, confidence):
        return self.rpe.bias(self.rpe.factors(keypoints, confidence), 0)


def test_zero_start_and_no_linear_layers():
    rpe = KeypointRPE(5, (4, 4), 2, 2, prefix_tokens=1)
    assert not rpe.bias(torch.rand(3, 5, 2), 1).any()
    assert not any(isinstance(m, nn.Linear) for m in rpe.modules())


@pytest.mark.parametrize("coordinate", [0.3, float("nan"), float("inf")])
def test_absent_joints_contribute_nothing(coordinate):
    rpe = randomised(3, (3, 3), 2, 1)
    keypoints, confidence = torch.rand(1, 3, 2), torch.tensor([[1.0, 0.0, 1.0]])
    keypoints[0, 1] = coordinate
    bias = rpe.bias(rpe.factors(keypoints, confidence), 0)
    two = randomised(2, (3, 3), 2, 1)
    with torch.no_grad():
        two.table_weight.copy_(rpe.table_weight[..., [0, 2], :])
        two.table_bias.copy_(rpe.table_bias)
    torch.testing.assert_close(bias, two.bias(keypoints[:, [0, 2]], 0))


def test_prefix_tokens_have_their_own_biases():
    rpe, plain = randomised(3, (2, 2), 2, 2, prefix_tokens=2), KeypointRPE(3, (2, 2), 2, 2)
    plain.load_state_dict(rpe.state_dict(), strict=False)
    keypoints, confidence = torch.rand(2, 3, 2), torch.rand(2, 3)
    bias = rpe.bias(rpe.factors(keypoints, confidence), 1)
    torch.testing.assert_close(bias[:, :, 2:, 2:], plain.bias(plain.factors(keypoints, confidence), 1))
    for head in range(2):
        to_patch, from_patch, among = rpe.prefix[1, head]
        assert (bias[:, head, :2, 2:] == to_patch).all() and (bias[:, head, 2:, :2] == from_patch).all()
        assert (bias[:, head, :2, :2] == among).all()


def remembered(rpe, keypoints):
    with torch.no_grad():
        return rpe.bias(keypoints, 0).clone()


CHANGES = ["load_state_dict", "assign", "optimizer", "to", "deepcopy", "pickle", "in_place", "data"]


@pytest.mark.parametrize("change", CHANGES)
def test_the_remembered_static_part_is_never_stale(change):
    rpe, keypoints = randomised(3, (3, 3), 2, 1).eval(), torch.rand(2, 3, 2)
    before, old = remembered(rpe, keypoints), dict(rpe.named_parameters())
    assert torch.equal(remembered(rpe, keypoints), before) and rpe._cache
    if change == "load_state_dict":
        rpe.load_state_dict(randomised(3, (3, 3), 2, 1).state_dict())
    elif change == "assign":
        rpe.load_state_dict(randomised(3, (3, 3), 2, 1).state_dict(), assign=True)
        assert rpe.table_bias is not old["table_bias"]  # which lives on
    elif change == "data":  # as averages of weights do; no version counter sees it
        rpe.table_bias.data.mul_(2)
    elif change == "optimizer":
        optimizer = torch.optim.AdamW(rpe.parameters(), lr=1.0)
        rpe.bias(keypoints, 0).square().sum().backward()
        optimizer.step()
    elif change == "to":
        rpe.to(torch.float64)
    elif change == "in_place":
        with torch.no_grad():
            rpe.table_bias.mul_(2)
    else:
        rpe = copy.deepcopy(rpe) if change == "deepcopy" else pickle.loads(pickle.dumps(rpe))
        assert not rpe._cache
        assert torch.equal(remembered(rpe, keypoints), before)
        with torch.no_grad():
            rpe.table_bias.add_(1)
    fresh = copy.deepcopy(rpe)
    after = remembered(rpe, keypoints)
    torch.testing.assert_close(after, fresh.bias(keypoints, 0).detach())
    assert (after - before).abs().max() > (0 if change == "to" else 1e-3)


class Added(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.more = nn.Parameter(torch.zeros_like(weight))

    def forward(self, weight):
        return weight + self.more


def test_a_parametrized_table_is_remembered_by_its_values():
    rpe, keypoints = randomised(3, (3, 3), 2, 1).eval(), torch.rand(2, 3, 2)
    added = Added(rpe.table_bias)
    register_parametrization(rpe, "table_bias", added)
    before = remembered(rpe, keypoints)
    with torch.no_grad():
        added.more.add_(1)
    torch.testing.assert_close(remembered(rpe, keypoints), before + 1)


@pytest.mark.parametrize("call", ["replica", "functional_call", "vmap"])
def test_weights_of_one_call_are_not_those_of_the_next(call):
    """Replicas (DataParallel) and functional calls have tensors of their own where the module has parameters."""
    rpe, keypoints = randomised(3, (3, 3), 2, 1, prefix_tokens=1).eval(), torch.rand(2, 3, 2)
    weights = dict(rpe.named_parameters())

    def under(factor):
        scaled = {name: weight.detach() * factor for name, weight in weights.items()}
        if call == "replica":
            replica = rpe._replicate_for_data_parallel()
            for name, weight in scaled.items():
                setattr(replica, name, weight)
            return remembered(replica, keypoints)
        if call == "functional_call":
            with torch.no_grad():
                return functional_call(rpe, scaled, (keypoints, 0)).clone()
        two = {name: torch.stack((weight, weight)) for name, weight in scaled.items()}
        with torch.no_grad():
            return vmap(lambda w: functional_call(rpe, w, (keypoints, 0)))(two)[0]

    own = remembered(rpe, keypoints)
    with mock.patch.object(rpe, "forward", rpe.bias, create=True):
        once, thrice = under(1), under(3)
    torch.testing.assert_close(once, own)
    torch.testing.assert_close(thrice, 3 * once)


def test_the_static_part_is_not_remembered_while_gradients_are_wanted():
    rpe = randomised(3, (3, 3), 2, 1)
    rpe.bias(torch.rand(2, 3, 2), 0)
    assert not rpe._cache


def test_the_references_big_tensor_never_exists():
    """(B, N, layers * heads * K) is the reference's; nothing that autograd saves here comes near it."""
    rpe = randomised(5, (14, 14), 8, 12)
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.untyped_storage().nbytes()), lambda t: t):
        factors = rpe.factors(torch.rand(4, 5, 2))
        rpe.bias(factors, 3).sum()
    assert sum(sizes) < 4 * 196 * 12 * 8 * 49 * 4 / 10


@pytest.mark.parametrize("scale_bias", [False, True])
def test_attention_equals_the_explicit_softmax(scale_bias):
    rpe = randomised(3, (3, 3), 2, 1)
    q, k, v = torch.randn(3, 4, 2, 9, 8)
    bias = rpe.bias(torch.rand(4, 3, 2), 0)
    scores = q @ k.transpose(-1, -2)
    scores = (scores + bias) * 8**-0.5 if scale_bias else scores * 8**-0.5 + bias
    torch.testing.assert_close(attend(q, k, v, bias, scale_bias=scale_bias), scores.softmax(-1) @ v)


@pytest.mark.usefixtures("both_ways")
def test_under_bfloat16_autocast_the_bias_is_computed_in_float32():
    rpe, keypoints = randomised(3, (3, 3), 2, 1), torch.rand(4, 3, 2)
    q, k, v = torch.randn(3, 4, 2, 9, 8)
    bias = rpe.bias(keypoints, 0)
    with torch.autocast("cpu", torch.bfloat16):
        half = rpe.bias(keypoints, 0)
        out = attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), half)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, bias, atol=1e-5, rtol=1e-5)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), attend(q, k, v, bias), atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda r: r.factors(torch.rand(2, 4, 2)), r"expected floating \(B, 3, 2\), got torch.float32 \(2, 4, 2\)"),
        (lambda r: r.factors(torch.zeros(2, 3, 2, dtype=torch.int64)), "got torch.int64"),
        (lambda r: r.factors(torch.full((2, 3, 2), float("nan"))), "keypoints of image 0 are NaN or infinite"),
        (lambda r: r.factors(torch.rand(2, 3, 2), torch.rand(2, 2)), r"confidence: expected \(2, 3\)"),
        (lambda r: r.factors(torch.rand(2, 3, 2), torch.tensor([[1.0] * 3, [float("nan")] * 3])), "image 1 are NaN"),
        (lambda r: r.bias(torch.rand(2, 3, 2), 2), "layer 2 of 2"),
        (lambda r: r.load_reference(torch.zeros(3, 3), torch.zeros(3)), r"do not fit \(4 tables x 49 buckets"),
        (lambda r: KeypointRPE(3, (2, 2), 2, 2, formulation="multi"), "did you mean 'multihead'"),
        (lambda r: KeypointRPE(0, (2, 2), 2, 2), "num_keypoints 0"),
    ],
)
def test_mistakes_are_named(run, message):
    with pytest.raises(KpstraError, match=message):
        run(KeypointRPE(3, (3, 3), num_heads=2, num_layers=2))
