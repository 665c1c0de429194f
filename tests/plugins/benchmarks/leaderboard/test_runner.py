"""Runs of a made-up host, whose training is a line of Python: order, failures, interruptions, reports."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest

from plugins.benchmarks.leaderboard import Complexity, Host, Result, Row, Section
from plugins.benchmarks.leaderboard.children import child
from plugins.benchmarks.leaderboard.folder import read_commands, read_settings
from plugins.benchmarks.leaderboard.report import markdown
from plugins.benchmarks.leaderboard.runner import (
    FAILED,
    FINISHED,
    LEFT,
    SKIPPED,
    make_jobs,
    run_folder,
    run_jobs,
    shared_environment,
)
from plugins.benchmarks.leaderboard.summary import Measured, collect
from plugins.common.budget import Budget
from plugins.common.folders import locked
from plugins.errors import KpstraError

ROWS = (
    Row("old", "Old & <others>", (5,), None, {"mAP": 30.5}),
    Row("a", "A|1", (1,), "c", {"mAP": 70.0}),
    Row("b", "B", (1, 2), "c", {"mAP": 71.0}, {"parameters": 2.0}, warm_start="a"),
)
SECTION = Section("fake", "Fake", "A & B", {"mAP": "mAP"}, ROWS)


class FakeHost(Host):
    """Each run writes ``weights``, then ``log`` with the number that its settings name."""

    moving = ("place",)

    def merged(self, jobs):
        return [{"value": self.settings.get("value", "80"), "place": time.time(), "seed": job.seed} for job in jobs]

    def next_command(self, job, settings):
        if self.result(job.folder):
            return None
        if not (job.folder / "weights").exists():
            code = f"open(r'{job.folder / 'weights'}', 'w')"
        else:
            code = f"open(r'{job.folder / 'log'}', 'w').write('{float(settings['value']) + job.seed}')"
        if job.row.name == self.settings.get("broken"):
            code = "import sys; print('first'); sys.exit('some error: nothing works')"
        if job.row.name == self.settings.get("together") and "weights" in code:
            code += f"; import pathlib, time; a = pathlib.Path(r'{job.folder.parent}')"
            code += "\nwhile len(list(a.glob('*/weights'))) < 2: time.sleep(0.01)"
        if "sleep" in self.settings:
            code = f"import time; time.sleep({self.settings['sleep']})"
        return [sys.executable, "-c", code if self.settings.get("broken") != "silent" else "pass", "-m"]

    def defaults(self):
        return {"value": "80"}

    @staticmethod
    def checkpoints(folder):
        return dict(enumerate(folder.glob("weights")))

    @staticmethod
    def result(folder: Path):
        log = folder / "log"
        return Result({"mAP": float(log.read_text())}, log, 90.0, "abacus") if log.is_file() else None


def run_child(command, console):
    with child(command, console):
        pass


def runs(tmp_path, names=(), seeds=(0, 1), workers=1, budget=None, **settings):
    said = []
    host = FakeHost(Namespace(), settings)
    outcomes = run_jobs(host, make_jobs(SECTION, names, seeds, tmp_path), said.append, workers, budget)
    return {(outcome.job.row.name, outcome.job.seed): outcome for outcome in outcomes}, said


def test_rows_run_in_order_and_finished_ones_are_skipped(tmp_path):
    outcomes, _ = runs(tmp_path, ["b"], [0])
    assert [(key, outcome.state) for key, outcome in outcomes.items()] == [(("a", 0), FINISHED), (("b", 0), FINISHED)]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"}
    outcomes, said = runs(tmp_path)
    assert [outcome.state for outcome in outcomes.values()] == [SKIPPED, SKIPPED, FINISHED, FINISHED]
    assert before == {path: path.stat().st_mtime_ns for path in before} and "[1/4] a seed 0: already finished" in said


def test_a_failure_is_reported_and_the_rest_runs(tmp_path):
    outcomes, _ = runs(tmp_path, seeds=[0], broken="b")
    assert [outcome.state for outcome in outcomes.values()] == [FINISHED, FAILED]
    assert "exit status 1: some error: nothing works (see " in outcomes["b", 0].message
    outcomes, _ = runs(tmp_path, seeds=[3], broken="a")
    assert outcomes["b", 3].message == "it starts from a seed 3, which failed"
    assert "wrote no result" in runs(tmp_path, seeds=[4], broken="silent")[0]["a", 4].message


def test_several_run_at_a_time(tmp_path):
    """Each waits until another has begun, so one after the other they would never end; rows wait for their weights."""
    outcomes, said = runs(tmp_path, workers=2, together="a")
    assert [outcome.state for outcome in outcomes.values()] == [FINISHED] * 4
    began = [line for line in said if ": python -m" in line]
    assert [line.split("]")[1][:9] for line in began[:2]] == [" a seed 0", " a seed 1"]


def test_workers_share_the_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [shared_environment(n).get("OMP_NUM_THREADS") for n in (1, 3, 32)] == [None, "5", "1"]
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert shared_environment(3)["OMP_NUM_THREADS"] == "7"


def test_a_budget_leaves_what_would_not_end_in_time(tmp_path):
    """Finished runs are told all the same, and those that start from what was left are left."""
    runs(tmp_path, ["a"], [0])
    clock = iter([0.0, *[11.0] * 99])
    outcomes, _ = runs(tmp_path, budget=Budget(10, lambda: next(clock)))
    assert [outcome.state for outcome in outcomes.values()] == [SKIPPED, LEFT, LEFT, LEFT]
    assert outcomes["b", 1].message == "it starts from a seed 1, which was left for want of time"
    assert not run_folder(tmp_path, SECTION, "b", 0).exists()
    assert [outcome.state for outcome in runs(tmp_path)[0].values()] == [SKIPPED, FINISHED, FINISHED, FINISHED]


def test_a_budget_knows_what_runs_have_taken(tmp_path):
    budget = Budget(1e6)
    runs(tmp_path, ["a"], [0], budget=budget)
    assert budget.expected("a") > 0


def test_what_runs_is_ended_with_its_runner(tmp_path):
    """Ctrl-C, here while a second job is begun."""

    def say(line):
        if "seed 1" in line:
            raise KeyboardInterrupt

    host = FakeHost(Namespace(), {"sleep": "60"})
    with pytest.raises(KeyboardInterrupt):
        run_jobs(host, make_jobs(SECTION, ["a"], [0, 1], tmp_path), say, workers=2)
    with locked(run_folder(tmp_path, SECTION, "a", 0)):  # nothing holds it any more
        pass


def test_the_report_says_why_a_run_failed(tmp_path):
    """Until it is tried again."""
    runs(tmp_path, ["a"], [0], broken="a")
    lines = collect(SECTION, ROWS, tmp_path, FakeHost.result, {})
    why = "- a seed 0: begun and not finished, so not counted: failed: exit status 1: some error: nothing works (see "
    assert why in markdown(SECTION, lines, tmp_path)
    runs(tmp_path, ["a"], [0])
    assert "failed" not in markdown(SECTION, collect(SECTION, ROWS, tmp_path, FakeHost.result, {}), tmp_path)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "print('opengait-ext: error: x: wrong'); print('ChildFailedError'); sys.exit(2)",
            "exit status 2: opengait-ext: error: x: wrong",
        ),
        ("print('Some Error'); print('more'); sys.exit(3)", "exit status 3: Some Error"),
        ("print('odd'); sys.exit(3)", "exit status 3: odd"),
        ("sys.exit(3)", "exit status 3: it printed nothing"),
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9: it printed nothing"),
    ],
)
def test_the_line_that_says_why_a_command_failed(tmp_path, code, message):
    with pytest.raises(KpstraError) as caught:
        run_child([sys.executable, "-c", f"import sys; {code}"], tmp_path / "console")
    assert str(caught.value) == f"{message} (see {tmp_path / 'console'})"


def test_other_settings_do_not_enter_a_begun_folder(tmp_path):
    runs(tmp_path, ["a"], value="80")
    outcomes, _ = runs(tmp_path, ["a"], value="81")
    assert {outcome.state for outcome in outcomes.values()} == {FAILED}
    assert "was begun with settings.value '80', not '81'; give the same settings" in outcomes["a", 0].message
    (tmp_path / "fake" / "a" / "seed0" / "settings.json").write_text("{")
    assert "settings.json: damaged" in runs(tmp_path, ["a"])[0]["a", 0].message


def test_a_run_that_was_refused_leaves_its_folder_to_other_settings(tmp_path):
    """Until it has made a checkpoint or a result; what was typed for the refused run is no command of this one."""
    folder = run_folder(tmp_path, SECTION, "a", 0)
    assert runs(tmp_path, ["a"], [0], value="60", broken="a")[0]["a", 0].state == FAILED
    assert runs(tmp_path, ["a"], [0], value="81")[0]["a", 0].state == FINISHED
    assert read_settings(folder)["value"] == "81" and len(read_commands(folder)) == 2
    (folder / "weights").unlink()  # a finished run whose checkpoints were removed is still one
    assert "value '81', not '82'" in runs(tmp_path, ["a"], [0], value="82")[0]["a", 0].message


def test_a_run_that_was_begun_before_there_was_a_setting(tmp_path):
    """It goes on while the setting has its default, and is refused another value."""
    runs(tmp_path, ["a"], [0])
    path = run_folder(tmp_path, SECTION, "a", 0) / "settings.json"
    begun = json.loads(path.read_text())
    del begun["settings"]["value"]
    path.write_text(json.dumps(begun))
    assert runs(tmp_path, ["a"], [0])[0]["a", 0].state == SKIPPED
    assert "settings.value unset, not '81'" in runs(tmp_path, ["a"], [0], value="81")[0]["a", 0].message


def test_what_cannot_be_run_is_named(tmp_path):
    with pytest.raises(KpstraError, match="--rows c: no such row of Fake; there are old, a, b"):
        make_jobs(SECTION, ["c"], [0], tmp_path)
    with pytest.raises(KpstraError, match="--rows old: a published number only"):
        make_jobs(SECTION, ["old"], [0], tmp_path)
    with pytest.raises(KpstraError, match="--seeds -1"):
        make_jobs(SECTION, ["a"], [-1], tmp_path)


def test_one_runner_a_folder(tmp_path):
    folder = run_folder(tmp_path, SECTION, "a", 0)
    folder.mkdir(parents=True)
    with locked(folder):
        assert "another run is writing" in runs(tmp_path, ["a"], [0])[0]["a", 0].message


def test_a_child_dies_with_its_runner(tmp_path):
    """SIGKILL of the runner, which cannot clean up."""
    code_of_child = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    code = f"""
