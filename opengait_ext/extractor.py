"""Features of gait sequences from a trained model, as torchreid's ``FeatureExtractor`` gives those of images.

>>> extractor = GaitFeatureExtractor("opengait/swingait2d_kprpe_gait3d.yaml", "output/.../x-60000.pt")
>>> features = extractor(silhouettes, keypoints)                     # (1, 256, 15)
>>> features = extractor(["data/0001/camid0_videoid0/seq0", (silhouettes, keypoints)])      # (2, 256, 15)
>>> features = extractor([silhouettes, other_silhouettes], [keypoints, other_keypoints])    # (2, 256, 15)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.utils.data import DataLoader, Dataset

from plugins.common.numerics import first_nonfinite
from plugins.errors import KpstraError, plain
from plugins.keypoints.joints import JOINTS

from .data.checks import doubts
from .data.safe_pickle import read_array
from .training.restore import UNSEEN, quiet, restore
from .training.session import session

Given = Any  # silhouettes, (silhouettes, keypoints), or the folder of a prepared sequence


class Sequences(Dataset):
    """Sequences in memory, as the host's data sets give them."""

    def __init__(self, sequences: Sequence[list[np.ndarray]]) -> None:
        self.sequences = sequences
        self.label_list = [f"sequence {i}" for i in range(len(sequences))]
        self.types_list = self.views_list = ["given"] * len(sequences)

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> tuple[list[np.ndarray], list]:
        return self.sequences[index], [self.label_list[index], "given", "given", []]


@contextmanager
def plainly() -> Iterator[None]:
    """Let a user's mistake leave as the one error, without the chain of those that it was made of."""
    try:
        yield
    except KpstraError as error:
        raise KpstraError(plain(error)) from None


