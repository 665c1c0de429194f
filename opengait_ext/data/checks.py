"""Checks between data, settings and model that OpenGait leaves to a crash or to silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn, optim

from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINTS

from ..settings.model import SECTIONS
from .body import count_body, evenly, judge, judge_scores
from .causes import likely_cause
from .layout import DEPTH, find_sequences
from .pixels import count_pixels, judge_pixels
from .prepare.sequence import FILES

USES_JOINTS = {"kprpe", "heatmaps"}  # sections of model_cfg
SAMPLED, FRAMES = 8, 16  # sequences, and frames of each, that are looked at before a run
SMALLEST = 16  # least height and width of an image; arrays of joints are narrower


def check_transforms(cfgs: Mapping[str, Any]) -> None:
    """Refuse a random geometry of the silhouettes alone in a model that looks at joints."""
    if not uses_joints(cfgs["model_cfg"]):
        return
    for section in ("trainer_cfg", "evaluator_cfg"):
        if moving := moves_silhouettes(cfgs[section]["transform"]):
            raise KpstraError(
                f"{section}.transform.0: {', '.join(moving)} would move silhouettes and leave the joints behind; "
                f"put it into {section}.joint_transform"
            )


def check_moves(modalities: Sequence[np.ndarray], cfgs: Mapping[str, Any], train: bool) -> list[str]:
    """Return a warning for a model that is not known here, if its data have joints and its silhouettes alone move.

    Args:
        modalities: of a sequence.
        cfgs: of the run.
        train: whether it trains.
    """
    section, model = "trainer_cfg" if train else "evaluator_cfg", cfgs["model_cfg"]
    moving = moves_silhouettes(cfgs[section]["transform"])
    joints = any(array.shape[1:] == (JOINTS, 3) for array in modalities[1:])
    if not moving or not joints or model["model"] in SECTIONS or uses_joints(model):
        return []
    return [
        f"{section}.transform.0: {', '.join(moving)} moves silhouettes and leaves the joints behind: if the model uses "
        f"them, put it into {section}.joint_transform; if not, data_cfg.data_in_use: [true, false] leaves them out"
    ]


def uses_joints(model: Mapping[str, Any]) -> bool:
    """Whether ``model_cfg`` is of a model that looks at joints: by its name, for others by its sections."""
    if model["model"] in SECTIONS:
        _, others = SECTIONS[model["model"]]
        return not USES_JOINTS.isdisjoint(others)
    return not USES_JOINTS.isdisjoint(model)


def moves_silhouettes(transforms: Any) -> list[str]:
    """Return the geometric transforms of the first of several modalities."""
    if not isinstance(transforms, list) or len(transforms) < 2:
        return []
    names = [n["type"] for n in transforms[0].get("trf_cfg", [transforms[0]])]
    return [name for name in names if "Random" in name or "Cutting" in name]


def check_dataset(dataset: Any, cfgs: Mapping[str, Any], train: bool) -> None:
    """Refuse an empty data set, and sequences whose number of modalities differs."""
    data, kind = cfgs["data_cfg"], "TRAIN_SET" if train else "TEST_SET"
    if not len(dataset):
        find_sequences(Path(data["dataset_root"]), ".pkl", "data_cfg.dataset_root")
        raise KpstraError(
            f"data_cfg.dataset_root: {data['dataset_root']}: holds no sequence of an identity in {kind} of "
            f"{data['dataset_partition']}; there the first is {_first(data['dataset_root'])}"
        )
    if stray := next((path for info in dataset.seqs_info for path in info[-1] if not path.endswith(".pkl")), None):
        raise KpstraError(f"{stray}: no sequence file; remove it: every file of a sequence is a modality, a .pkl")
    counts = Counter(len(info[-1]) for info in dataset.seqs_info)
    if len(counts) > 1:
        usual = counts.most_common(1)[0][0]
        odd = next(info[-1] for info in dataset.seqs_info if len(info[-1]) != usual)
        others = next(info[-1] for info in dataset.seqs_info if len(info[-1]) == usual)
        raise KpstraError(
            f"data_cfg.dataset_root: {data['dataset_root']}: sequences have {usual} files, {_sequence(odd)} has "
            f"{len(odd)}{_difference(odd, others)}; run `opengait-ext prepare` again"
        )
    section = "trainer_cfg" if train else "evaluator_cfg"
    transforms = cfgs[section]["transform"]
    wanted, there = len(transforms) if isinstance(transforms, list) else 1, next(iter(counts))
    if there != wanted:
        if there == 1 and wanted == len(FILES) and not list(_folder(dataset.seqs_info[0][-1]).glob(f"*{FILES[1]}")):
            raise KpstraError(
                f"data_cfg.dataset_root: {data['dataset_root']}: no {FILES[1]}, for example in "
                f"{_sequence(dataset.seqs_info[0][-1])}: run `opengait-ext prepare` with --poses; "
                f"{section}.transform has {wanted} transforms, for silhouettes alone it would be one"
            )
        raise KpstraError(
            f"{section}.transform: {wanted} transforms for data of {there} modalities; each needs one, "
            "data_cfg.data_in_use chooses modalities"
        )


def _folder(paths: Sequence[str]) -> Path:
    return Path(paths[0]).parent


def _sequence(paths: Sequence[str]) -> str:
    """``<id>/<type>/<view>`` of a sequence's files; the host's record may have the data set's name before the id."""
    return "/".join(_folder(paths).parts[-DEPTH:])


