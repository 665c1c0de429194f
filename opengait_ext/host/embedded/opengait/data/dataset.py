"""Sequences on disk: ``<root>/<id>/<type>/<view>/*.pkl``, each file one modality with frames as its first axis."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset
from utils import get_msg_mgr, is_bool_list


class DataSet(Dataset):
    """The training or test half of a data set, after its partition file.

    An item is the list of its modalities and its record ``[label, type, view, paths]``. Training labels are
    ``<dataset_name>-<id>``, test labels ``<id>``.

    Args:
        data_cfg: ``dataset_name``, ``dataset_root``, ``dataset_partition`` (JSON with TRAIN_SET and TEST_SET);
            optional ``data_in_use``, the modalities to load, in name order, as a list of true and false, or as their
            indices in the wanted order; ``cache``: keep everything in memory.
        training: which half.
    """

    def __init__(self, data_cfg: Mapping, training: bool) -> None:
        self.dataset_name = data_cfg["dataset_name"]
        self.data_in_use = data_cfg.get("data_in_use")
        self.cache = data_cfg.get("cache", False)
        self.seqs_info = self._find(data_cfg, training)
        if training:
            self.seqs_info = [[f"{self.dataset_name}-{label}", *rest] for label, *rest in self.seqs_info]
        self.label_list, self.types_list, self.views_list = ([seq[i] for seq in self.seqs_info] for i in range(3))
        self.label_set, self.types_set, self.views_set = (
            sorted(set(names)) for names in (self.label_list, self.types_list, self.views_list)
        )
        self.indices_dict: dict[str, list[int]] = {label: [] for label in self.label_set}
        for i, label in enumerate(self.label_list):
            self.indices_dict[label].append(i)
        self.seqs_data: list[list | None] = [None] * len(self)
        if self.cache:
            self.seqs_data = [self._load(seq[-1]) for seq in self.seqs_info]

    def __len__(self) -> int:
        return len(self.seqs_info)

    def __getitem__(self, index: int) -> tuple[list[np.ndarray], list]:
        info = self.seqs_info[index]
        return (self.seqs_data[index] if self.cache else self._load(info[-1])), info

    def _load(self, paths: list[str]) -> list[np.ndarray]:
        modalities = []
        for path in paths:
            if not path.endswith(".pkl"):
                raise ValueError(f"{path}: not a .pkl file; sequences are read from pickles alone")
            modalities.append(pickle.loads(Path(path).read_bytes()))
            length, first = len(modalities[-1]), len(modalities[0])
            if length != first:
                raise ValueError(f"{path}: {length} frames, but {paths[0]} has {first}; modalities go frame by frame")
            if length == 0:
                raise ValueError(f"{path}: no frames")
        return modalities

    def _find(self, data_cfg: Mapping, training: bool) -> list[list]:
        root = Path(data_cfg["dataset_root"])
        partition = json.loads(Path(data_cfg["dataset_partition"]).read_text(encoding="utf-8"))
        present = {path.name for path in root.iterdir()}
        halves = {name: [i for i in partition[f"{name.upper()}_SET"] if i in present] for name in ("Train", "Test")}
        name = "Train" if training else "Test"
        messages, chosen = get_msg_mgr(), halves[name]
        if unused := present.difference(*halves.values()):
            messages.log_debug(f"-------- Miss Pid List --------\n{sorted(unused)}")
        messages.log_info(f"-------- {name} Pid List --------")
        short = f"[{chosen[0]}, {chosen[1]}, ..., {chosen[-1]}], Len: {len(chosen)}" if len(chosen) >= 3 else chosen
        messages.log_info(short)

        found = []
        for folder in (view for i in chosen for kind in _below(root / i) for view in _below(kind)):
            files = [str(path) for path in _below(folder)]
            record = [*folder.parts[-3:], self._in_use(files)]
            if files:
                found.append(record)
            else:
                messages.log_debug(f"Find no .pkl file in {'-'.join(record[:3])}.")
        return found

    def _in_use(self, files: list[str]) -> list[str]:
        if self.data_in_use is None:
            return files
        if is_bool_list(self.data_in_use):
            return [path for path, use in zip(files, self.data_in_use, strict=False) if use]
        return [files[i] for i in self.data_in_use if i < len(files)]


def _below(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
