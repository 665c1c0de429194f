"""Every form of f(P), standardised or not, given or constant keypoints, against the naive loop."""

import itertools

import pytest
import torch
from naive_kprpe import centre, table_of
from torch import nn

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE, WindowedKeypointRPE, relative_buckets
from plugins.kprpe.position.partition import window_partition

FORMS = ["multihead", "absolute", "relative", "second_order", "nonlinear"]
INTERACTING = ["second_order", "nonlinear"]
CASES = [
    pytest.param(form, standardised, keypoints, id=f"{form}-{'standardised' if standardised else 'plain'}-{keypoints}")
    for form, standardised, keypoints in itertools.product(FORMS, (False, True), ("given", "constant"))
]


def randomised(rpe, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in rpe.parameters():
            p.normal_(generator=generator)
        if rpe.pose is not None:
            rpe.pose.fit(torch.rand(50, rpe.num_keypoints, 2, generator=generator) * 0.6 + 0.2)
    return rpe.double()


def joints(batch, confidence, count=3):
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(batch, count, 2, generator=generator).double() * 2 - 0.5
    return points, torch.rand(batch, count, generator=generator).double() if confidence else None


def looked_up(rows, index):
    """B (heads, n, n) from the tables (n, heads, K) of every query."""
    index = index if index.ndim == 3 else index.unsqueeze(0)
    return torch.stack([sum(row[:, of_axis[i]] for of_axis in index) for i, row in enumerate(rows)], dim=1)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("with_confidence", [False, True])
@pytest.mark.parametrize(("form", "standardised", "keypoints"), CASES)
@pytest.mark.parametrize(("distance", "prefix"), [("product", 0), ("cross", 2)])
def test_a_grid_equals_the_naive_loop_with_gradients(form, standardised, keypoints, distance, prefix, with_confidence):
    height, width, layer = 3, 2, 1
    rpe = KeypointRPE(
        3, (height, width), 2, 2, form, distance, prefix_tokens=prefix, **options(standardised, keypoints)
    )
    randomised(rpe)
    points, confidence = joints(2, with_confidence)
    ones = torch.ones(2, 3).double() if confidence is None else confidence
    index = relative_buckets(height, width, distance)[0]
    expected = torch.stack(
        [
            looked_up([table_of(rpe, centre(i, height, width), p, s, layer) for i in range(height * width)], index)
            for p, s in zip(points, ones, strict=True)
        ]
    )
    got = rpe.bias(rpe.factors(points, confidence), layer)[..., prefix:, prefix:]
    torch.testing.assert_close(got, expected)
    probe = torch.randn_like(expected)
    parameters = [p for name, p in rpe.named_parameters() if name != "prefix"]
    for ours, theirs in zip(
        torch.autograd.grad((got * probe).sum(), parameters),
        torch.autograd.grad((expected * probe).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
    with torch.no_grad():
        torch.testing.assert_close(rpe.bias(rpe.factors(points, confidence), layer)[..., prefix:, prefix:], expected)


def options(standardised, keypoints):
    return {"standardised": standardised, "keypoints": keypoints}


def naive_windows(rpe, points, confidence, layer, frames):
    """Tables of every place of every frame, padded, rolled and cut in space and time, then looked up pair by pair."""
    (height, width), (time, h, w), shift = rpe.feature_size, rpe.window_size, rpe.shifts[layer]
    out = []
    for sequence, weights in zip(points.unflatten(0, (-1, frames)), confidence.unflatten(0, (-1, frames)), strict=True):
        maps = []
        for p, s in zip(sequence, weights, strict=True):
            f = [table_of(rpe, centre(i, height, width), p, s, layer) for i in range(height * width)]
            f = torch.stack(f).unflatten(0, (height, width)).flatten(2)
            maps.append(window_partition(f[None, None], (1, h, w), (0, *shift[1:])))  # places, h * w, heads * K
        maps = torch.stack(maps).roll(-shift[0], 0).unflatten(0, (-1, time))  # T', t, places, h * w, ..
        tables = maps.transpose(1, 2).flatten(2, 3).unflatten(-1, (rpe.num_heads, -1))  # T', places, n, heads, K
        index = relative_buckets(h, w, time=time if time > 1 else None)[0]
        out += [looked_up(window, index) for window in tables.flatten(0, 1)]
    return torch.stack(out)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("with_confidence", [False, True])
@pytest.mark.parametrize(
    ("form", "standardised", "keypoints", "size", "window", "frames"),
    [
        *((*case.values, (3, 4), (1, 2, 3), 1) for case in CASES),
        *((*case.values, (3, 4), (2, 2, 2), 4) for case in CASES if case.values[2] == "given"),
        *((form, False, "given", (9, 10), (1, 8, 7), 1) for form in INTERACTING),  # more tokens than buckets
    ],
)
def test_windows_on_the_image_equal_the_naive_loop(
    form, standardised, keypoints, size, window, frames, with_confidence
):
    shifts = [(0, 0, 0), tuple(side // 2 for side in window)]
    rpe = WindowedKeypointRPE(3, size, window, 2, shifts, "image", form, **options(standardised, keypoints))
    randomised(rpe)
    points, confidence = joints(2 * frames, with_confidence)
    ones = torch.ones(points.shape[:2]).double() if confidence is None else confidence
    expected = naive_windows(rpe, points, ones, 1, frames)
    compact = rpe.frame_bias(rpe.factors(points, confidence), 1, frames)
    got = compact.expand(-1, len(expected) // len(compact), -1, -1, -1).flatten(0, 1)
    torch.testing.assert_close(got, expected)
    probe, parameters = torch.randn_like(expected), list(rpe.parameters())
    for ours, theirs in zip(
        torch.autograd.grad((got * probe).sum(), parameters),
        torch.autograd.grad((expected * probe).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("form", INTERACTING)
def test_on_the_windows_own_grid_all_windows_share_the_bias_of_a_small_image(form):
    rpe = randomised(WindowedKeypointRPE(3, (4, 6), (2, 3), 2, [(1, 1)], "window", form))
    image = KeypointRPE(3, (2, 3), 2, 1, form).double()
    image.load_state_dict(rpe.state_dict())
    points, confidence = joints(2, True)
    compact = rpe.frame_bias(rpe.factors(points, confidence), 0)
    assert compact.shape == (2, 1, 2, 6, 6)
    torch.testing.assert_close(compact[:, 0], image.bias(image.factors(points, confidence), 0))


def test_the_forms_with_interaction_take_the_image_as_their_frame_unless_told():
    grids = {form: WindowedKeypointRPE(3, (4, 4), (2, 2), 1, [(0, 0)], formulation=form).grid for form in FORMS}
    assert grids == dict.fromkeys(FORMS, "window") | dict.fromkeys(INTERACTING, "image")


class Biased(nn.Module):
    def __init__(self, rpe):
        super().__init__()
        self.rpe = rpe

    def forward(self, points, confidence):
        factors = self.rpe.factors(points, confidence)
        return self.rpe.bias(factors, 0) if isinstance(self.rpe, KeypointRPE) else self.rpe.frame_bias(factors, 0)


BUILT = {
    "grid": lambda form: KeypointRPE(2, (2, 2), 1, 1, form, "euclidean", standardised=True),
    "windows": lambda form: WindowedKeypointRPE(2, (2, 3), (2, 2), 1, [(1, 1)], None, form, "quant"),
}


@pytest.mark.parametrize("form", INTERACTING)
@pytest.mark.parametrize("kind", BUILT)
def test_gradcheck(form, kind):
    rpe = randomised(BUILT[kind](form))
    points, confidence = joints(1, True, 2)
    names = [f"rpe.{name}" for name, _ in rpe.named_parameters()]
    values = tuple(p.detach().clone().requires_grad_() for p in rpe.parameters())

    def bias(*given):
        return torch.func.functional_call(Biased(rpe), dict(zip(names, given, strict=True)), (points, confidence))

    assert torch.autograd.gradcheck(bias, values)


@pytest.mark.slow
@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("form", INTERACTING)
@pytest.mark.parametrize("kind", BUILT)
def test_starts_at_zero_and_is_the_same_compiled_and_under_autocast(form, kind):
    rpe = BUILT[kind](form)
    points, confidence = (t.float() for t in joints(2, True, 2))
    assert not Biased(rpe)(points, confidence).any()
    randomised(rpe).float()
    expected = Biased(rpe)(points, confidence)
    with torch.autocast("cpu", torch.bfloat16):
        half = Biased(rpe)(points, confidence)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, expected, atol=1e-5, rtol=1e-5)
    compiled = torch.compile(Biased(rpe), backend="aot_eager")(points, confidence)
    torch.testing.assert_close(compiled, expected, atol=1e-5, rtol=1e-5)
    gradients = [torch.autograd.grad(b.square().sum(), list(rpe.parameters())) for b in (compiled, expected)]
    torch.testing.assert_close(*gradients, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("with_confidence", [False, True])
def test_second_order_never_builds_a_table_for_every_query_layer_and_head(with_confidence):
    rpe = KeypointRPE(5, (14, 14), 8, 12, "second_order")
    points, confidence = (None if t is None else t.float() for t in joints(4, with_confidence, 5))
    factors = rpe.factors(points, confidence)
    rank = 6 if with_confidence else 3
    assert factors.coefficients.shape == (4, rank, 12, 8, 49)
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.untyped_storage().nbytes()), lambda t: t):
        rpe.bias(rpe.factors(points, confidence), 3).sum()
    assert sum(sizes) < 4 * 196 * 12 * 8 * 49 * 4 / 10


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["grid", "windows"])
def test_remembered_parts_follow_the_weights(form, kind):
    if kind == "grid":
        rpe = KeypointRPE(2, (2, 2), 1, 1, form, standardised=True)
    else:
        rpe = WindowedKeypointRPE(2, (2, 3), (2, 2), 1, [(1, 1)], "image", form, standardised=True)
    randomised(rpe).eval()
    points, confidence = joints(2, False, 2)
    for parameter in rpe.parameters():
        with torch.no_grad():
            Biased(rpe)(points, confidence)
            parameter.add_(0.5)
            remembered = Biased(rpe)(points, confidence)
        torch.testing.assert_close(remembered, Biased(rpe)(points, confidence).detach())


@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("form", ["multihead", "absolute", "relative", "second_order"])
def test_the_authors_weights_map_exactly(form, standardised):
    rpe = KeypointRPE(3, (3, 2), 2, 2, form, standardised=standardised)
    plain = "multihead" if form == "second_order" else form
    reference = randomised(KeypointRPE(3, (3, 2), 2, 2, plain))
    randomised(rpe, seed=5)
    rpe.load_reference(reference.table_weight, reference.table_bias)
    points, _ = joints(3, False)
    for layer in range(2):
        torch.testing.assert_close(rpe.bias(points, layer), reference.bias(points, layer))


def test_an_absent_joint_of_a_standardised_table_is_where_the_mean_pose_has_it():
    rpe = randomised(KeypointRPE(3, (3, 2), 2, 1, "second_order", standardised=True))
    points, _ = joints(2, False)
    confidence = torch.ones(2, 3).double()
    confidence[0, 1] = 0
    moved = points.clone()
    moved[0, 1] = rpe.pose.mean[1]
    torch.testing.assert_close(rpe.bias(rpe.factors(points, confidence), 0), rpe.bias(moved, 0))


def test_mistakes_are_named():
    with pytest.raises(KpstraError, match="keypoints: 'fixed' is not one of given, constant"):
        KeypointRPE(3, (2, 2), 1, 1, keypoints="fixed")
    with pytest.raises(KpstraError, match="formulation 'static' knows no keypoints"):
        KeypointRPE(3, (2, 2), 1, 1, "static", standardised=True)
    with pytest.raises(KpstraError, match="formulation 'nonlinear' does not hold a linear layer"):
        KeypointRPE(3, (2, 2), 1, 1, "nonlinear").load_reference(torch.zeros(1, 1), torch.zeros(1))
