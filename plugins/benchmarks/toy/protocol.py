"""How digits are placed in training and in the tests."""

from __future__ import annotations

from typing import NamedTuple

from .affine import Motion


class Test(NamedTuple):
    """A test of the networks trained as ``training`` says, on digits moved by ``motion``; ``title`` is for readers."""

    training: str
    motion: Motion
    title: str


ALIGNED = Motion(shift=(0, 3), rotation=(0, 15), scale=(0.85, 1.15))
TRAINING = {
    "upright": Motion(shift=(0, 6)),  # the frame of 28 pixels lies anywhere on the canvas
    "aligned": ALIGNED,
}
TESTS = {
    "clean": Test("upright", TRAINING["upright"], "upright, at random places, as in training"),
    "affine": Test("upright", Motion((0, 8), (0, 20), 0.2, (0.8, 1.2)), "affNIST-like transforms, training upright"),
    "aligned": Test("aligned", ALIGNED, "near the middle, within 15 degrees and 15 % of size, as in training"),
    "rotated": Test("aligned", ALIGNED._replace(rotation=(25, 45)), "turned by 25 to 45 degrees, training within 15"),
    "small": Test("aligned", ALIGNED._replace(scale=(0.55, 0.75)), "0.55 to 0.75 of the size, training 0.85 to 1.15"),
    "shifted": Test("aligned", ALIGNED._replace(shift=(5, 8)), "5 to 8 pixels off the middle, training within 3"),
}