import sys
from pathlib import Path
from plugins.benchmarks.leaderboard.children import child
with child([sys.executable, "-c", "{code_of_child}"], Path("{tmp_path}/o")) as process:
    process.wait()
"""
    runner = subprocess.Popen([sys.executable, "-c", code])
    while not (tmp_path / "o").exists() or not (tmp_path / "o").read_text().endswith("\n"):
        time.sleep(0.02)
    pid = int((tmp_path / "o").read_text())
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
    pytest.fail("the child goes on")


def test_errors_of_an_earlier_command_are_not_quoted(tmp_path):
    for text in ("old error", "new error"):
        with pytest.raises(KpstraError, match=f"status 3: {text}"):
            run_child([sys.executable, "-c", f"import sys; print('{text}'); sys.exit(3)"], tmp_path / "console")


def test_mean_and_spread():
    values = [80.0, 81.5, 79.0]
    assert str(Measured.of(values)) == f"{sum(values) / 3:.2f} ± {statistics.stdev(values):.2f}"
    assert str(Measured.of([80.0])) == "80.00"


@pytest.fixture
def reported(tmp_path):
    runs(tmp_path, ["a"], [0, 2])
    (tmp_path / "fake" / "a" / "seed5").mkdir()
    return collect(SECTION, ROWS, tmp_path, FakeHost.result, dict.fromkeys("ab", Complexity(1_234_000, 2_500_000_000)))


def test_the_report_shows_paper_and_measured(tmp_path, reported):
    text = markdown(SECTION, reported, tmp_path)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert rows[0][:6] == ["Table", "model", "mAP paper", "mAP measured", "seeds", "params paper (M)"]
    assert rows[2] == ["5", "Old & <others>", "30.5", "paper only", "", "", "", ""]
    assert rows[3] == ["1", "A&#124;1", "70.0", "81.00 ± 1.41", "2", "", "1.23", "2.5"]
    assert rows[4] == ["1, 2", "B", "71.0", "not measured", "", "2.0", "1.23", "2.5"]  # nobody published MACs
    assert (
        "- a seed 5: begun and not finished, so not counted\n" in text
        and "a seed 2: mAP 82.00 (fake/a/seed2/log; trained in 90 s on abacus)" in text
    )


def test_changed_settings_are_marked(tmp_path):
    runs(tmp_path, ["a"], [0], value="60")
    lines = collect(SECTION, ROWS, tmp_path, FakeHost.result, {})
    text = markdown(SECTION, lines, tmp_path)
    assert "| 60.00 † |" in text and "(fake/a/seed0/log; changed: value=60; trained in 90 s on abacus)" in text
