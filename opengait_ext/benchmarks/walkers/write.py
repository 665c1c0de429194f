"""Rendering and writing all sequences, in processes."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from plugins.benchmarks.walkers import Alignment, alignment_errors, displace, render
from plugins.common.files import atomic_folder
from plugins.common.folders import claim, scratch
from plugins.errors import KpstraError

from ...data.partition import write_partition
from ...data.prepare.poses import place
from ...data.prepare.run import parallel
from ...data.prepare.sequence import FILES, is_written
from ...data.prepare.silhouettes import Dropped, align_silhouette
from .plan import Settings

RAW_SIZE, SIZE = (128, 96), 64  # height and width of raw frames; height and width of prepared ones
RECORD = "walkers.json"
SILHOUETTES, POSES = "2D_Silhouettes", "2D_Poses"
PARTITION, VALIDATION = "partition.json", "partition_validation.json"


def write(output: str | Path, settings: Settings, workers: int | None = None) -> int:
    """Write all sequences that are not there yet, then the partitions.

    Args:
        output: a new folder, or one that was begun with the same settings.
        workers: processes; by default one for each core.

    Returns:
        The number of frames written by this call.

    Raises:
        KpstraError: settings that make no sense, or a folder that holds something else.
    """
    settings.check()
    if workers is not None and workers < 1:
        raise KpstraError(f"--workers {workers}: expected 1 or more")
    output, names = Path(output), settings.names()
    with claim(output, settings.as_json(), record=RECORD, alone=True), scratch(output) as partial_folder:
        finished = _is_raw_written if settings.raw else is_written
        todo = [name for name in names if not finished(output, name)]
        work = partial(write_sequence, output, partial_folder, settings)
        started, frames = time.monotonic(), 0
        with (
            tqdm(
                total=len(names), initial=len(names) - len(todo), unit="seq", desc="walkers", dynamic_ncols=True
            ) as bar,
            closing(parallel(work, todo, workers)) as results,
        ):
            for count in results:
                frames += count
                bar.set_postfix_str(f"{frames / (time.monotonic() - started):.0f} frames/s", refresh=False)
                bar.update()
        if settings.validation:
            write_partition(output / VALIDATION, settings.partition(validation=True), overwrite=True)
        write_partition(output / PARTITION, settings.partition(), overwrite=True)
    return frames


def write_sequence(output: Path, scratch_folder: Path, settings: Settings, name: str) -> int:
    """Render and write one sequence; return its number of frames."""
    label, kind, _ = name.split("/")
    identity, number = int(label) - 1, int(kind.rpartition("videoid")[2])
    if settings.raw:
        silhouettes, keypoints = render(
            settings.identity(identity), settings.sequence(identity, number), settings.frames, RAW_SIZE
        )
        images = {f"{t:04d}.png": cv2.imencode(".png", image)[1].tobytes() for t, image in enumerate(silhouettes)}
        poses = {f"{t:04d}.txt": _pose_line(frame).encode() for t, frame in enumerate(keypoints)}
        put_files(poses, output / POSES / name, scratch_folder)
        put_files(images, output / SILHOUETTES / name, scratch_folder)
    else:
        arrays = prepared(settings, identity, number)
        files = {file: pickle.dumps(array) for file, array in zip(FILES, arrays, strict=True)}
        put_files(files, output / name, scratch_folder)
        silhouettes = arrays[0]
    return len(silhouettes)


def put_files(files: Mapping[str, bytes], target: Path, scratch_folder: Path) -> None:
    """Write files into a folder that is there whole or not at all."""
    with atomic_folder(target, scratch_folder) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)


def prepared(settings: Settings, identity: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a sequence's silhouettes (T, 64, 64) uint8 and keypoints (T, 17, 3) float32: aligned, then misaligned."""
    sequence = settings.sequence(identity, number)
    raw, joints = render(
        settings.identity(identity), replace(sequence, alignment=Alignment()), settings.frames, RAW_SIZE
    )
    images, placements, kept = np.empty((len(raw), SIZE, SIZE), np.uint8), [], []
    for t, frame in enumerate(raw):
        try:
            placements.append(align_silhouette(frame, images[len(kept)]))
        except Dropped:
            continue
        kept.append(t)
    if not kept:
        raise KpstraError(f"{settings.name(identity, number)}: noise left no frame of it; less --noise helps")
    images, keypoints = images[: len(kept)], place(joints[kept].astype(float), np.array(placements))
    errors = alignment_errors(sequence.alignment, sequence.seed, settings.frames)[kept]
    if sequence.alignment != Alignment():
        images, keypoints = displace(images, keypoints, errors)
    return images, keypoints.astype(np.float32)


def _pose_line(joints: np.ndarray) -> str:
    """One frame's pose file: width and height of the frame, then 17 x (x, y, score)."""
    return ",".join([str(RAW_SIZE[1]), str(RAW_SIZE[0]), *(f"{value:.4f}" for value in joints.ravel())])


def _is_raw_written(output: Path, name: str) -> bool:
    """Whether both folders of a raw sequence are there: the silhouettes' is put in place last."""
    return (output / SILHOUETTES / name).is_dir() and (output / POSES / name).is_dir()
