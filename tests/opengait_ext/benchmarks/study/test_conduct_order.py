"""Which runs are begun when, by a crew that only counts: order, weights, failures and the budget."""

import pytest

from opengait_ext.benchmarks.study.conduct import carry_through, with_their_starts
from opengait_ext.benchmarks.study.plan import Job, make_plan
from opengait_ext.benchmarks.study.run import Place
from opengait_ext.benchmarks.study.table import Row, Study, Test
from opengait_ext.benchmarks.study.workers import Ended, Task
from opengait_ext.benchmarks.walkers import Settings
from plugins.common.budget import Budget
from plugins.errors import KpstraError

ROWS = (Row("trunk", "t", "x"), Row("plain", "p", "x", warm_start="trunk"), Row("other", "o", "x"))
STUDY = Study("t", Settings(), 6, {}, {"aligned": {}, "augmented": {}}, (Test("clean", "clean"),), ROWS)


class CountingCrew:
    """Two workers whose runs take so many seconds each; the one that ends first is collected first."""

    def __init__(self, seconds, failing=()):
        self.busy, self.ends, self.now = {}, {}, 0.0
        self.seconds, self.failing, self.begun = seconds, failing, []

    def idle(self):
        return [worker for worker in (0, 1) if worker not in self.busy]

    def give(self, worker, job):
        self.busy[worker], self.ends[worker] = job, self.now + self.seconds[job.row]
        self.begun.append((self.now, str(job)))

    def collect(self, seconds):
        worker = min(self.busy, key=self.ends.get)
        if self.ends[worker] - self.now > seconds:
            self.now += seconds
            return []
        self.now, job = self.ends[worker], self.busy.pop(worker)
        if str(job) in self.failing:
            return [Ended(job, None, "broken")]
        took = {"training": self.seconds[job.row], "testing": 0.0}
        return [Ended(job, {"tests": {"clean": {"mAP": 1.0}}, "seconds": took})]


class Kept(dict):
    put = dict.__setitem__


def carried(crew, plan, seconds=None):
    store = Kept()
    failures = carry_through(STUDY, plan, crew, store, Budget(seconds, lambda: crew.now))
    return list(map(str, store)), [str(ended.job) for ended in failures]


@pytest.fixture
def plan():
    return make_plan(STUDY, ["trunk", "plain", "other"], ["aligned", "augmented"], [0, 1])


def test_a_run_waits_for_its_weights_while_others_go_on(plan):
    crew = CountingCrew({"trunk": 10, "plain": 5, "other": 1})
    finished, failures = carried(crew, plan)
    assert sorted(finished) == sorted(map(str, plan)) and not failures
    assert crew.begun[:4] == [
        (0, "trunk-aligned-0"),
        (0, "other-aligned-0"),
        (1, "trunk-augmented-0"),
        (10, "plain-aligned-0"),
    ]
    assert [int(name[-1]) for _, name in crew.begun] == sorted(int(name[-1]) for _, name in crew.begun)  # seed by seed


def test_what_starts_from_a_failed_run_is_not_begun(plan):
    finished, failures = carried(CountingCrew({"trunk": 3, "plain": 5, "other": 1}, {"trunk-aligned-0"}), plan)
    assert failures == ["trunk-aligned-0"]
    assert {str(job) for job in plan} - set(finished) == {"trunk-aligned-0", "plain-aligned-0"}


def test_no_run_is_begun_that_would_not_end_in_time_and_none_outlives_the_budget(plan):
    crew = CountingCrew({"trunk": 10, "plain": 10, "other": 10})
    finished, _ = carried(crew, plan, 35)
    assert len(finished) == 6 and crew.now == 30 and len(crew.begun) == 6
    crew = CountingCrew({"trunk": 100, "plain": 1, "other": 1})  # of the first runs nothing is known
    finished, _ = carried(crew, plan, 35)
    assert finished == ["other-aligned-0"] and crew.now == 35


def test_a_finished_run_is_made_again_if_its_weights_are_gone(plan, tmp_path):
    place = Place(tmp_path, tmp_path, tmp_path, tmp_path)
    todo = [job for job in plan if job.row == "plain"]
    place.weights_of(Job("trunk", "augmented", 0)).touch()
    assert list(map(str, with_their_starts(STUDY, todo, place))) == [
        "trunk-aligned-0",
        "plain-aligned-0",
        "plain-augmented-0",
        "trunk-aligned-1",
        "plain-aligned-1",
        "trunk-augmented-1",
        "plain-augmented-1",
    ]
    assert with_their_starts(STUDY, plan, place) == plan
    crew = CountingCrew({"plain": 1, "trunk": 1})
    finished, _ = carried(crew, with_their_starts(STUDY, todo, place))
    assert len(finished) == 7


def test_a_test_that_the_table_no_longer_has_is_not_lost(plan, tmp_path):
    finished = {plan[0]: {"tests": {"clean": {}, "clothes": {}}}, plan[1]: {"tests": {"clean": {}}}}
    task = Task(STUDY, ("clean",), finished, tmp_path, Place(tmp_path, tmp_path, tmp_path, tmp_path), "", "cpu")
    assert task.tests_of(plan[1]) == task.tests_of(plan[2]) == ["clean"]
    with pytest.raises(KpstraError, match=r"trunk-aligned-0: has the test 'clothes', .* not in the table"):
        task.tests_of(plan[0])
