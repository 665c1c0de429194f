"""The nearest name: words that are spelled right count before letters."""

import pytest

from plugins.errors import nearest

NAMES = ("walkers_swingait2d", "walkers_swingait2d_kprpe", "train.max_epoch", "train.lr", "class_num", "num_workers")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("walkers_kprpe", "walkers_swingait2d_kprpe"),
        ("walkers_kprp", "walkers_swingait2d_kprpe"),
        ("walkers_swingaid2d", "walkers_swingait2d"),
        ("train.max_epoh", "train.max_epoch"),
        ("class_nums", "class_num"),
        ("train.class_num", "class_num"),  # words of different names: letters decide
        ("zzz", None),
    ],
)
def test_nearest(name, expected):
    assert nearest(name, NAMES) == (f" (did you mean {expected!r}?)" if expected else "")
