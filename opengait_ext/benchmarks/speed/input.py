"""What a training process waits for its input: OpenGait's way, which transforms between two steps, and ours."""

from __future__ import annotations

import json
import os
import pickle
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from plugins.errors import KpstraError

from ...data import SHIPPED
from ...data.layout import find_sequences
from ...data.prepare.sequence import FILES
from ...host.active import ActiveHost
from ...settings.load import load_settings, resolve_paths
from ...training.hosted import hosted_class
from ...training.restore import quiet
from ...training.session import adapt, session
from .load import KINDS, children, name_of
from .prepare import GAIT3D_FRAMES, SIZE, prepare_one

HOSTS, OURS = "host", "workers"  # data_cfg.pretreatment
RECIPES = {  # small networks; their batches are made and augmented as those of the paper's recipes
    "silhouettes and keypoints": "opengait/pets_swingait2d_kprpe",
    "silhouettes": "opengait/pets_swingait2d",
}
IDENTITIES, SEQUENCES, FRAMES = 32, 4, 30  # of a batch: the paper's
WARM_UP = 3  # batches, while workers start and fill their queues


def run(
    choice: str = "auto",
    workers: int = 2,
    repeats: int = 7,
    step: float = 1.0,
    batch: tuple[int, int, int] = (IDENTITIES, SEQUENCES, FRAMES),
) -> dict[str, Any]:
    """Measure both ways for recipes with and without keypoints.

    Args:
        choice: see :func:`opengait_ext.host.find.find_host`.
        workers: of the loader.
        repeats: counted batches of each way.
        step: seconds that forward, backward and optimiser are taken to last on a device; the process sleeps them.
        batch: identities, sequences of each and frames.

    Returns:
        ``ratio``, the largest of the recipes' ratios of waiting times; ``recipes`` with seconds by way, and sequences
        per second and core.

    Raises:
        KpstraError: no shipped silhouettes here.
    """
    with tempfile.TemporaryDirectory(prefix="kpstra-input-") as folder, session(choice, "cpu") as (host, device):
        write_sequences(Path(folder), batch[0], batch[1])
        results: dict[str, Any] = {"host": str(host.kind), "workers": workers, "step seconds": step, "batch": batch}
        with quiet(host), one_thread():
            results["recipes"] = {
                name: measure(host, device, config, Path(folder), workers, repeats, step, batch)
                for name, config in RECIPES.items()
            }
    results["ratio"] = max(recipe["ratio"] for recipe in results["recipes"].values())
    return results


def write_sequences(folder: Path, identities: int, each: int) -> None:
    """Prepare the shipped pedestrians; write their frames, repeated to Gait3D's mean length, under new names."""
    silhouettes, poses = (Path(SHIPPED, kind) for kind in KINDS)
    if not silhouettes.is_dir():
        raise KpstraError(f"{silhouettes}: no such folder; `bench input` needs a checkout of kpstra, and runs in it")
    names = find_sequences(silhouettes, ".png", "--raw")
    arrays = []
    for name in names:
        _, written = prepare_one(silhouettes, poses, folder / "shipped", SIZE, name)
        if written:
            arrays.append([pickle.loads((Path(written) / file).read_bytes()) for file in FILES])
    people = [f"{i:05d}" for i in range(identities)]
    for number in range(identities * each):
        target = folder / "data" / people[number // each] / name_of(number % each)[1]
        target.mkdir(parents=True)
        for file, array in zip(FILES, arrays[number % len(arrays)], strict=True):
            longer = array[(np.arange(GAIT3D_FRAMES) + number) % len(array)]
            (target / file).write_bytes(pickle.dumps(longer))
    partition = {"TRAIN_SET": people, "TEST_SET": [], "PROBE_SET": []}
    (folder / "partition.json").write_text(json.dumps(partition))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and OpenCV work in the calling thread alone, as they do in workers."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def measure(
    host: ActiveHost,
    device: str,
    config: str,
    folder: Path,
    workers: int,
    repeats: int,
    step: float,
    batch: tuple[int, int, int],
) -> dict[str, Any]:
    """Measure both ways with one recipe."""

    def build(way: str, processes: int) -> nn.Module:
        overrides = (
            f"data_cfg.dataset_root={folder / 'data'}",
            f"data_cfg.dataset_partition={folder / 'partition.json'}",
            f"data_cfg.num_workers={processes}",
            f"data_cfg.pretreatment={way}",
            f"data_cfg.data_in_use={[True] * (2 if 'kprpe' in config else 1)}",
            f"model_cfg.SeparateBNNecks.class_num={batch[0]}",
            f"trainer_cfg.sampler.batch_size={list(batch[:2])}",
            f"trainer_cfg.sampler.frames_num_fixed={batch[2]}",
            "trainer_cfg.restore_hint=0",
        )
        settings = load_settings(host, config, overrides)
        resolve_paths(settings, host, "train")
        adapt(settings, device)
        return hosted_class(host, settings["model_cfg"]["model"])(settings, training=True)

    result: dict[str, Any] = {"seconds waited": {}, "sequences per second and core": {}}
    for way in (HOSTS, OURS):
        seconds, busy = waiting(build(way, workers), repeats, step)
        result["seconds waited"][way] = {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}
        result["sequences per second and core"][way] = batch[0] * batch[1] * repeats / busy
    waited, rates = result["seconds waited"], result["sequences per second and core"]
    return {**result, "ratio": waited[OURS]["median"] / waited[HOSTS]["median"], "speed": rates[OURS] / rates[HOSTS]}


def waiting(model: nn.Module, repeats: int, step: float) -> tuple[list[float], float]:
    """Train without a network: sleep a step after every batch.

    Returns:
        Seconds that the training process is busy with, or waits for, each counted batch; and seconds of processor time
        that it and the loader's workers took for all of them.
    """
    seconds, loader = [], iter(model.train_loader)
    for repeat in tqdm(range(-WARM_UP, repeats), desc=model.cfgs["data_cfg"]["pretreatment"], leave=False):
        if repeat == 0:
            before = processor_time()
        began = time.perf_counter()
        model.inputs_pretreament(next(loader))
        if repeat >= 0:
            seconds.append(time.perf_counter() - began)
        time.sleep(step)
    return seconds, processor_time() - before


def processor_time() -> float:
    """Return the processor time of this process and its living children, in seconds."""
    ticks = 0
    for pid in ("self", *children()):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # in user and in kernel mode
    return ticks / os.sysconf("SC_CLK_TCK")


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        f"{' x '.join(map(str, results['batch']))} (identities, sequences of each, frames), {results['workers']} "
        f"workers, steps of {results['step seconds']:g} s on a device; host: {results['host']}",
        "",
        "| input | way | seconds a training process waits | over the host's | sequences per second and core | speed |",
        "|---|---|---|---|---|---|",
    ]
    for name, recipe in results["recipes"].items():
        for way in (HOSTS, OURS):
            waited, rate = recipe["seconds waited"][way], recipe["sequences per second and core"][way]
            shown = f"{waited['median']:.4f} ({waited['min']:.4f} to {waited['max']:.4f})"
            more = (f"{recipe['ratio']:.3f}", f"{recipe['speed']:.2f}") if way == OURS else ("1", "1")
            lines.append(f"| {name} | {way} | {shown} | {more[0]} | {rate:.0f} | {more[1]} |")
    return "\n".join(lines)
