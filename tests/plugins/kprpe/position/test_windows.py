"""Biases of shifted windows: reference vectors, naive loops over padded and rolled windows, windows over time."""

import pytest
import torch
from golden_vectors import golden
from torch import nn

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE, WindowedKeypointRPE, relative_buckets


def randomised(*args, **kwargs):
    rpe = WindowedKeypointRPE(*args, **kwargs)
    for p in rpe.parameters():
        nn.init.normal_(p)
    return rpe.double()


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("confidence", [None, torch.ones(2, 5)])
def test_image_grid_equals_the_reference_vectors(confidence):
    vectors = golden("kprpe")
    rpe = WindowedKeypointRPE(5, (10, 10), (5, 5), 2, [(0, 0), (2, 2)], grid="image")
    rpe.load_reference(vectors["swin.weight"], vectors["swin.bias"])
    for layer, shift in enumerate((0, 2)):
        bias = rpe.bias(vectors["swin.keypoints_xy"], layer, confidence)
        torch.testing.assert_close(bias, vectors[f"swin.out.shift{shift}"], atol=1e-5, rtol=0)


def naive_image(rpe, points, confidence, feature_size, window, shift, layer):
    """f(P) on the whole feature map, padded, rolled and cut; then looked up pair by pair."""
    (height, width), (h, w) = feature_size, window
    out = []
    for p, s in zip(points, confidence, strict=True):
        rows, columns = -(-height // h) * h, -(-width // w) * w
        f = torch.zeros(rows, columns, *rpe.table_bias[layer].shape, dtype=p.dtype)
        for y in range(height):
            for x in range(width):
                m = torch.tensor([(x + 0.5) / width, (y + 0.5) / height]).to(p.dtype)
                f[y, x] = (rpe.table_weight[layer] * ((m - p) * s[:, None])).sum((2, 3)) + rpe.table_bias[layer]
        f = f.roll((-shift[0], -shift[1]), (0, 1))
        index = relative_buckets(h, w)[0]
        for top in range(0, rows, h):
            for left in range(0, columns, w):
                cut = f[top : top + h, left : left + w].flatten(0, 1)  # n, heads, K
                out.append(torch.stack([cut[i][:, index[i]] for i in range(h * w)], dim=1))
    return torch.stack(out)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("with_confidence", [False, True])
@pytest.mark.parametrize(("size", "window", "shift"), [((5, 4), (2, 3), (1, 1)), ((4, 6), (2, 3), (0, 1))])
def test_image_grid_equals_the_naive_loop(size, window, shift, with_confidence):
    rpe = randomised(3, size, window, 2, [(0, 0), shift], grid="image")
    points = torch.rand(2, 3, 2).double()
    confidence = torch.rand(2, 3).double() if with_confidence else None
    ones = torch.ones(2, 3).double() if confidence is None else confidence
    expected = naive_image(rpe, points, ones, size, window, shift, 1)
    torch.testing.assert_close(rpe.bias(points, 1, confidence), expected)


@pytest.mark.usefixtures("both_ways")
def test_window_grid_is_the_windows_own_vit_shared_by_all_windows():
    rpe = randomised(3, (4, 6), (2, 3), 2, [(0, 0), (1, 1)])
    vit = KeypointRPE(3, (2, 3), 2, 2).double()
    vit.load_state_dict({k: v for k, v in rpe.state_dict().items() if k.startswith("table")}, strict=False)
    points = torch.rand(2, 3, 2).double()
    bias = rpe.bias(points, 1)
    assert bias.shape == (2 * 4, 2, 6, 6)
    expected = vit.bias(points, 1)
    for image in range(2):
        for window in range(4):
            torch.testing.assert_close(bias[image * 4 + window], expected[image])
    compact = rpe.frame_bias(rpe.factors(points), 1)
    assert compact.shape == (2, 1, 2, 6, 6)
    torch.testing.assert_close(compact[:, 0], expected)


@pytest.mark.parametrize("grid", ["window", "image"])
def test_frames_of_sequences_are_images(grid):
    rpe = randomised(3, (4, 6), (1, 2, 3), 2, [(0, 0, 0), (0, 1, 1)], grid=grid)
    points = torch.rand(2, 5, 3, 2).double()
    torch.testing.assert_close(rpe.bias(points, 1), rpe.bias(points.flatten(0, 1), 1))
    assert rpe.bias(points, 1).shape[0] == 2 * 5 * 4


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("with_confidence", [False, True])
@pytest.mark.parametrize("frames", [6, 5, 2])
@pytest.mark.parametrize("shift", [(0, 0, 0), (1, 1, 1)])
def test_windows_over_time_use_the_query_frames_joints(frames, shift, with_confidence):
    rpe = randomised(3, (2, 4), (3, 2, 2), 2, [shift], shrink=True)
    points = torch.rand(2, frames, 3, 2).double()
    confidence = torch.rand(2, frames, 3).double() if with_confidence else torch.ones(2, frames, 3).double()
    time = min(3, frames)
    index = relative_buckets(2, 2, time=time)[0]
    roll = 0 if frames <= 3 else shift[0]
    bias = rpe.bias(points, 0, confidence if with_confidence else None)
    slots = -(-frames // time) * time
    assert bias.shape == (2 * slots // time * 2, 2, 4 * time, 4 * time)
    for b in range(2):
        for t in range(slots):  # position after the roll
            frame = (t + roll) % slots
            if frame >= frames:
                continue  # padded queries are cut off by the host
            for plane in range(2):
                window = bias[(b * (slots // time) + t // time) * 2 + plane]
                for place in range(4):
                    m = torch.tensor([(place % 2 + 0.5) / 2, (place // 2 + 0.5) / 2]).double()
                    d = (m - points[b, frame]) * confidence[b, frame, :, None]
                    f = (rpe.table_weight[0] * d).sum((2, 3)) + rpe.table_bias[0]
                    i = t % time * 4 + place
                    torch.testing.assert_close(window[:, i], f[:, index[i]])


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(("size", "shrink", "n"), [((2, 8), True, 2 * 3), ((2, 8), False, 3 * 3)])
def test_windows_longer_than_an_axis(size, shrink, n):
    rpe = randomised(3, size, (3, 3), 2, [(1, 1)], shrink=shrink)
    assert rpe.bias(torch.rand(2, 3, 2).double(), 0).shape == (2 * 3, 2, n, n)


@pytest.mark.parametrize("grid", ["window", "image"])
def test_gradcheck(grid):
    rpe = randomised(2, (3, 4), (2, 2), 2, [(1, 1)], grid=grid)
    points, confidence = torch.rand(2, 2, 2).double(), torch.rand(2, 2).double()

    def bias(weight, table_bias):
        values = {"rpe.table_weight": weight, "rpe.table_bias": table_bias}
        return torch.func.functional_call(Biased(rpe), values, (points, confidence))

    parameters = (rpe.table_weight, rpe.table_bias)
    assert torch.autograd.gradcheck(bias, tuple(p.detach().clone().requires_grad_() for p in parameters))


class Biased(nn.Module):
    def __init__(self, rpe):
        super().__init__()
        self.rpe = rpe

    def forward(self, points, confidence):
        return self.rpe.bias(points, 0, confidence)


class FramesBias(nn.Module):
    def __init__(self):
        super().__init__()
        self.rpe = randomised(3, (4, 4), (3, 2, 2), 2, [(1, 0, 0)])

    def forward(self, points):
        return self.rpe.frame_bias(self.rpe.factors(points, finite=True), 0, points.shape[1])


def test_windows_over_time_are_exported_for_any_number_of_sequences():
    network, example = FramesBias(), torch.rand(2, 4, 3, 2).double()
    program = torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    for points in (example, torch.rand(5, 4, 3, 2).double()):
        torch.testing.assert_close(program(points), network(points))


def test_mistakes_are_named():
    with pytest.raises(KpstraError, match="did you mean 'window'"):
        WindowedKeypointRPE(3, (4, 4), (2, 2), 2, [(0, 0)], grid="windw")
    with pytest.raises(KpstraError, match="expected 2 axes each"):
        WindowedKeypointRPE(3, (4, 4), (2, 2), 2, [(0, 0, 0)])
    with pytest.raises(KpstraError, match="built without feature_size"):
        WindowedKeypointRPE(3, None, (2, 2), 2, [(0, 0)]).bias(torch.rand(1, 3, 2), 0)
    with pytest.raises(KpstraError, match="needs the feature_size"):
        rpe = WindowedKeypointRPE(3, None, (2, 2), 2, [(0, 0)], grid="image")
        rpe.frame_bias(rpe.factors(torch.rand(1, 3, 2)), 0)


def test_the_grid_of_queries_first_met_under_another_default_device():
    def rpe():
        return WindowedKeypointRPE(2, (5, 9), (2, 5), 1, [(1, 2)], "image")

    built, keypoints = rpe(), torch.rand(1, 2, 2)
    with torch.device("meta"):
        factors = built.factors(keypoints)
        built.frame_bias(factors, 0)
    assert rpe().bias(keypoints, 0).shape == (6, 1, 10, 10)
