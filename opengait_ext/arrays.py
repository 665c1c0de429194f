"""Reading OpenGait's sequence files. They are pickles: only NumPy arrays are built from them, nothing else is run."""
from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from plugins.errors import KpstraError

ALLOWED = {
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
    *(
        (f"numpy.{core}.{module}", name)
        for core in ("core", "_core")
        for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
    ),
}  # fmt: skip


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles NumPy arrays and plain containers."""

    def find_class(self, module: str, name: str) -> object:
        """Refuse all that is not part of an array."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which no array needs")
        return super().find_class(module, name)


def read_array(path: Path) -> np.ndarray:
    """Read one modality of a sequence; the first axis is frames.

    Raises:
        KpstraError: unreadable, no array, an array of objects, or no frames.
    """
    try:
        with open(path, "rb") as stream:
            array = ArrayUnpickler(stream).load()
        array = np.asarray(array)
    except (OSError, pickle.UnpicklingError, EOFError, ValueError, AttributeError, ImportError, IndexError, KeyError,
            TypeError, MemoryError, OverflowError) as error:  # fmt: skip
        raise KpstraError(f"{path}: not a readable sequence file: {' '.join(str(error).split())[:200]}") from error
    if array.dtype == object or array.ndim == 0 or len(array) == 0:
        raise KpstraError(f"{path}: {array.dtype} of shape {array.shape}: expected an array of one or more frames")
    return array
