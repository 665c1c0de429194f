"""Worker processes that import torch and the host once and then carry out one run after the other."""

from __future__ import annotations

import math
import multiprocessing as mp
import os
import shutil
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from plugins.common.processes import follow_parent
from plugins.errors import KpstraError, plain

from .plan import Job
from .run import Place
from .table import Study


class Task(NamedTuple):
    """What all runs of a worker share."""

    study: Study
    tests: tuple[str, ...]
    arrays: Path
    place: Place
    host: str
    device: str


class Ended(NamedTuple):
    """How a run ended: what its file holds, or why there is none."""

    job: Job
    record: dict[str, Any] | None
    failure: str = ""


class Crew:
    """Processes with a pipe each.

    Args:
        number: of processes.
        task: what all runs share.
        logs: folder of a log file for each.
    """

    def __init__(self, number: int, task: Task, logs: Path) -> None:
        self.busy: dict[int, Job] = {}
        self._links, self._processes, self._logs = [], [], logs
        logs.mkdir(parents=True, exist_ok=True)
        forks = task.device == "cpu" and sys.platform == "linux"  # then torch and the host are there already
        context = mp.get_context("fork" if forks else "spawn")
        for i in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, task, self._log(i)), daemon=True)
            process.start()
            theirs.close()
            self._links.append(ours)
            self._processes.append(process)

    def _log(self, i: int) -> Path:
        return self._logs / f"worker-{i}.txt"

    def idle(self) -> list[int]:
        """Return the workers that live and have nothing to do."""
        return [i for i, process in enumerate(self._processes) if i not in self.busy and process.is_alive()]

    def give(self, worker: int, job: Job) -> None:
        """Let a worker begin a run."""
        self.busy[worker] = job
        with suppress(OSError):  # it has died since: collect() says so
            self._links[worker].send(job)

    def collect(self, seconds: float) -> list[Ended]:
        """Wait for a run to end, at most so long; return those that have."""
        links = {self._links[i]: i for i in self.busy}
        found = []
        for link in wait(list(links), None if seconds == math.inf else seconds):
            worker = links[link]
            job = self.busy.pop(worker)
            try:
                found.append(link.recv())
            except (EOFError, OSError):
                found.append(
                    Ended(job, None, f"its process ended, perhaps for want of memory; see {self._log(worker)}")
                )
        return found

    def stop(self) -> None:
        """End all processes; what they are at is lost."""
        for i, process in enumerate(self._processes):
            self._links[i].close()
            if i in self.busy:
                process.terminate()
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()


def serve(link: Connection, task: Task, log: Path) -> None:
    """Carry out the runs that come through the pipe until it is closed; what they print goes into a file."""
    follow_parent()
    with open(log, "ab", buffering=0) as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    import torch

    from plugins.common.memory import keep_freed_memory

    from ...training.log import close_log
    from ...training.session import session
    from .people import read_arrays
    from .run import carry_out

    torch.set_num_threads(1)
    with suppress(EOFError), session(task.host, task.device) as (host, device):
        if device == "cpu":
            keep_freed_memory()
        tests = None
        while True:
            job = link.recv()
            try:
                if tests is None:
                    tests = {name: read_arrays(task.arrays, task.study, task.study.test(name)) for name in task.tests}
                ended = Ended(job, carry_out(host, device, task.study, job, task.place, tests))
            except KpstraError as error:
                ended = Ended(job, None, plain(error))
            except Exception as error:
                traceback.print_exc()
                ended = Ended(job, None, f"{type(error).__name__}: {error}; {log} has more")
            finally:
                close_log(host)
            keep_summary(task.place, job)
            link.send(ended)


def keep_summary(place: Place, job: Job) -> None:
    """Keep a run's TensorBoard files and delete its scratch folder."""
    scratch = place.scratch / str(job)
    for summary in scratch.glob("output/*/*/*/summary"):
        shutil.rmtree(place.summaries / str(job), ignore_errors=True)
        place.summaries.mkdir(parents=True, exist_ok=True)
        shutil.move(summary, place.summaries / str(job))
    shutil.rmtree(scratch, ignore_errors=True)
