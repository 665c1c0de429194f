"""Sequence files whose bytes before and after the numbers are those of a file that was read with care before.

The pickles of a data set differ in their numbers alone, where they are as long. What an unpickler does follows from the
bytes around the numbers; so a file that has the same ones in the same places is the same kind of array, and is read
without going through its instructions again, which takes several times as long as reading the bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MOST = 4096  # layouts that are kept, one for each number of frames; 200 bytes each


class Layout(NamedTuple):
    """Bytes before and after an array's numbers, and what array it is."""

    head: bytes
    tail: bytes
    dtype: np.dtype
    shape: tuple[int, ...]
    order: str


class SeenLayouts:
    """Remembers layouts by the size of their files.

    Example:
        >>> seen, array = SeenLayouts(), np.arange(3, dtype=np.uint8)
        >>> seen.remember(b"<<<" + array.tobytes() + b">", array)
        >>> seen.read(b"<<<" + bytes([7, 8, 9]) + b">")
        array([7, 8, 9], dtype=uint8)
        >>> seen.read(b"<><" + bytes([7, 8, 9]) + b">") is None
        True
    """

    def __init__(self) -> None:
        self.layouts: dict[int, Layout] = {}

    def read(self, content: bytes) -> np.ndarray | None:
        """Return the array of a file, read-only, or ``None`` if no file of this layout has been read."""
        layout = self.layouts.get(len(content))
        if layout is None or not content.startswith(layout.head) or not content.endswith(layout.tail):
            return None
        numbers = np.frombuffer(content, layout.dtype, int(np.prod(layout.shape)), len(layout.head))
        return numbers.reshape(layout.shape, order=layout.order)

    def remember(self, content: bytes, array: np.ndarray) -> None:
        """Keep the layout of a file that was found to be ``array``, unless its numbers are not in one known place."""
        order = "C" if array.flags.c_contiguous else "F"
        numbers = array.tobytes(order)
        start = content.find(numbers)
        if start < 0 or content.find(numbers, start + 1) >= 0 or b"_codecs" in content[:start]:  # text: other rules
            return
        if len(self.layouts) >= MOST:
            return
        head, tail = content[:start], content[start + len(numbers) :]
        self.layouts[len(content)] = Layout(head, tail, array.dtype, array.shape, order)
