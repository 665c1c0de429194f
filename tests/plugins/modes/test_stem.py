"""Modes found in images: StRA's masks on the stem's map, which is of the size that the stages say."""

import pytest
import torch

from plugins.errors import KpstraError
from plugins.modes import ModeStem, part_centres


@pytest.mark.parametrize(("stages", "size"), [(1, (16, 12)), (2, (8, 6)), (3, (4, 3))])
def test_parts_are_those_of_the_stem_s_map(stages, size):
    torch.manual_seed(0)
    stem = ModeStem(3, groups=4, stages=stages)
    images = torch.randn(2, 3, 32, 24)
    parts = stem(images)
    assert parts.mask.shape == (2, 4, size[0] * size[1]) and stem.groups == 4
    logits = stem.finder.mask(stem.stem(images))
    for found, expected in zip(parts, part_centres(logits), strict=True):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(stem.diversity(parts), 4 - parts.mask.amax(1).sum(1))
    (parts.points.sum() + parts.confidence.sum()).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in stem.parameters())
    assert stem.stem[0].weight.grad.abs().sum() > 0


def test_counts_that_cannot_be_right():
    with pytest.raises(KpstraError, match="groups 0"):
        ModeStem(3, groups=0)
