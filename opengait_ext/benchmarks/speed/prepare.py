"""Frames per second of ``opengait-ext prepare``, keypoints included, over OpenGait's own pretreatment."""

from __future__ import annotations

import importlib.util
import logging
import pickle
import shutil
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from plugins.benchmarks.speed.measure import interleaved, ratios
from plugins.common.files import replace_folder
from plugins.errors import KpstraError

from ...data import SHIPPED
from ...data.layout import find_sequences
from ...data.prepare.release import prepare_one
from ...data.prepare.sequence import FILES, images_of
from ...host.find import find_host

OURS, HOST = "kpstra, with keypoints", "OpenGait, silhouettes only"
SIZE = 64
GAIT3D_FRAMES = 130  # a sequence of Gait3D in the mean: 3.28 million frames in 25,309 sequences


def run(
    host: str = "auto", raw: str | Path = SHIPPED, repeats: int = 15, frames: int = GAIT3D_FRAMES
) -> dict[str, Any]:
    """Time both on every sequence of ``raw``, in one process and on one core; files are read and written by both.

    Args:
        host: ``auto``, ``opengait`` or the path of a checkout; without one only our side is measured.
        raw: holds ``2D_Silhouettes`` and ``2D_Poses``.
        repeats: counted rounds.
        frames: length of the second set: the same sequences, repeated. The shipped ones are short, which makes the
            files and folders of a sequence weigh more than they do in Gait3D.

    Returns:
        For ``shipped`` and ``lengthened``: ``frames``, ``sequences``, and by name ``frames per second`` and ``speed
        over OpenGait's``; the host's entry is ``None`` without a checkout.

    Raises:
        KpstraError: wrong folders, or silhouettes that differ.
    """
    silhouettes, poses = Path(raw) / "2D_Silhouettes", Path(raw) / "2D_Poses"
    names = find_sequences(silhouettes, ".png", "--raw")
    find_sequences(poses, ".txt", "--raw")
    pretreatment = load_pretreatment(host)
    threads = cv2.getNumThreads()
    logging.disable(logging.WARNING)  # the host logs every sequence
    cv2.setNumThreads(0)  # as in the worker processes of ours
    try:
        with tempfile.TemporaryDirectory(prefix="kpstra-bench-") as folder:
            longer = lengthen(silhouettes, poses, names, frames, Path(folder, "raw"))
            sets = {"shipped": (silhouettes, poses), "lengthened": longer}
            return {
                kind: _measure(*inputs, names, pretreatment, Path(folder, kind), repeats)
                for kind, inputs in sets.items()
            }
    finally:
        cv2.setNumThreads(threads)
        logging.disable(logging.NOTSET)


def load_pretreatment(choice: str) -> ModuleType | None:
    """Import ``datasets/pretreatment.py`` of a checkout of OpenGait, or return ``None`` where there is none."""
    host = find_host(choice)
    if host.kind == "embedded":
        return None
    file = host.root / "datasets" / "pretreatment.py"
    spec = importlib.util.spec_from_file_location("opengait_pretreatment", file)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (OSError, ImportError) as error:
        raise KpstraError(f"{file}: cannot be imported ({error}); name a whole checkout of OpenGait") from error
    if not hasattr(module, "imgs2pickle"):
        raise KpstraError(f"{file}: has no imgs2pickle; name a checkout of OpenGait like the tested one")
    return module


def lengthen(silhouettes: Path, poses: Path, names: list[str], frames: int, folder: Path) -> tuple[Path, Path]:
    """Copy every sequence into ``folder``, its frames repeated in order up to ``frames``; return both new roots."""
    roots = folder / silhouettes.name, folder / poses.name
    for name in names:
        files = images_of(silhouettes / name)
        for root in roots:
            (root / name).mkdir(parents=True)
        for frame in range(frames):
            stem = files[frame % len(files)][:-4]
            shutil.copyfile(silhouettes / name / f"{stem}.png", roots[0] / name / f"{frame:05d}.png")
            pose = poses / name / f"{stem}.txt"
            if pose.exists():
                shutil.copyfile(pose, roots[1] / name / f"{frame:05d}.txt")
    return roots


def _measure(
    silhouettes: Path, poses: Path, names: list[str], pretreatment: ModuleType | None, folder: Path, repeats: int
) -> dict[str, Any]:
    groups = [
        (tuple(name.split("/")), [silhouettes / name / file for file in images_of(silhouettes / name)])
        for name in names
    ]

    def prepare(output: Path) -> None:
        for name in names:
            _, written = prepare_one(silhouettes, poses, output, SIZE, name)
            if written:
                replace_folder(written, output / name)

    def pretreat(output: Path) -> None:
        for group in groups:
            pretreatment.imgs2pickle(group, output_path=output, img_size=SIZE)

    sides = {OURS: prepare, HOST: pretreat} if pretreatment else {OURS: prepare}
    folder.mkdir()
    outputs = []
    for side in sides.values():
        outputs.append(Path(tempfile.mkdtemp(dir=folder)))
        side(outputs[-1])
    if pretreatment:
        check_equal(names, *outputs)

    def fresh(side: Callable[[Path], None]) -> None:
        side(Path(tempfile.mkdtemp(dir=folder)))

    def clear() -> None:
        for output in folder.iterdir():
            shutil.rmtree(output)

    runs = {name: partial(fresh, side) for name, side in sides.items()}
    seconds = interleaved({**runs, "clear": clear}, repeats, f"prepare, {folder.name}")
    del seconds["clear"]
    frames = sum(len(files) for _, files in groups)
    results: dict[str, Any] = {"frames": frames, "sequences": len(names), HOST: None}
    for name, values in seconds.items():
        results[name] = {"frames per second": frames / statistics.median(values)}
    if pretreatment:
        results[OURS]["speed over OpenGait's"] = ratios(seconds, OURS)[HOST]  # its seconds over ours, by round
    return results


def check_equal(names: list[str], ours: Path, host: Path) -> None:
    """Raise :class:`KpstraError` unless both folders hold the same silhouettes, byte for byte."""
    for name in names:
        theirs = host / name / f"{name.rpartition('/')[2]}.pkl"
        with open(ours / name / FILES[0], "rb") as a, open(theirs, "rb") as b:
            x, y = pickle.load(a), pickle.load(b)
        if x.dtype != y.dtype or not np.array_equal(x, y):
            raise KpstraError(f"{name}: silhouettes differ from those of the host's pretreatment.py; nothing is timed")


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    head = "| prepare, one core | frames a sequence | frames per second | speed over OpenGait's |"
    lines = [head, "|---|---|---|---|"]
    for kind, result in results.items():
        length = f"{result['frames'] / result['sequences']:.0f} ({kind})"
        for name in (HOST, OURS):
            if result[name] is None:
                lines.append(f"| {name} | {length} | not measured: no checkout | |")
                continue
            speed = result[name].get("speed over OpenGait's")
            ratio = f"{speed['median']:.2f} ({speed['min']:.2f} to {speed['max']:.2f})" if speed else "not measured"
            rate = result[name]["frames per second"]
            lines.append(f"| {name} | {length} | {rate:.0f} | {'1' if name == HOST else ratio} |")
    return "\n".join(lines)
