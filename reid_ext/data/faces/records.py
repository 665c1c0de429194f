"""MXNet's RecordIO, in which InsightFace and CVLface keep faces: ``NAME.rec`` and ``NAME.idx``.

A record is a chunk of (magic word, flag and length, bytes, zeros up to a multiple of four), or several chunks where the
bytes hold the magic word at such a place. The bytes are a header, labels, and a JPEG. In InsightFace's files record 0
says where the images end and the records of the identities begin; others hold nothing but images.
"""

from __future__ import annotations

import os
import struct
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from plugins.errors import KpstraError

MAGIC = 0xCED7230A
CHUNK, HEADER = struct.Struct("<II"), struct.Struct("<IfQQ")  # magic, flag and length; flag, label, two numbers
LENGTH = (1 << 29) - 1  # the bits of the length; the flag is above
WHOLE, FIRST, MIDDLE, LAST = range(4)
EXACT = 1 << 24  # labels are of 32 bits: there, whole numbers begin to be rounded
READ = 1 << 12  # bytes that are read at first: of the header, and of what follows it


class Record(NamedTuple):
    """Labels, of which the first is the identity, and a JPEG's bytes, which may be none."""

    labels: tuple[float, ...]
    image: bytes


class Records:
    """The records of a file.

    Args:
        path: ``NAME.rec``; ``NAME.idx`` is beside it.

    Raises:
        KpstraError: a file cannot be read, the index is of another file, or a record is damaged.

    Example:
        >>> records = Records("faces_emore/train.rec")
        >>> records.read(int(records.image_keys[0])).labels
        (0.0,)
    """

    def __init__(self, path: str | Path) -> None:
        self.path, self.index = Path(path), Path(path).with_suffix(".idx")
        try:
            self._file = os.open(self.path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._file)
            self._size = os.fstat(self._file).st_size
        except OSError as error:
            raise KpstraError(f"{self.path}: cannot be read: {error.strerror}") from error
        self._places = self._read_index()
        self._identities: np.ndarray | None = None

    def _read_index(self) -> dict[int, int]:
        expected = "expected lines of a key, a tab and a place in the .rec"
        try:
            table = np.loadtxt(self.index, np.int64, delimiter="\t", ndmin=2) if self.index.stat().st_size else None
        except OSError as error:
            raise KpstraError(f"{self.index}: cannot be read: {error.strerror}; it belongs to {self.path}") from error
        except ValueError as error:
            raise KpstraError(f"{self.index}: {str(error)[:100]}; {expected}") from error
        if table is None or table.shape[1] != 2:
            raise KpstraError(f"{self.index}: {expected}")
        beyond = ((table[:, 1] < 0) | (table[:, 1] + CHUNK.size > self._size)).nonzero()[0]
        if len(beyond):
            key, place = table[beyond[0]]
            raise KpstraError(
                f"{self.index}: line {beyond[0] + 1}: record {key} is at byte {place}, but {self.path} has "
                f"{self._size}; it is cut, or the index is another file's"
            )
        places = dict(table.tolist())
        if len(places) < len(table):
            raise KpstraError(f"{self.index}: a key is there twice; {expected}")
        return places

    def read(self, key: int) -> Record:
        """Return a record.

        Raises:
            KpstraError: there is none of this key, or it is damaged.
        """
        if key not in self._places:
            raise KpstraError(f"{self.index}: no record {key}; the keys are {min(self._places)} to {max(self._places)}")
        return self._parse(key, b"".join(self._chunks(key)))

    def labels(self, key: int) -> tuple[float, ...]:
        """Return a record's labels, without reading its image.

        Raises:
            KpstraError: as :meth:`read`.
        """
        start = os.pread(self._file, READ, self._places[key])
        if len(start) >= CHUNK.size + HEADER.size and CHUNK.unpack_from(start)[1] >> 29 == WHOLE:
            end = CHUNK.size + HEADER.size + 4 * HEADER.unpack_from(start, CHUNK.size)[0]
            if CHUNK.unpack_from(start)[0] == MAGIC and end <= len(start):
                return self._parse(key, start[CHUNK.size : end]).labels
        return self.read(key).labels

    def _chunks(self, key: int) -> Iterator[bytes]:
        place, flag = self._places[key], FIRST
        while flag not in (WHOLE, LAST):
            head = os.pread(self._file, CHUNK.size, place)
            magic, word = CHUNK.unpack(head) if len(head) == CHUNK.size else (MAGIC, LENGTH)
            if magic != MAGIC:
                raise KpstraError(f"{self._where(key)}: no record begins there; {self.index} is another file's index")
            before, flag = flag, word >> 29
            length = word & LENGTH
            data = os.pread(self._file, length, place + CHUNK.size)
            if len(data) < length:
                raise KpstraError(f"{self._where(key)}: the file ends in it, after {self._size} bytes; copy it again")
            if place != self._places[key]:
                if flag not in (MIDDLE, LAST):
                    raise KpstraError(f"{self._where(key)}: its parts do not follow each other; copy the file again")
                yield CHUNK.pack(MAGIC, 0)[:4]  # the word at which it was taken apart
            elif flag in (MIDDLE, LAST) and before == FIRST:
                raise KpstraError(f"{self._where(key)}: a record's later part begins there; copy the file again")
            yield data
            place += CHUNK.size + length + -length % 4

    def _parse(self, key: int, data: bytes) -> Record:
        if len(data) < HEADER.size:
            raise KpstraError(f"{self._where(key)}: {len(data)} bytes: expected a header of {HEADER.size}")
        flag, label, *_ = HEADER.unpack_from(data)
        end = HEADER.size + 4 * flag
        if end > len(data):
            raise KpstraError(f"{self._where(key)}: {flag} labels do not fit into its {len(data)} bytes")
        return Record(struct.unpack_from(f"<{flag}f", data, HEADER.size) if flag else (label,), data[end:])

    def _where(self, key: int) -> str:
        return f"{self.path}: record {key}, byte {self._places[key]}"

    @cached_property
    def _bounds(self) -> tuple[int, int] | None:
        """Where InsightFace's records of identities begin and end, as record 0 says, if it does."""
        if 0 not in self._places:
            return None
        labels, image = self.read(0)
        if len(labels) != 2 or image:
            return None
        if not all(label == label // 1 and label < EXACT for label in labels):
            raise KpstraError(f"{self._where(0)}: labels {labels}: expected whole numbers of records below {EXACT}")
        return int(labels[0]), int(labels[1])

    @cached_property
    def image_keys(self) -> range | list[int]:
        """Keys of the images, in their order.

        Raises:
            KpstraError: record 0 names records that are not there.
        """
        if self._bounds is None:
            return sorted(self._places)
        first, last = self._bounds
        if not 1 < first <= last or first - 1 not in self._places or (last > first and last - 1 not in self._places):
            raise KpstraError(
                f"{self._where(0)}: images up to {first - 1}, identities up to {last - 1}, which {self.index} "
                "does not have"
            )
        return range(1, first)

    def identities(self, progress: Callable[[Iterable[int]], Iterable[int]] = iter) -> np.ndarray:
        """Return the identity of every image of :attr:`image_keys`, (N,) whole numbers as the file has them.

        Where records of identities say which images are whose, two images of each are looked at; else all, once.

        Raises:
            KpstraError: a label that is no whole number, or a damaged record.
        """
        keys = self.image_keys
        if self._identities is None and self._bounds is not None:
            self._identities = self._spans(progress)
        if self._identities is None:
            self._identities = np.array([self._identity(key) for key in progress(keys)], np.int64)
        return self._identities

    def _spans(self, progress: Callable[[Iterable[int]], Iterable[int]]) -> np.ndarray | None:
        """Identities as their records have them, or none where these are not the images without gaps."""
        found, begin = [], 1
        for key in progress(range(*self._bounds)):
            labels = self.labels(key)
            if len(labels) != 2 or int(labels[0]) != begin or int(labels[1]) <= begin:
                return None
            begin, first = int(labels[1]), begin
            if begin > len(self.image_keys) + 1 or self._identity(first) != self._identity(begin - 1):
                return None
            found.append(np.full(begin - first, self._identity(first)))
        return np.concatenate(found) if found and begin == len(self.image_keys) + 1 else None

    def _identity(self, key: int) -> int:
        label = self.labels(key)[0]
        if label != label // 1:
            raise KpstraError(f"{self._where(key)}: the label {label:g}: expected the number of an identity")
        return int(label)


@lru_cache(maxsize=16)
def open_records(path: str) -> Records:
    """Return the records of a file, which stays open."""
    return Records(path)
