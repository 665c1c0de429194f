"""A study from its command: the data, the crew, run after run, and the page."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from tqdm import tqdm

from plugins.common.budget import Budget
from plugins.common.folders import claim
from plugins.errors import KpstraError

from ...training.session import choose_device, session
from ..walkers import write
from .pages import write_page
from .people import make_arrays
from .plan import Job, make_plan, ready, start_of
from .run import Place, settings_of
from .store import Store
from .table import Study, chosen, read_study
from .workers import Crew, Ended, Task

MOST_ON_A_GPU = 12  # processes that share one by default
PAGE = 10.0  # seconds of a budget that are kept for the page


def conduct(options: argparse.Namespace) -> int:
    """Make the runs that are not there yet, as far as the budget goes, and write the page; return the exit status.

    Args:
        options: of the command, see ``opengait-ext study --help``.

    Raises:
        KpstraError: any mistake in the options, the table, the settings or the data.
    """
    study = read_study(options.table)
    rows = chosen(options.rows, [row.name for row in study.rows], "--rows")
    trainings = chosen(options.trainings, list(study.trainings), "--trainings")
    tests = chosen(options.tests, [test.name for test in study.tests], "--tests")
    if min(options.seeds) < 0:
        raise KpstraError(f"--seeds {min(options.seeds)}: expected whole numbers from 0")
    if options.workers is not None and options.workers < 1:
        raise KpstraError(f"--workers {options.workers}: expected 1 or more")
    if options.data_workers is not None and options.data_workers < 1:
        raise KpstraError(f"--data-workers {options.data_workers}: expected 1 or more")
    budget = Budget(None if options.budget is None else options.budget - PAGE)
    shared = {"walkers": study.walkers.as_json(), "frames": study.frames}
    with claim(options.output, shared, alone=True):
        store, failures = Store(options.output, study), []
        jobs = make_plan(study, rows, trainings, options.seeds)
        finished = store.all(jobs)
        todo = [job for job in jobs if job not in finished or not finished[job]["tests"].keys() >= set(tests)]
        if todo and not options.page:
            failures = run_all(study, todo, tests, options, store, budget)
        write_page(options.output, study, store)
        left = len([job for job in jobs if store.find(job) is None])
        print(f"{len(jobs) - left} of {len(jobs)} runs are there; {options.output / 'study.md'}")
    for ended in failures:
        print(f"failed: {ended.job}: {ended.failure}")
    return 1 if failures else 0


def run_all(
    study: Study, todo: Sequence[Job], tests: Sequence[str], options: argparse.Namespace, store: Store, budget: Budget
) -> list[Ended]:
    """Make runs until none is left or none fits any more; return those that failed."""
    device, work = choose_device(options.device), options.output.resolve() / "work"
    data = options.data.resolve()
    summaries = options.output.resolve() / "tensorboard"
    place = Place(data / "walkers", work / "weights", work / "scratch", summaries, options.bfloat16)
    todo = with_their_starts(study, todo, place)
    task = Task(study, tuple(tests), store.all(todo), data / "tests", place, options.host, device)
    needed = {name for job in todo for name in task.tests_of(job)}
    with session(options.host, "cpu") as (host, _):
        for job in {(job.row, job.training): job for job in todo}.values():
            settings_of(host, study, job, place)
    number = options.workers or (min(MOST_ON_A_GPU, _cores()) if device == "cuda" else _cores())
    crew = Crew(min(number, len(todo)), task, work / "logs")
    try:  # the workers import what they need meanwhile
        write(place.walkers, study.walkers, options.data_workers)
        shown = [test for test in study.tests if test.name in needed]
        make_arrays(place.walkers, task.arrays, study, shown, options.data_workers)
        return carry_through(study, todo, crew, store, budget)
    finally:
        crew.stop()


def with_their_starts(study: Study, todo: Sequence[Job], place: Place) -> list[Job]:
    """Return the jobs, and before them the finished ones that they start from and whose weights are gone."""
    found: dict[Job, None] = {}
    for job in todo:
        before = start_of(study, job)
        if before is not None and before not in todo and not place.weights_of(before).exists():
            found[before] = None
        found[job] = None
    return list(found)


def carry_through(study: Study, todo: Sequence[Job], crew: Crew, store: Store, budget: Budget) -> list[Ended]:
    """Let the crew make the runs in their order, each as soon as the weights that it starts from are there.

    Returns:
        The runs that failed; those that start from one of them are not begun, nor what would not end in time.
    """
    left, failures = list(todo), []
    weights = {before for job in left if (before := start_of(study, job)) and before not in left}
    with tqdm(total=len(left), desc="Runs", unit="run", smoothing=0) as bar:
        while left or crew.busy:
            for worker in crew.idle():
                job = ready(study, left, weights)
                if job is not None and budget.allows(job.row):
                    crew.give(worker, job)
                    left.remove(job)
            if not crew.busy:
                break  # nothing fits, nobody lives, or what is left starts from a failed run
            for ended in crew.collect(max(0.0, budget.left)):
                bar.update()
                if ended.record is None:
                    failures.append(ended)
                    tqdm.write(f"failed: {ended.job}: {ended.failure}")
                    continue
                store.put(ended.job, ended.record)
                budget.note(ended.job.row, sum(ended.record["seconds"].values()))
                weights.add(ended.job)
                first = next(iter(ended.record["tests"].values()))
                bar.set_postfix_str(f"{ended.job}: mAP {first['mAP']:.1f}")
            if budget.left <= 0:
                break
    return failures


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
