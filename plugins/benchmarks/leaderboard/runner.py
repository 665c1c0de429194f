"""Runs, each a child process with a folder of its own: begun, gone on with, or skipped, by what the folder holds."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ...common.budget import Budget
from ...common.files import write_json
from ...common.folders import claim
from ...errors import KpstraError
from .children import child
from .folder import COMMANDS, CONSOLE, FAILURE, keep_command
from .host import Host, Job
from .table import Section

FINISHED, SKIPPED, FAILED, LEFT = "finished", "already finished", "failed", "left for want of time"
THREADS = "OMP_NUM_THREADS"
PAUSE = 0.05  # seconds between two looks at the running children
Steps = Generator[subprocess.Popen, None, str]  # yields a child at each start, goes on once it has ended


@dataclass(frozen=True)
class Outcome:
    """How a job ended: :data:`FINISHED`, :data:`SKIPPED`, :data:`FAILED` or :data:`LEFT`, and why."""

    job: Job
    state: str
    message: str = ""


@dataclass
class Running:
    """A job that has begun: its steps, and the child that it waits for."""

    number: int
    job: Job
    steps: Steps
    began: float
    process: subprocess.Popen | None = None


def make_jobs(section: Section, names: Sequence[str], seeds: Sequence[int], results: Path) -> list[Job]:
    """Return the jobs of the chosen rows, seed by seed, so that a comparison that is stopped has whole seeds.

    A job stands behind the one whose weights it starts from.

    Raises:
        KpstraError: an unknown row, one without a configuration, or a seed below 0.
    """
    if any(seed < 0 for seed in seeds):
        raise KpstraError(f"--seeds {min(seeds)}: expected whole numbers from 0")
    rows, jobs = {row.name: row for row in section.rows}, {}

    def add(name: str, seed: int) -> Job:
        row = rows[name]
        before = add(row.warm_start, seed) if row.warm_start else None
        return jobs.setdefault((name, seed), Job(row, seed, run_folder(results, section, name, seed), before))

    chosen = section.chosen(names)
    for row in chosen:
        if row.config is None and row.name in names:
            raise KpstraError(f"--rows {row.name}: a published number only: it has no configuration here to run")
    for seed in dict.fromkeys(seeds):
        for row in chosen:
            if row.config is not None:
                add(row.name, seed)
    return list(jobs.values())


def run_folder(results: Path, section: Section, name: str, seed: int) -> Path:
    """Where the run of a row and a seed lives."""
    return results / section.name / name / f"seed{seed}"


def run_jobs(
    host: Host, jobs: Sequence[Job], say: Callable[[str], None] = print, workers: int = 1, budget: Budget | None = None
) -> list[Outcome]:
    """Bring every job to its end; a failed one is reported, and the others go on.

    Args:
        workers: how many run at a time; several share the processor's cores.
        budget: begin no job that would not end in time.

    Raises:
        KpstraError: a mistake in the settings or the data, before anything is started.
    """
    with ExitStack() as stack:  # closes the steps of what still runs when this process is interrupted
        schedule = _Schedule(host, jobs, say, workers, budget or Budget(), stack)
        while schedule.running or schedule.waiting:
            schedule.look()
            schedule.fill()
            if schedule.running:
                time.sleep(PAUSE)
    return [schedule.outcomes[job.row.name, job.seed] for job in jobs]


class _Schedule:
    """What waits, what runs and what has ended."""

    def __init__(
        self,
        host: Host,
        jobs: Sequence[Job],
        say: Callable[[str], None],
        workers: int,
        budget: Budget,
        stack: ExitStack,
    ) -> None:
        self.host, self.workers, self.budget, self.stack = host, workers, budget, stack
        self.say = lambda number, text: say(f"[{number}/{len(jobs)}] {text}")
        self.waiting = list(zip(range(1, len(jobs) + 1), jobs, host.merged(jobs), strict=True))
        self.running: list[Running] = []
        self.outcomes: dict[tuple[str, int], Outcome] = {}
        self.env = shared_environment(workers)

    def look(self) -> None:
        """Go on with the jobs whose child has ended."""
        self.running = [one for one in self.running if one.process.poll() is None or self._go_on(one)]

    def fill(self) -> None:
        """Begin as many jobs as there is room for, in order, but for those whose weights are still trained."""
        for entry in list(self.waiting):
            if len(self.running) >= self.workers:
                return
            number, job, settings = entry
            before = job.warm_start and self.outcomes.get((job.warm_start.row.name, job.seed))
            if job.warm_start and not before:
                continue
            self.waiting.remove(entry)
            if before and before.state in (FAILED, LEFT):
                which = "failed" if before.state == FAILED else f"was {LEFT}"
                self._end(number, Outcome(job, before.state, f"it starts from {before.job}, which {which}"))
            elif not self.budget.allows(job.row.name) and self.host.result(job.folder) is None:
                self._end(number, Outcome(job, LEFT))
            else:
                self._begin(number, job, settings)

    def _begin(self, number: int, job: Job, settings: Mapping[str, Any]) -> None:
        steps = run_job(self.host, job, settings, lambda step: self.say(number, f"{job}: {step}"), self.env)
        one = Running(number, job, self.stack.enter_context(closing(steps)), time.monotonic())
        if self._go_on(one):
            self.running.append(one)

    def _go_on(self, one: Running) -> bool:
        """Bring a job to its next child; return whether there is one."""
        try:
            one.process = next(one.steps)
            return True
        except StopIteration as stop:
            outcome = Outcome(one.job, stop.value)
        except KpstraError as error:
            outcome = Outcome(one.job, FAILED, str(error))
        seconds = time.monotonic() - one.began
        if outcome.state == FINISHED:
            self.budget.note(one.job.row.name, seconds)
        self._end(one.number, outcome, None if outcome.state == SKIPPED else seconds)
        return False

    def _end(self, number: int, outcome: Outcome, seconds: float | None = None) -> None:
        spent = "" if seconds is None else f" ({seconds:.0f} s)"
        why = f": {outcome.message}" if outcome.message else ""
        self.say(number, f"{outcome.job}: {outcome.state}{spent}{why}")
        self.outcomes[outcome.job.row.name, outcome.job.seed] = outcome


def shared_environment(workers: int) -> dict[str, str]:
    """Return the children's environment: several at a time get a share of the cores each, unless it says otherwise."""
    share = max(1, (os.cpu_count() or 1) // workers)
    return {**({THREADS: str(share)} if workers > 1 else {}), **os.environ}


def run_job(
    host: Host, job: Job, settings: Mapping[str, Any], say: Callable[[str], None], env: Mapping[str, str] | None = None
) -> Steps:
    """Give the host's commands until the folder holds a result.

    Yields:
        Each command's process, once it is started.

    Returns:
        :data:`FINISHED`, or :data:`SKIPPED` if there was nothing to do.
    """
    changed = {key: value for key, value in host.settings.items() if key not in host.moving}
    moving = ["changed", *(f"settings.{key}" for key in host.moving)]
    begun = {"changed": changed, "settings": settings}
    defaults = {f"settings.{key}": value for key, value in host.defaults().items()}

    def trained() -> bool:
        return bool(host.checkpoints(job.folder)) or host.result(job.folder) is not None

    with claim(job.folder, begun, option="--results", ignore=moving, defaults=defaults, bound=trained) as lock:
        (job.folder / FAILURE).unlink(missing_ok=True)
        if not trained():  # the commands of a run that was refused, perhaps for its settings, have made nothing
            (job.folder / COMMANDS).unlink(missing_ok=True)
        try:
            return (yield from _bring_to_end(host, job, settings, lock, say, env))
        except KpstraError as error:
            write_json(job.folder / FAILURE, {"reason": str(error)})
            raise


def _bring_to_end(
    host: Host,
    job: Job,
    settings: Mapping[str, Any],
    lock: IO,
    say: Callable[[str], None],
    env: Mapping[str, str] | None,
) -> Steps:
    previous, command = None, host.next_command(job, settings)
    if command is None:
        return SKIPPED
    while command is not None:
        if command == previous:
            raise KpstraError(f"the run ended well but wrote no result; see {job.folder / CONSOLE}")
        typed = f"python {shlex.join(command[command.index('-m') :])}"
        say(typed)
        keep_command(job.folder, typed, host.versions())
        with child(command, job.folder / CONSOLE, lock, env) as process:
            yield process
        previous, command = command, host.next_command(job, settings)
    return FINISHED
