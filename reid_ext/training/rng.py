"""The random streams that training draws from: Python's, NumPy's, torch's and those of the GPUs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def rng_state() -> dict[str, Any]:
    """Return the state of every random stream that training draws from, as plain types and tensors."""
    _, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [keys.tolist(), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_rng_state(state: Mapping[str, Any]) -> None:
    """Set what :func:`rng_state` returned; states of GPUs that this machine lacks are left out."""
    random.setstate(state["python"])
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    for device, cuda_state in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(cuda_state, device)


@contextmanager
def rng_unchanged_on_error() -> Iterator[None]:
    """Set the random streams back if the block ends with an error."""
    state = rng_state()
    try:
        yield
    except Exception:
        set_rng_state(state)
        raise


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Leave the random streams after the block as they were before it."""
    state = rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
