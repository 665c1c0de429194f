"""The reference vectors."""

from pathlib import Path

import numpy as np
import torch


def golden(name: str, prefix: str = "") -> dict:
    """Load reference vectors as tensors, keyed by name; with a prefix only those whose names begin with it."""
    with np.load(Path(__file__).parents[1] / "golden" / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files if key.startswith(prefix)}
