"""Pictures of the bias."""

import numpy as np
import pytest
import torch
from torch import nn

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE
from plugins.kprpe.draw import draw_bias


def test_the_picture_shows_the_bias_of_each_query():
    rpe = KeypointRPE(3, (4, 2), 1, 1)
    nn.init.normal_(rpe.table_weight)
    keypoints = torch.rand(2, 3, 2)
    bias = rpe.bias(keypoints, 0)[:, 0]
    figure = draw_bias(bias, (4, 2), [(0, 0), (3, 1)], keypoints, images=[np.zeros((8, 4))] * 2, titles=["a", "b"])
    panels = figure.axes[:6]
    np.testing.assert_allclose(panels[2].images[0].get_array(), bias[0, 7].detach().view(4, 2), rtol=1e-6)
    np.testing.assert_allclose(panels[4].images[0].get_array(), bias[1, 0].detach().view(4, 2), rtol=1e-6)


def test_the_picture_refuses_what_does_not_fit():
    with pytest.raises(KpstraError, match="do not fit the grid"):
        draw_bias(torch.zeros(1, 9, 9), (4, 2), [(0, 0)], torch.zeros(1, 3, 2))
    with pytest.raises(KpstraError, match=r"query \(4, 0\) lies outside"):
        draw_bias(torch.zeros(1, 8, 8), (4, 2), [(4, 0)], torch.zeros(1, 3, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"biases": torch.full((1, 8, 8), torch.nan)}, "the biases are NaN or infinite"),
        ({"keypoints": torch.full((1, 3, 2), 100.0)}, "reach 100"),
        ({"keypoints": torch.zeros(1, 3, 3)}, "do not fit the grid"),
        ({"images": []}, "0 images for biases of 1 images"),
        ({"titles": ["a", "b"]}, "2 titles for biases of 1 images"),
        ({"queries": []}, "no queries"),
    ],
)
def test_values_that_cannot_be_right_are_refused(change, message):
    given = {"biases": torch.zeros(1, 8, 8), "grid": (4, 2), "queries": [(0, 0)], "keypoints": torch.zeros(1, 3, 2)}
    with pytest.raises(KpstraError, match=message):
        draw_bias(**{**given, **change})


def test_joints_that_moved_have_a_ring_where_they_were():
    before, after = torch.tensor([[0.2, 0.3], [0.6, 0.7]]), torch.tensor([[0.2, 0.3], [0.9, 0.7]])
    figure = draw_bias(torch.zeros(1, 8, 8), (4, 2), [(0, 0)], after[None], moved_from=before, label="change")
    _, rings, _ = figure.axes[0].lines  # joints, rings, query
    np.testing.assert_allclose(rings.get_xydata(), before[1:])
    assert figure.axes[-1].get_ylabel() == "change"
