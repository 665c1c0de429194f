"""``prepare`` and the data loaders with as many sequences as Gait3D: is time linear and memory flat?

The sequences are the shipped pedestrians, linked under as many names as are asked for, so that every file is really
read, prepared, written and read again. Linux only: memory is read from ``/proc``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plugins.errors import KpstraError

from ...data import SHIPPED
from ...data.layout import find_sequences
from ...data.prepare.journal import JOURNAL

EACH = 6  # sequences of an identity, as in Gait3D
TRAIN = 0.75  # of the identities
STEPS = 5  # parts of the work that are looked at one by one
KINDS = ("2D_Silhouettes", "2D_Poses")
MB = 1e6


def run(sequences: int, workers: int, host: str = "auto", scratch: Path | None = None) -> dict[str, Any]:
    """Measure ``prepare``, a rerun that finds all done, the host's data sets, and our loaders of them.

    Args:
        sequences: how many; as in Gait3D an identity has six, and three of four train.
        workers: processes of ``prepare``, and of each loader.
        host: see :func:`opengait_ext.host.find.find_host`.
        scratch: where to put the data, by default the system's temporary folder; 90 kB a sequence.

    Returns:
        ``prepare`` and ``rerun``, ``data sets``, ``training loader`` and ``test loader``: seconds and memory.

    Raises:
        KpstraError: too few sequences, no ``/proc``, checkout or scratch folder, or a measured process failed,
            after its own message.
    """
    if sequences < 10 * EACH:
        raise KpstraError(f"--sequences {sequences}: expected {10 * EACH} or more")
    if not Path("/proc/self/statm").is_file():
        raise KpstraError("bench load: reads memory from /proc, which only Linux has")
    if not Path(SHIPPED).is_dir():
        raise KpstraError(f"{SHIPPED}: no such folder; `bench load` needs a checkout of kpstra, and runs in it")
    try:
        temporary = tempfile.TemporaryDirectory(prefix="kpstra-load-", dir=scratch)
    except OSError as error:
        raise KpstraError(f"--scratch {scratch}: {error.strerror}; give a folder that can be written to") from error
    with temporary as folder:
        raw, output = Path(folder, "raw"), Path(folder, "prepared")
        frames = link_sequences(Path(SHIPPED), raw, sequences)
        write_partition(Path(folder, "partition.json"), sequences)
        results = {"sequences": sequences, "frames": frames, "workers": workers}
        results["prepare"] = watch_prepare(raw, output, sequences, workers)
        results["rerun"] = watch_prepare(raw, output, sequences, workers)
        loaders = "opengait_ext.benchmarks.speed.loaders"
        command = [sys.executable, "-m", loaders, folder, str(sequences), str(workers), host]
        status = subprocess.call(command, stdout=subprocess.DEVNULL)
        if status:
            raise KpstraError(f"bench load: the loaders ended with status {status}; see above")
        return {**results, **json.loads((Path(folder) / "loaders.json").read_text())}


def name_of(number: int) -> tuple[str, str]:
    """Return the identity and ``<type>/<view>`` of a sequence."""
    return f"{number // EACH:05d}", f"camid{number % EACH}_videoid0/seq0"


def link_sequences(source: Path, target: Path, sequences: int) -> int:
    """Make a raw release of links to the sequences of ``source``; return the number of frames."""
    names = find_sequences(source / KINDS[0], ".png", "--raw")
    lengths = {name: len(os.listdir(source / KINDS[0] / name)) for name in names}
    for number in range(sequences):
        for kind in KINDS:
            link = target / kind / "/".join(name_of(number))
            link.parent.mkdir(parents=True)
            link.symlink_to((source / kind / names[number % len(names)]).resolve())
    return sum(lengths[names[number % len(names)]] for number in range(sequences))


def write_partition(path: Path, sequences: int) -> None:
    """The first sequence of each test identity is a probe."""
    ids = [f"{i:05d}" for i in range(-(-sequences // EACH))]
    train = int(len(ids) * TRAIN)
    probes = [f"{i}-camid0_videoid0-seq0" for i in ids[train:]]
    path.write_text(json.dumps({"TRAIN_SET": ids[:train], "TEST_SET": ids[train:], "PROBE_SET": probes}))


def watch_prepare(raw: Path, output: Path, sequences: int, workers: int) -> list[dict[str, float]]:
    """Run the command in a process of its own; return what :func:`watched` saw at each part of its work."""
    command = [
        sys.executable,
        "-m",
        "opengait_ext",
        "prepare",
        "--silhouettes",
        str(raw / KINDS[0]),
        "--poses",
        str(raw / KINDS[1]),
        "--output",
        str(output),
        "--workers",
        str(workers),
    ]
    journal, read = output / JOURNAL, [0, 0]  # bytes and lines

    def finished() -> int:
        if journal.exists():
            with journal.open("rb") as stream:
                stream.seek(read[0])
                new = stream.read()
            read[:] = read[0] + len(new), read[1] + new.count(b"\n")
        return read[1]

    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    points = watched(process.pid, finished, sequences, lambda: process.poll() is not None)
    if process.returncode:
        raise KpstraError(f"bench load: prepare ended with status {process.returncode}; see above")
    return points


def watched(pid: int, finished: Callable[[], int], total: int, ended: Callable[[], bool]) -> list[dict[str, float]]:
    """Look at a process until it has ended.

    Returns:
        At each of :data:`STEPS` parts of ``total``, and at the end: ``finished``, ``seconds`` since the start, and the
        largest memory since the point before of the process, ``main MB``, and of one of its workers, ``worker MB``.
    """
    began, points, peak = time.monotonic(), [], [0.0, 0.0]
    while not ended():
        now = [resident(pid), max(map(resident, children(pid)), default=0.0)]
        peak = list(map(max, peak, now))
        done = finished()
        if done >= total * (len(points) + 1) // STEPS and len(points) < STEPS:
            points.append(point(done, began, peak))
            peak = [0.0, 0.0]
        time.sleep(0.02)
    return [*points, point(finished(), began, peak)]


def point(finished: int, began: float, peak: list[float]) -> dict[str, float]:
    """Return one observation."""
    return {"finished": finished, "seconds": time.monotonic() - began, "main MB": peak[0], "worker MB": peak[1]}


def resident(pid: int | str = "self") -> float:
    """Return a process's resident memory in MB; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
    except OSError:
        return 0.0


