"""The reference vectors."""

from pathlib import Path

import numpy as np
import torch


def golden_arrays(name: str, prefix: str = "") -> dict:
    """Load reference vectors as arrays, keyed by name; with a prefix only those whose names begin with it."""
    with np.load(Path(__file__).parents[1] / "golden" / f"{name}.npz") as file:
        return {key: file[key] for key in file.files if key.startswith(prefix)}


def golden(name: str, prefix: str = "") -> dict:
    """The same as tensors."""
    return {key: torch.from_numpy(array) for key, array in golden_arrays(name, prefix).items()}
