"""Silhouettes of 0 and 1, and inverted ones, are named; others are not."""

from collections import Counter

import pytest
from walking_body import frames

from opengait_ext.data.pixels import count_pixels, judge_pixels


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda image: image, None),
        (lambda image: image.astype(float), None),
        (lambda image: image // 255, "the greatest value is 1, expected 255"),
        (lambda image: image > 0, "the greatest value is 1, expected 255"),
        (lambda image: 255 - image, "they seem to be inverted"),
        (lambda image: image * 0, None),  # empty frames are counted by a rule of their own
        (lambda image: image[:, image.any(0)], None),  # cut to the person
    ],
)
def test_most_frames_decide(change, said):
    counts = Counter()
    for image, _ in frames(20):
        count_pixels(change(image)[None], counts)
    verdicts = list(judge_pixels(counts))
    assert [verdict.stops for verdict in verdicts] == [True] * bool(said)
    assert said is None or said in verdicts[0].what


def test_fractions_are_told_and_do_not_stop():
    """Transforms that do not divide by 255 can be right for them."""
    counts = Counter()
    for image, _ in frames(5):
        count_pixels(image[None] / 255, counts)
    (verdict,) = judge_pixels(counts)
    assert "fractions from 0 to 1, expected 0 to 255" in verdict.what and not verdict.stops
