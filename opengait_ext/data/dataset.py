"""The host's data set, whose pickles are read as arrays and nothing else: no code in a sequence file is run."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.utils.data import Dataset
from tqdm import tqdm

from .modalities import check_modalities
from .safe_pickle import read_array


class ArrayDataset(Dataset):
    """The host's :class:`DataSet` with our reading; all else is the host's.

    Args:
        dataset: the host's, built without its cache.
        cache: read all sequences now and keep them, as ``data_cfg.cache`` says.
    """

    def __init__(self, dataset: Any, cache: bool = False) -> None:
        self.dataset = dataset
        self.kept: list | None = None
        if cache:
            self.kept = self.read_all()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # not yet set, as while unpickling
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __getitem__(self, index: int) -> tuple[list[np.ndarray], list]:
        """Return the modalities of a sequence, each with frames first, and its record.

        Raises:
            KpstraError: an unreadable or malicious file, no frames, modalities of unequal length, or values that are
                not finite.
        """
        return self._read(index) if self.kept is None else self.kept[index], self.dataset.seqs_info[index]

    def read_all(self) -> list[list[np.ndarray]]:
        """Return the modalities of all sequences, as ``kept`` holds them."""
        return [self._read(i) for i in tqdm(range(len(self.dataset)), desc="Reading sequences", disable=None)]

    def _read(self, index: int) -> list[np.ndarray]:
        paths = self.dataset.seqs_info[index][-1]
        chosen = self.dataset.data_in_use
        in_order = chosen is not None and all(type(one) is int for one in chosen)  # numbers set the order
        paths = list(paths) if in_order else sorted(paths)
        modalities = [read_array(path) for path in paths]
        check_modalities(modalities, paths)
        return modalities
