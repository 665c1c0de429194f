"""Unpickling arrays, lists, bytes and numbers, and nothing else.

Nothing that a file names is ever called. The names under which NumPy pickles arrays stand for the small classes below,
which check what they are given and look at the file's bytes as plain numbers, read-only; so a damaged or malicious file
can neither run code, nor reach the insides of NumPy, nor claim memory that it has no data for.
"""

from __future__ import annotations

import math
import pickle
from typing import ClassVar

import numpy as np

KINDS = "buif"  # truth values, whole numbers with and without sign, floating point


class Dtype:
    """``numpy.dtype``: of numbers only."""

    def __init__(self, name: str, *_: object) -> None:
        name = _text(name)
        self.dtype = np.dtype(name if isinstance(name, str) else "O")
        if self.dtype.kind not in KINDS:
            raise pickle.UnpicklingError(f"it holds {self.dtype}, expected numbers")

    def __setstate__(self, state: tuple) -> None:
        self.dtype = self.dtype.newbyteorder(_text(state[1]))


class Array:
    """An array that is filled in by its state: ``numpy.core.multiarray._reconstruct``."""

    array: np.ndarray | None = None

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        self.fill(data, dtype, shape, "F" if fortran else "C")

    def fill(self, data: bytes, dtype: Dtype, shape: tuple, order: str) -> None:
        """Take the numbers from the file's bytes."""
        if len(data) != math.prod(shape) * dtype.dtype.itemsize:
            raise pickle.UnpicklingError(f"{len(data)} bytes for {dtype.dtype} of shape {shape}")
        self.array = np.frombuffer(data, dtype.dtype).reshape(shape, order=order)


class BufferedArray(Array):
    """``numpy.core.numeric._frombuffer``, as protocol 5 has it."""

    def __init__(self, data: bytes, dtype: Dtype, shape: tuple, order: str) -> None:
        self.fill(data, dtype, shape, order)


class Scalar(Array):
    """``numpy.core.multiarray.scalar``."""

    def __init__(self, dtype: Dtype, data: bytes) -> None:
        self.fill(data, dtype, (), "C")


def _text(name: object) -> object:
    """Python 2's text, which is bytes where a file is read with ``encoding="bytes"``."""
    return name.decode("latin1") if isinstance(name, bytes) else name


class Latin1(bytes):
    """``_codecs.encode``, by which old protocols write bytes."""

    def __new__(cls, text: str, encoding: str) -> Latin1:
        """Encode."""
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"it wants the encoding {encoding!r}, which no array needs")
        return super().__new__(cls, text, encoding)


STAND_INS = {
    ("numpy", "ndarray"): object,
    ("numpy", "dtype"): Dtype,
    ("_codecs", "encode"): Latin1,
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", Array),
            ("multiarray", "scalar", Scalar),
            ("numeric", "_frombuffer", BufferedArray),
        )
    },
}


class ArrayUnpickler(pickle._Unpickler):  # Python's own: in C, a number in the file decides how large the memo becomes
    """Unpickles the stand-ins and plain containers; takes the arguments of :class:`pickle.Unpickler`.

    >>> ArrayUnpickler(io.BytesIO(pickle.dumps(np.ones(2)))).load().array
    array([1., 1.])
    """

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> type:
        """Refuse all that is not part of an array."""
        if (module, name) not in STAND_INS:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which no array needs")
        return STAND_INS[module, name]

    def load_build(self) -> None:
        """Give a stand-in its state; nothing else has one."""
        if not isinstance(self.stack[-2], (Dtype, Array)):
            raise pickle.UnpicklingError(f"it sets attributes of a {type(self.stack[-2]).__name__}")
        super().load_build()

    def load_bytearray8(self) -> None:
        """Read bytes before memory is taken for them."""
        size = int.from_bytes(self.read(8), "little")
        data = self.read(size)
        if len(data) != size:
            raise EOFError(f"{len(data)} of {size} bytes")
        self.append(data)

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