class GaitFeatureExtractor:
    """Gives the embeddings that a test of the host would compare: same transforms, frames and network.

    Args:
        config: a path, or the name of a shipped configuration.
        checkpoint: OpenGait's or ours.
        device: ``cpu`` or ``cuda``; ``None`` takes CUDA where there is one.
        host: see :func:`opengait_ext.host.find.find_host`.
        overrides: ``section.key=value`` pairs, or one.

    Raises:
        KpstraError: any mistake in the settings or the checkpoint.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str | Path,
        device: str | torch.device | None = None,
        host: str = "auto",
        overrides: Sequence[str] | str = (),
    ) -> None:
        self.host, self.device = host, str(device or "auto")
        overrides = [overrides] if isinstance(overrides, str) else overrides
        with plainly(), session(self.host, self.device) as (found, on), quiet(found):
            if distributed.get_world_size() > 1:
                raise KpstraError(f"GaitFeatureExtractor: {distributed.get_world_size()} processes; it works in one")
            self.model = restore(found, on, config, checkpoint, overrides)
        transforms = self.model.cfgs["evaluator_cfg"]["transform"]
        self.modalities = len(transforms) if isinstance(transforms, list) else 1

    def __call__(
        self, sequences: Given | list[Given], keypoints: np.ndarray | Sequence[np.ndarray] | None = None
    ) -> np.ndarray:
        """Return the features of one sequence or several.

        Args:
            sequences: silhouettes (T, H, W) uint8, 0 to 255, prepared as the training data were; or a folder that
                ``prepare`` wrote; or a list of folders, silhouettes and pairs (silhouettes, keypoints).
            keypoints: (T, 17, 3) x, y in pixels of the silhouettes and score, beside silhouettes of one sequence;
                beside a list of silhouettes, a list of the keypoints of each.

        Returns:
            (n, channels, parts). The host's distance between two sequences is the mean over the parts of the Euclidean
            distances of their channels.

        Raises:
            KpstraError: wrong shapes or types, values that are not finite, or keypoints for a model without.

        Warns:
            UserWarning: joints that are not on the body, with the likely cause.
        """
        if keypoints is not None:
            sequences = _paired(sequences, keypoints)
        elif not isinstance(sequences, list):
            sequences = [sequences]
        if not sequences:
            raise KpstraError("GaitFeatureExtractor: no sequences given")
        dataset = Sequences([self._read(sequence, i) for i, sequence in enumerate(sequences)])
        if doubt := doubts(dataset)[0]:
            warnings.warn(f"GaitFeatureExtractor: {doubt}", stacklevel=2)
        with plainly(), session(self.host, self.device) as (found, _), quiet(found), torch.no_grad():
            collate = found.collate.CollateFn(dataset.label_list, self.model.cfgs["evaluator_cfg"]["sampler"])
            self.model.test_loader = DataLoader(dataset, batch_size=1, collate_fn=collate)
            return self.model.inference(UNSEEN)["embeddings"]

    def _read(self, given: Given, number: int) -> list[np.ndarray]:
        """Return the modalities of one sequence, checked."""
        where = f"GaitFeatureExtractor: sequence {number}"
        if isinstance(given, (str, Path)):
            where, given = str(given), self._files(Path(given))
        modalities = [_array(values, where) for values in (given if isinstance(given, (tuple, list)) else (given,))]
        name = type(self.model).__name__
        if len(modalities) != self.modalities:
            wanted = {1: "silhouettes alone", 2: "silhouettes and keypoints"}.get(self.modalities, self.modalities)
            raise KpstraError(f"{where}: {len(modalities)} arrays; this {name} takes {wanted}")
        silhouettes = modalities[0]
        if silhouettes.ndim != 3 or silhouettes.dtype != np.uint8 or not silhouettes.size:
            raise KpstraError(f"{where}: silhouettes {silhouettes.dtype} {silhouettes.shape}: expected uint8 (T, H, W)")
        if silhouettes.max() == 1:
            raise KpstraError(f"{where}: silhouettes of 0 and 1: expected 0 to 255")
        for keypoints in modalities[1:]:
            expected = (len(silhouettes), getattr(self.model, "num_keypoints", JOINTS), 3)
            if keypoints.shape != expected or keypoints.dtype.kind != "f":
                raise KpstraError(f"{where}: keypoints {keypoints.dtype} {keypoints.shape}: expected floats {expected}")
            if (frame := first_nonfinite(keypoints)) is not None:
                raise KpstraError(
                    f"{where}: keypoints of frame {frame} are NaN or infinite; give absent joints score 0 and "
                    "a place, as opengait_ext.data.prepare.poses.fill_absent does"
                )
            if (keypoints[..., :2] <= 1).all() and (keypoints[..., 2] > 0).any():
                raise KpstraError(
                    f"{where}: all keypoints lie between 0 and 1: expected pixels of the silhouettes; multiply shares "
                    "of the image by its width and height and subtract 0.5"
                )
        return modalities

    def _files(self, folder: Path) -> list[np.ndarray]:
        """Read a prepared sequence's files: those of ``data_cfg.data_in_use``."""
        files, chosen = sorted(folder.glob("*.pkl")), self.model.cfgs["data_cfg"].get("data_in_use")
        if not files:
            raise KpstraError(f"{folder}: no folder of a prepared sequence: it has no .pkl files")
        if chosen and isinstance(chosen[0], bool):
            files = [file for file, use in zip(files, chosen, strict=False) if use]
        elif chosen:
            files = [files[i] for i in chosen if i < len(files)]
        return [read_array(file) for file in files]


def _paired(sequences: Given | Sequence[Given], keypoints: Any) -> list[Given]:
    """Return (silhouettes, keypoints) of one sequence, or of each of several."""
    if not isinstance(sequences, (list, tuple)):
        return [(sequences, keypoints)]
    if not hasattr(keypoints, "__len__") or len(keypoints) != len(sequences):
        raise KpstraError(
            f"GaitFeatureExtractor: a list of {len(sequences)} silhouettes, but keypoints of "
            f"{len(keypoints) if hasattr(keypoints, '__len__') else type(keypoints).__name__}: give a list of the "
            "keypoints of each, or a list of pairs (silhouettes, keypoints)"
        )
    return list(zip(sequences, keypoints, strict=True))


def _array(values: Any, where: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise KpstraError(
            f"{where}: {type(values).__name__} is no array of numbers ({error}): give silhouettes, or a pair "
            "(silhouettes, keypoints)"
        ) from None
