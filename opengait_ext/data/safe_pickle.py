"""Reading OpenGait's sequence files, which are pickles: unpickles only NumPy arrays and lists, and runs no code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from plugins.common.unpickling import KINDS, Array, ArrayUnpickler
from plugins.errors import KpstraError

from .seen_layouts import SeenLayouts

SEEN = SeenLayouts()


def read_array(path: str | Path) -> np.ndarray:
    """Read one modality of a sequence, an array or a list of arrays; the first axis is frames.

    Raises:
        KpstraError: unreadable, no array of numbers, or no frames.
    """
    try:
        with open(path, "rb") as stream:
            content = stream.read()
        array = SEEN.read(content)
        if array is None:
            array = unpickle(content)
    except Exception as error:  # a damaged file can fail anywhere in the reader
        reason = " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())[:200]
        raise KpstraError(f"{path}: not a readable sequence file: {reason}") from error
    if array.dtype.kind not in KINDS or array.ndim == 0 or array.size == 0:
        raise KpstraError(f"{path}: {array.dtype} of shape {array.shape}: expected an array of one or more frames")
    return array


def unpickle(content: bytes) -> np.ndarray:
    """Return the array that a file's bytes describe; its layout is kept for the files that follow."""
    found = ArrayUnpickler(io.BytesIO(content)).load()
    array = assemble(found, len(content))
    if isinstance(found, Array):
        SEEN.remember(content, array)
    return array


def assemble(content: Any, size: int) -> np.ndarray:
    """Turn what a file of ``size`` bytes holds into one array.

    Raises:
        pickle.UnpicklingError: other things than arrays and numbers, or more of them than the file can hold.
    """
    if isinstance(content, Array):
        content = content.array
    if not isinstance(content, (list, tuple)):
        return np.asarray(content)
    frames = [item.array if isinstance(item, Array) else item for item in content]
    if any(isinstance(frame, (list, tuple, dict)) for frame in frames):
        raise pickle.UnpicklingError("lists in a list, expected arrays")
    if sum(frame.nbytes for frame in frames if isinstance(frame, np.ndarray)) > size:
        raise pickle.UnpicklingError("it lists one array again and again")
    return np.asarray(frames)
