"""Whether silhouettes are what they should be: people in white, up to 255, on black."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from .body import CHECKED, Verdict

MOST = 0.5  # share of frames, or of an image's border
WHITE = 128


def count_pixels(images: np.ndarray, counts: Counter) -> None:
    """Add to ``counts`` how some frames (T, H, W) look: dark ones, with no value above 1, and white borders.

    Fractions up to 1 are counted apart from whole numbers: transforms that do not divide by 255 can be right for them.
    """
    images = images[:: len(images) // CHECKED + 1]
    greatest = images.max((1, 2))
    border = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1)
    counts["images"] += len(images)
    dark = "images of fractions up to 1" if images.dtype.kind == "f" else "images up to 1"
    counts[dark] += int(((greatest > 0) & (greatest <= 1)).sum())
    counts["images inverted"] += int(((border >= WHITE).mean(1) > MOST).sum())


def judge_pixels(total: Mapping[str, int]) -> Iterator[Verdict]:
    """Yield what is wrong with most frames, if anything is."""
    images = total.get("images", 0)
    if images and total.get("images up to 1", 0) > MOST * images:
        yield Verdict("silhouettes: the greatest value is 1, expected 255; multiply them by 255", stops=True)
    if images and total.get("images of fractions up to 1", 0) > MOST * images:
        yield Verdict("silhouettes: fractions from 0 to 1, expected 0 to 255, by which OpenGait's transforms divide")
    if images and total["images inverted"] > MOST * images:
        yield Verdict("silhouettes: white at the borders, so they seem to be inverted; people are white", stops=True)