def _difference(paths: Sequence[str], usual: Sequence[str]) -> str:
    """Name the files that a sequence lacks or has besides, if the names of both are of one kind."""
    here, there = ({Path(path).name for path in some_paths} for some_paths in (paths, usual))
    if here < there:
        return f": no {', '.join(sorted(there - here))}"
    return f": besides {', '.join(sorted(here - there))}" if there < here else ""


def _first(root: str) -> str:
    return min((path.name for path in Path(root).iterdir() if path.is_dir()), default="none")


def check_sample(dataset: Sequence, root: str) -> list[str]:
    """Look at some sequences of silhouettes and COCO's joints, see :func:`doubts`.

    Args:
        dataset: gives (modalities, record) of a sequence.
        root: its folder, for messages.

    Returns:
        What is doubtful about them.

    Raises:
        KpstraError: joints that mostly miss the people, with the likely cause.
    """
    said, stops = doubts(dataset)
    if not said:
        return []
    line = f"data_cfg.dataset_root: {root}: {said}; `opengait-ext doctor --data {root}` looks at all"
    if stops:
        raise KpstraError(line)
    return [line]


def doubts(dataset: Sequence) -> tuple[str, bool]:
    """Return what is doubtful about some sequences, with the likely cause, and whether they must be wrong.

    Args:
        dataset: gives (modalities, record) of a sequence; others than silhouettes and COCO's joints pass.
    """
    counts, sample = Counter(), []
    for index in evenly(range(len(dataset)), SAMPLED):
        modalities, _ = dataset[index]
        if modalities[0].ndim != 3 or min(modalities[0].shape[1:]) < SMALLEST:
            continue
        count_pixels(modalities[0], counts)
        if len(modalities) == 2 and modalities[1].shape[1:] == (JOINTS, 3):
            count_body(*modalities, counts)
            sample += evenly(list(zip(*modalities, strict=True)), FRAMES)
    verdicts = [*judge_pixels(counts), *judge_scores(counts), *judge(counts)]
    wrong = [verdict for verdict in verdicts if not verdict.well]
    if not wrong:
        return "", False
    cause = likely_cause(sample)
    said = "; ".join(verdict.what for verdict in wrong) + cause.what
    return said, cause.found or any(verdict.stops for verdict in wrong)


def check_groups(model: nn.Module, optimizer: optim.Optimizer) -> None:
    """Refuse an optimiser that leaves out a trainable parameter, or has one twice."""
    times = Counter(id(p) for group in optimizer.param_groups for p in group["params"])
    wrong = [name for name, p in model.named_parameters() if p.requires_grad and times[id(p)] != 1]
    if wrong:
        name = type(model).__name__
        raise KpstraError(f"{name}.get_optimizer: not in exactly one parameter group: {', '.join(wrong)}")
