"""Worker processes that import torch and the host once and then carry out one run after the other."""

from __future__ import annotations

import math
import multiprocessing as mp
import os
import shutil
import sys
import traceback
from collections.abc import Mapping
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
    """What all runs of a worker share; ``finished`` are those that are made again, for tests that they have not."""

    study: Study
    tests: tuple[str, ...]
    finished: Mapping[Job, Mapping[str, Any]]
    arrays: Path
    place: Place
    host: str
    device: str

    def tests_of(self, job: Job) -> list[str]:
        """Return which tests a run's file has in the end: those that are asked for, and those that it has already.

        Raises:
            KpstraError: the file has one that the table has not, which could not be measured again.
        """
        has = self.finished[job]["tests"] if job in self.finished else {}
        known = [test.name for test in self.study.tests]
        if lost := [name for name in has if name not in known]:
            raise KpstraError(
                f"{job}: has the test {lost[0]!r}, which is not in the table and would be lost as the run is made "
                "again; put it back into the table, give another --output, or delete the run's file"
            )
        return [name for name in known if name in self.tests or name in has]


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
        while True:
            job, trained = link.recv(), True
            try:
                tests = [task.study.test(name) for name in task.tests_of(job)]
                arrays = {test.name: read_arrays(task.arrays, task.study, test) for test in tests}
                before = task.finished.get(job)
                record, trained = carry_out(host, device, task.study, job, task.place, arrays, before)
                ended = Ended(job, record)
            except KpstraError as error:
                ended = Ended(job, None, plain(error))
            except Exception as error:
                traceback.print_exc()
                ended = Ended(job, None, f"{type(error).__name__}: {error}; {log} has more")
            finally:
                close_log(host)
            if trained:
                keep_summary(task.place, job)
            shutil.rmtree(task.place.scratch / str(job), ignore_errors=True)
            link.send(ended)


def keep_summary(place: Place, job: Job) -> None:
    """Keep a run's TensorBoard files out of its scratch folder."""
    for summary in (place.scratch / str(job)).glob("output/*/*/*/summary"):
        shutil.rmtree(place.summaries / str(job), ignore_errors=True)
        place.summaries.mkdir(parents=True, exist_ok=True)
        shutil.move(summary, place.summaries / str(job))
