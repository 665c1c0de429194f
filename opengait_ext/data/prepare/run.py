"""All sequences: a pool of processes, a journal, the check of the coordinate frames, and a report."""

from __future__ import annotations

import multiprocessing as mp
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
from tqdm import tqdm

from plugins.common.files import write_json
from plugins.common.folders import claim, scratch
from plugins.common.processes import follow_parent, interrupts_held
from plugins.errors import KpstraError, some

from .journal import REPORT, SETTINGS, Journal, Record
from .report import add_up, make_report
from .sample import Sample

Written = tuple[Record, Path | None]  # a line of the journal, and the folder to put in place
Result = TypeVar("Result")


def run(
    names: Sequence[str],
    work: Callable[[str], Written],
    source: Callable[[str], str],
    output: Path,
    settings: Mapping[str, Any],
    workers: int | None,
    strays: int,
    sample: Sample,
) -> dict[str, Any]:
    """Do ``work`` for all sequences that are not finished or whose files have changed; write and return the report.

    Args:
        names: of all sequences.
        work: makes one, in a process of its own.
        source: gives what it is made from, see :mod:`.source`; kept in its line of the journal.
        output: the folder of the run.
        settings: what must not change when an output is continued.
        strays: poses whose sequence has no silhouettes.
        sample: frames that show the likely cause if what is written turns out wrong.
    """
    if workers is not None and workers < 1:
        raise KpstraError(f"--workers {workers}: expected 1 or more")
    try:
        with claim(output, settings, record=SETTINGS, alone=True), scratch(output), Journal(output) as journal:
            done = {name: journal.records[name] for name in unchanged(names, journal, source, workers)}
            todo = [name for name in names if name not in done]
            left_over = sorted(name for name in journal.records.keys() - set(names) if journal.is_finished(name))
            started, frames = time.monotonic(), 0
            with (
                tqdm(total=len(names), initial=len(done), unit="seq", desc="prepare", dynamic_ncols=True) as bar,
                closing(parallel(partial(_with_source, work, source), todo, workers)) as results,
            ):
                for record, partial_folder in results:
                    journal.add(record, partial_folder)
                    done[record["sequence"]] = record
                    frames += record["frames"]
                    bar.set_postfix_str(f"{frames / (time.monotonic() - started):.0f} frames/s", refresh=False)
                    bar.update()
            try:
                sample.refuse(add_up(done.values()), len(done))
            except KpstraError:
                journal.discard()
                raise
            report = make_report([done[name] for name in names], settings, strays, left_over)
            write_json(output / REPORT, report)
    except OSError as error:
        raise KpstraError(f"{error}; once that is mended, the same command goes on from there") from error
    return report


def unchanged(names: Sequence[str], journal: Journal, source: Callable[[str], str], workers: int | None) -> list[str]:
    """Return the sequences that are finished and whose files are as they were then; say which are not.

    Those of a journal that kept no sources yet count as unchanged, and are marked now.
    """
    finished, same, changed, unmarked = [name for name in names if journal.is_finished(name)], [], [], 0
    with (
        tqdm(total=len(finished), unit="seq", desc="prepared before", dynamic_ncols=True, disable=not finished) as bar,
        closing(parallel(partial(_with_name, source), finished, workers)) as marks,
    ):
        for name, mark in marks:
            bar.update()
            record = journal.records[name]
            if "source" not in record:
                journal.note({**record, "source": mark})
                unmarked += 1
            (same if record.get("source", mark) == mark else changed).append(name)
    if changed:
        print(
            f"{len(changed)} of {len(finished)} sequences prepared before have other files now, by size or time, and "
            f"are made again: {some(sorted(changed))}"
        )
    if unmarked:
        print(
            f"{unmarked} sequences are of a version that did not note what they were made from: changes of their files "
            "since then are not seen; give another --output if there are such"
        )
    elif finished and len(same) == len(names):
        print(f"all {len(same)} sequences were prepared before, and their files are as they were then")
    return same


def _with_name(source: Callable[[str], str], name: str) -> tuple[str, str]:
    return name, source(name)


def _with_source(work: Callable[[str], Written], source: Callable[[str], str], name: str) -> Written:
    mark = source(name)
    record, folder = work(name)
    return {**record, "source": mark}, folder


def parallel(work: Callable[[str], Result], names: Sequence[str], workers: int | None) -> Iterator[Result]:
    """Yield ``work(name)`` for each name as it is finished, from ``workers`` processes."""
    if not names:
        return
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    context = mp.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(min(workers, len(names)), context, _start_worker)  # Pool would wait for a killed worker
    try:
        with interrupts_held():  # the processes start with the first one
            first = pool.submit(work, names[0])
        for future in as_completed([first, *(pool.submit(work, name) for name in names[1:])]):
            yield future.result()
    except BrokenProcessPool as error:
        raise KpstraError(
            "a worker process was killed, perhaps for want of memory; the same command goes on from "
            "there, fewer --workers may help"
        ) from error
    finally:
        for process in (pool._processes or {}).values():  # as Python 3.14's kill_workers; all that is wanted has come
            process.kill()  # else one that waits for a lock, which another took with it when it was killed, hangs us
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    follow_parent()
    cv2.setNumThreads(0)
