"""Runs, each a child process with a folder of its own: begun, gone on with, or skipped, by what the folder holds."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ...common.files import read_json, write_json
from ...common.folders import RECORD, claim
from ...errors import KpstraError
from .host import Host, Job
from .table import Section

CONSOLE, FAILURE = "console.txt", "failure.json"
FINISHED, SKIPPED, FAILED = "finished", "already finished", "failed"
OURS = re.compile(r"[\w -]+: error: ")
DEATH_SIGNAL = 1  # Linux's PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Outcome:
    """How a job ended: :data:`FINISHED`, :data:`SKIPPED` or :data:`FAILED`, and why."""

    job: Job
    state: str
    message: str = ""


def make_jobs(section: Section, names: Sequence[str], seeds: Sequence[int], results: Path) -> list[Job]:
    """Return the jobs of the chosen rows, one a seed, behind those whose weights they start from.

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

    for row in section.chosen(names):
        if row.config is None and row.name in names:
            raise KpstraError(f"--rows {row.name}: a published number only: it has no configuration here to run")
        for seed in dict.fromkeys(seeds) if row.config is not None else ():
            add(row.name, seed)
    return list(jobs.values())


def run_folder(results: Path, section: Section, name: str, seed: int) -> Path:
    """Where the run of a row and a seed lives."""
    return results / section.name / name / f"seed{seed}"


def run_jobs(host: Host, jobs: Sequence[Job], say: Callable[[str], None] = print) -> list[Outcome]:
    """Bring every job to its end, one after the other; a failed one is reported and the next begun.

    Raises:
        KpstraError: a mistake in the settings or the data, before anything is started.
    """
    outcomes: dict[tuple[str, int], Outcome] = {}
    for number, (job, settings) in enumerate(zip(jobs, host.merged(jobs), strict=True), start=1):
        began = time.monotonic()
        before = job.warm_start and outcomes.get((job.warm_start.row.name, job.seed))
        try:
            if before and before.state == FAILED:
                raise KpstraError(f"it starts from {before.job}, which failed")
            state = run_job(host, job, settings, lambda step, n=number, j=job: say(f"[{n}/{len(jobs)}] {j}: {step}"))
            outcome = Outcome(job, state)
        except KpstraError as error:
            outcome = Outcome(job, FAILED, str(error))
        spent = "" if outcome.state == SKIPPED else f" ({time.monotonic() - began:.0f} s)"
        say(f"[{number}/{len(jobs)}] {job}: {outcome.state}{spent}{': ' if outcome.message else ''}{outcome.message}")
        outcomes[job.row.name, job.seed] = outcome
    return list(outcomes.values())


def run_job(host: Host, job: Job, settings: Mapping[str, Any], say: Callable[[str], None]) -> str:
    """Give the host's commands until the folder holds a result; return whether there was anything to do."""
    changed = {key: value for key, value in host.settings.items() if key not in host.moving}
    moving = ["changed", *(f"settings.{key}" for key in host.moving)]
    begun = {"changed": changed, "settings": settings}
    with claim(job.folder, begun, option="--results", ignore=moving) as lock:
        (job.folder / FAILURE).unlink(missing_ok=True)
        try:
            return _bring_to_end(host, job, settings, lock, say)
        except KpstraError as error:
            write_json(job.folder / FAILURE, {"reason": str(error)})
            raise


def _bring_to_end(host: Host, job: Job, settings: Mapping[str, Any], lock: IO, say: Callable[[str], None]) -> str:
    previous, command = None, host.next_command(job, settings)
    if command is None:
        return SKIPPED
    while command is not None:
        if command == previous:
            raise KpstraError(f"the run ended well but wrote no result; see {job.folder / CONSOLE}")
        say(f"python -m {' '.join(command[command.index('-m') + 1 :])}")
        run_child(command, job.folder / CONSOLE, lock)
        previous, command = command, host.next_command(job, settings)
    return FINISHED


def run_child(command: Sequence[str], console: Path, lock: IO | None = None) -> None:
    """Run a command with its output appended to ``console``; it dies with this process.

    Raises:
        KpstraError: its exit status is not 0; the message is its last line that speaks of an error.
    """
    with console.open("ab") as stream:
        start = stream.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            pass_fds=[lock.fileno()] if lock and os.name == "posix" else (),
        )
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if status:
        with console.open("rb") as stream:
            stream.seek(start)
            lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
        ended = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
        raise KpstraError(f"{ended}: {_reason(lines)} (see {console})")


def _reason(lines: Sequence[str]) -> str:
    """Of what a command printed, the last line that tells a mistake as ours do, or speaks of an error, or is there."""
    ours = [line for line in lines if OURS.match(line)]
    errors = [line for line in lines if "error" in line.lower()]
    return next(iter([*ours[-1:], *errors[-1:], *lines[-1:]]), "it printed nothing")


def read_changed(folder: Path) -> dict[str, Any]:
    """Return the settings that the run in a folder was given beside its configuration.

    Raises:
        KpstraError: what is written there is no run's.
    """
    path, expected = folder / RECORD, "a run's settings; delete its folder, or choose another --results"
    if not path.is_file():
        return {}
    changed = read_json(path, expected).get("changed")
    if not isinstance(changed, dict):
        raise KpstraError(f"{path}: changed: {changed!r}: expected {expected}")
    return changed


def read_failure(folder: Path) -> str:
    """Return why the run in a folder failed when it was last tried; nothing if it did not.

    Raises:
        KpstraError: what is written there is not what a runner wrote.
    """
    path = folder / FAILURE
    return str(read_json(path, "why a run failed; delete it").get("reason", "")) if path.is_file() else ""


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGTERM)
