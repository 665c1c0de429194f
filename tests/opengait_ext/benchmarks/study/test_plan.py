"""The order of runs, what starts from what, and what can be begun."""

import pytest

from opengait_ext.benchmarks.study.plan import Job, make_plan, ready, start_of
from opengait_ext.benchmarks.study.table import Row, Study, Test
from opengait_ext.benchmarks.walkers import Settings


@pytest.fixture
def study():
    rows = (
        Row("untrained", "untrained", "x", trained=False),
        Row("trunk", "trunk", "x"),
        Row("plain", "plain", "x", warm_start="trunk"),
        Row("kprpe", "KP-RPE", "x", control="plain", warm_start="trunk"),
    )
    return Study("t", Settings(), 6, {}, {"aligned": {}, "augmented": {}}, (Test("clean", "clean"),), rows)


def test_whole_seeds_first_and_what_a_row_starts_from_before_it(study):
    plan = make_plan(study, ["kprpe", "untrained"], ["aligned", "augmented"], [3, 0, 3])
    assert list(map(str, plan)) == [
        f"{row}-{training}-{seed}"
        for seed in (3, 0)
        for training in ("aligned", "augmented")
        for row in ("untrained", "trunk", "kprpe")
    ]


def test_a_job_waits_for_the_weights_it_starts_from(study):
    plan = make_plan(study, ["trunk", "plain"], ["aligned", "augmented"], [0])
    trunk, plain, other_trunk, other_plain = plan
    assert start_of(study, plain) == trunk and start_of(study, trunk) is None
    assert ready(study, [plain, other_trunk, other_plain], set()) == other_trunk
    assert ready(study, [plain, other_plain], {other_trunk}) == other_plain
    assert ready(study, [plain, other_plain], {Job("trunk", "aligned", 1)}) is None
    assert ready(study, [plain, other_plain], {trunk, other_trunk}) == plain
