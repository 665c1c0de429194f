"""From sequences of any length to a batch: which frames of each are taken."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

NEEDED = {"fixed": ("frames_num_fixed",), "unfixed": ("frames_num_min", "frames_num_max"), "all": ()}
ORDERS = ("ordered", "unordered", "allordered")


class CollateFn:
    """Samples frames and collates.

    ``sample_type`` is ``<length>_<order>``. Lengths: ``fixed`` takes ``frames_num_fixed`` frames; ``unfixed`` between
    ``frames_num_min`` and ``frames_num_max``; ``all`` takes all, or the first ``frames_all_limit``. Orders: ``ordered``
    takes its frames in order out of a stretch that is ``frames_skip_num`` longer; ``unordered`` takes any, in any
    order. OpenGait also accepts ``allordered`` and treats it as ``unordered``; so does this.

    Args:
        label_set: all labels; a batch holds their indices.
        sample_config: the sampler's node of the configuration.

    Raises:
        ValueError: unknown ``sample_type``, or a number that it needs is missing.
    """

    def __init__(self, label_set: Sequence, sample_config: Mapping) -> None:
        self.label_set = label_set
        self.sampler, _, order = sample_config["sample_type"].partition("_")
        if self.sampler not in NEEDED or order not in ORDERS:
            raise ValueError(
                f"sample_type: {sample_config['sample_type']!r}: expected one of {', '.join(NEEDED)}, "
                f"an underscore, and one of {', '.join(ORDERS)}"
            )
        self.ordered = order == "ordered"
        needed = NEEDED[self.sampler]
        if self.sampler != "all" and self.ordered:
            needed = (*needed, "frames_skip_num")
        for key in needed:
            if key not in sample_config:
                raise ValueError(f"{key}: missing; sample_type {sample_config['sample_type']} needs it")
            setattr(self, key, sample_config[key])
        self.frames_all_limit = sample_config.get("frames_all_limit", -1) if self.sampler == "all" else -1

    def __call__(self, batch: Sequence[tuple[list, list]]) -> list[Any]:
        """Return ``[sequences, labels, types, views, lengths]`` of the data set's items.

        ``fixed``: sequences[modality][item] is (s, ...), and lengths is None. Else: sequences[modality][0] holds the
        frames of all items one after the other, and lengths is (1, items).
        """
        modalities = len(batch[0][0])
        samples = [self._sample(sequences) for sequences, _ in batch]
        labels = [self.label_set.index(info[0]) for _, info in batch]
        types, views = ([info[i] for _, info in batch] for i in (1, 2))
        by_modality = [[sample[i] for sample in samples] for i in range(modalities)]
        if self.sampler == "fixed":
            return [by_modality, labels, types, views, None]
        lengths = np.asarray([[len(sample[0]) for sample in samples]])
        return [[[np.concatenate(frames)] for frames in by_modality], labels, types, views, lengths]

    def _sample(self, sequences: Sequence) -> list[np.ndarray]:
        indices = self._indices(len(sequences[0]))
        return [np.asarray([frames[i] for i in indices]) for frames in sequences]

    def _indices(self, length: int) -> Sequence[int]:
        if self.sampler == "all":
            return range(length if self.frames_all_limit < 0 else min(length, self.frames_all_limit))
        if self.sampler == "fixed":
            number = self.frames_num_fixed
        else:
            number = random.choice(range(self.frames_num_min, self.frames_num_max + 1))
        if not self.ordered:
            return np.random.choice(length, number, replace=length < number)
        stretch = number + self.frames_skip_num
        total = length * math.ceil(stretch / length) if length < stretch else length  # a short sequence is repeated
        start = random.choice(range(total - stretch + 1))
        return (start + np.sort(np.random.choice(stretch, number, replace=False))) % length
