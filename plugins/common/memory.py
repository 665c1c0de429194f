"""Keeping freed memory on a CPU, where the system's allocator makes large tensors slow."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # malloc.h's M_ names
STEP = 64 << 20  # bytes by which the heap grows


def keep_freed_memory() -> bool:
    """Let this process reuse freed memory instead of giving it back; return whether the C library took the settings.

    glibc serves large blocks by ``mmap`` and unmaps them when they are freed, so that each large activation is made of
    pages that the kernel must first fill with zeros. From some 40 silhouettes in a batch (90 in the small network) this
    costs up to a quarter of a forward or train step, and shows as a step in the cost against the sequence length. The
    peak of the memory in use grew by 2 to 12 % where it was measured; it is held until the process ends.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all([mallopt(MMAP_MAX, 0), mallopt(TRIM_THRESHOLD, 2**31 - 1), mallopt(TOP_PAD, STEP)])
