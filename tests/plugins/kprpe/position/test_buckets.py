"""Distance buckets against the reference vectors and the definition."""

import math

import pytest
import torch
from golden_vectors import golden

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE, relative_buckets

VECTORS = golden("kprpe")
BUCKETS = [key.split(".")[1:] for key in VECTORS if key.startswith("bucket.")]


@pytest.mark.parametrize(("method", "size"), BUCKETS)
def test_equal_the_reference(method, size):
    distance, _, axis = method.partition("_")
    index, num_buckets = relative_buckets(*map(int, size.split("x")), distance)
    if distance == "cross":
        index = index[0 if axis == "rows" else 1]
    assert torch.equal(index, VECTORS[f"bucket.{method}.{size}"])
    assert num_buckets == VECTORS[f"num_buckets.{method}"]


def piecewise(x, alpha=1.9, beta=3.8, gamma=15.2):
    if abs(x) <= alpha:
        return round(x)
    far = round(alpha + math.log(abs(x) / alpha) / math.log(gamma / alpha) * (beta - alpha))
    return int(math.copysign(min(beta, far), x))


def test_windows_over_time_multiply_three_axes():
    index, num_buckets = relative_buckets(3, 5, time=4)
    assert num_buckets == 343 and index.shape == (60, 60)
    places = [(t, y, x) for t in range(4) for y in range(3) for x in range(5)]
    for i, a in enumerate(places):
        for j, b in enumerate(places):
            steps = [piecewise(p - q) + 3 for p, q in zip(a, b, strict=True)]
            assert index[i, j] == steps[0] * 49 + steps[1] * 7 + steps[2]


def test_a_window_shorter_in_time_is_the_leading_part():
    whole, part = relative_buckets(3, 5, time=3)[0], relative_buckets(3, 5, time=2)[0]
    assert torch.equal(part, whole[:30, :30])


def test_other_ratios_change_the_number_of_buckets():
    assert relative_buckets(7, 7, "euclidean", ratio=1.0)[1] == 5
    assert relative_buckets(7, 7, "product", ratio=2.5)[1] == 121


def test_cached():
    assert relative_buckets(6, 4)[0] is relative_buckets(6, 4)[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 3, "width": 3, "distance": "produkt"}, "did you mean 'product'"),
        ({"height": 0, "width": 3}, "must be positive"),
        ({"height": 3, "width": 3, "time": 2, "distance": "cross"}, "product distance only"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(KpstraError, match=message):
        relative_buckets(**arguments)


def test_what_is_cached_serves_networks_built_after_one_on_the_meta_device():
    with torch.device("meta"):
        assert KeypointRPE(2, (11, 3), 1, 1).index.device.type == "meta"
    rpe = KeypointRPE(2, (11, 3), 1, 1)
    assert rpe.index.device.type == "cpu" and rpe.bias(torch.rand(1, 2, 2), 0).shape == (1, 1, 33, 33)
