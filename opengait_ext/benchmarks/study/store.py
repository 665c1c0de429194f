"""The files of a study: one JSON for each finished run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from plugins.common.files import read_json, write_json
from plugins.common.folders import require_same
from plugins.common.settings import flatten
from plugins.errors import KpstraError

from ...settings.load import recipe
from ...settings.schema import OUR_DEFAULTS
from ..leaderboard import OpenGaitHost
from .plan import Job
from .table import Study

FORMAT = 1
RUNS = "runs"
METRICS = ("Rank-1", "mAP")
MOVING = (  # what may differ between two calls: where things are, and how often they are said
    *OpenGaitHost.moving,
    "trainer_cfg.restore_hint",
    "trainer_cfg.save_name",
    "evaluator_cfg.restore_hint",
    "evaluator_cfg.save_name",
)


def settings_record(study: Study, job: Job) -> dict[str, Any]:
    """Return by dotted key what identifies a run: its row's configuration with what the table sets."""
    row = study.row(job.row)
    settings = recipe(row.config, study.overrides(row, job.training, job.seed))
    found = {key: value for key, value in flatten(settings).items() if key not in MOVING}
    return {**found, "warm_start": row.warm_start, "trained": row.trained}


class Store:
    """The runs of a claimed folder."""

    def __init__(self, folder: Path, study: Study) -> None:
        self.folder, self.study = folder / RUNS, study

    def path(self, job: Job) -> Path:
        """Where a run's file is."""
        return self.folder / f"{job}.json"

    def put(self, job: Job, record: Mapping[str, Any]) -> None:
        """Write a finished run's file."""
        about = {"format": FORMAT, **job._asdict(), "settings": settings_record(self.study, job)}
        write_json(self.path(job), {**about, **record})

    def find(self, job: Job) -> dict[str, Any] | None:
        """Return a finished run's content.

        Raises:
            KpstraError: it is of other settings, or not a run's file.
        """
        path = self.path(job)
        if not path.exists():
            return None
        content = read(path)
        begun, now = ({"settings": one} for one in (content["settings"], settings_record(self.study, job)))
        defaults = {f"settings.{key}": value for key, value in OUR_DEFAULTS.items()}
        require_same(begun, now, str(path), "give another --output, or delete that file", defaults=defaults)
        for name, found in content["tests"].items():
            known = [test.definition() for test in self.study.tests if test.name == name]
            for definition in known:
                require_same(
                    {name: found["definition"]}, {name: definition}, str(path), "give another --output, or delete it"
                )
        return content

    def all(self, jobs: Iterable[Job]) -> dict[Job, dict[str, Any]]:
        """Return the finished ones of some jobs."""
        found = {job: self.find(job) for job in jobs}
        return {job: content for job, content in found.items() if content is not None}


def read(path: Path) -> dict[str, Any]:
    """Read a run's file; raises :class:`KpstraError` if it is none."""
    expected = "a run of `opengait-ext study`; delete it, and the run is made again"
    content = read_json(path, expected)
    try:
        numbers = [test[metric] for test in content["tests"].values() for metric in METRICS]
        definitions = [test["definition"] for test in content["tests"].values()]
        whole = content["format"] == FORMAT and all(
            isinstance(one, dict) for one in (*definitions, content["settings"])
        )
        if whole and numbers and all(isinstance(number, float | int) for number in numbers):
            return content
    except (KeyError, TypeError, AttributeError):
        pass
    raise KpstraError(f"{path}: expected {expected}")