def children(pid: int | str = "self") -> list[str]:
    """Return the processes that a process started."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += path.read_text().split()
        except OSError:
            continue
    return found


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown tables."""
    lines = [
        f"{results['sequences']} sequences, {results['frames']} frames, {results['workers']} worker(s), loaders "
        f"of {results['host']}",
        "",
        "| what | sequences | seconds per 1000 | main, MB | largest worker, MB |",
        "|---|---|---|---|---|",
    ]
    for what in ("prepare", "training loader", "test loader"):
        before = {"finished": 0, "seconds": 0.0}
        for now in results[what]:
            new = now["finished"] - before["finished"]
            if new:
                rate = 1e3 * (now["seconds"] - before["seconds"]) / new
                lines.append(
                    f"| {what} | {before['finished']} to {now['finished']} | {rate:.2f} | "
                    f"{now['main MB']:.0f} | {now['worker MB']:.0f} |"
                )
            before = now
    seconds, peak = results["rerun"][-1]["seconds"], max(now["main MB"] for now in results["rerun"])
    lines.append(
        f"| prepare again, all done | {results['sequences']} | {1e3 * seconds / results['sequences']:.2f} | "
        f"{peak:.0f} | |"
    )
    for half, data in results["data sets"].items():
        lines.append(
            f"| data set, {half} | {data['sequences']} | {1e3 * data['seconds'] / data['sequences']:.3f} | "
            f"{data['main MB']:.0f} | |"
        )
    return "\n".join(lines)
