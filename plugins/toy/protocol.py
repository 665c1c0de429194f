"""How digits are placed in training and in the tests."""
from __future__ import annotations

from typing import NamedTuple

from .affine import Motion


class Test(NamedTuple):
    """A test: on networks trained as ``training`` says, with digits moved by ``motion``; ``title`` is for readers."""

    training: str
    motion: Motion
    title: str


TRAINING = {
    "upright": Motion(shift=(0, 6)),
    "aligned": Motion(shift=(0, 3), rotation=(0, 15), scale=(0.85, 1.15)),
}
TESTS = {
    "clean": Test("upright", TRAINING["upright"], "clean: upright, random places, as in training"),
    "affine": Test("upright", Motion((0, 8), (0, 20), 0.2, (0.8, 1.2)), "affine: trained upright, tested transformed"),
    "aligned": Test("aligned", TRAINING["aligned"], "aligned: near the middle, as in training"),
    "misaligned": Test(
        "aligned", Motion((5, 8), (0, 15), 0, (0.85, 1.15)), "misaligned: trained near the middle, tested farther off"
    ),
}
