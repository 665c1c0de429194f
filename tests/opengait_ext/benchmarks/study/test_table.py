"""A study's table: the shipped one, and what is refused."""

import pytest
import yaml

from opengait_ext.benchmarks.study.table import chosen, read_study, walkers_of
from opengait_ext.benchmarks.walkers import Settings
from opengait_ext.settings.load import recipe
from opengait_ext.settings.model import check_model
from plugins.errors import KpstraError

GOOD = {
    "title": "t",
    "frames": 2,
    "trainings": {"aligned": {}, "augmented": {"trainer_cfg.total_iter": 5}},
    "tests": {"clean": {}, "shift": {"error": "translation", "severity": 0.5}, "clothes": {"walkers": {"noise": 1}}},
    "rows": {
        "plain": {"config": "opengait/walkers_swingait2d", "label": "Plain"},
        "kprpe": {"config": "opengait/walkers_swingait2d_kprpe", "control": "plain", "set": {"optimizer_cfg.lr": 0.5}},
    },
}


def write(path, **changes):
    path.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    return str(path)


def test_a_table_and_what_a_run_sets(tmp_path):
    study = read_study(write(tmp_path / "t.yaml", set={"trainer_cfg.total_iter": 9, "optimizer_cfg.lr": 0.1}))
    assert [row.name for row in study.rows] == ["plain", "kprpe"] and study.row("kprpe").control == "plain"
    assert study.walkers == Settings() and study.test("shift").definition()["severity"] == 0.5
    assert study.overrides(study.row("kprpe"), "augmented", 3) == [
        "trainer_cfg.total_iter=5",
        "optimizer_cfg.lr=0.5",
        "trainer_cfg.seed=3",
    ]


def test_a_table_over_another_has_its_sections_and_sets_more(tmp_path):
    base = write(
        tmp_path / "base.yaml", set={"trainer_cfg.total_iter": 9, "optimizer_cfg.lr": 0.1}, walkers={"noise": 1}
    )
    over = tmp_path / "over.yaml"
    over.write_text(
        yaml.safe_dump({"base": base, "title": "over", "tests": {"clean": {}}, "set": {"optimizer_cfg.lr": 0.2}})
    )
    study, below = read_study(str(over)), read_study(base)
    assert (study.title, [test.name for test in study.tests]) == ("over", ["clean"])
    assert study.set == {"trainer_cfg.total_iter": 9, "optimizer_cfg.lr": 0.2}
    assert (study.rows, study.walkers, study.trainings) == (below.rows, below.walkers, below.trainings)
    for base in (str(over), 3):
        (tmp_path / "third.yaml").write_text(yaml.safe_dump({"base": base}))
        with pytest.raises(KpstraError, match=r"third.yaml: base: .*expected the name of a table that has no `base`"):
            read_study(str(tmp_path / "third.yaml"))
    wrong = write(tmp_path / "wrong.yaml", test={})
    over.write_text(yaml.safe_dump({"base": wrong}))
    with pytest.raises(KpstraError, match=r"wrong.yaml: test: unknown key \(did you mean 'tests'"):
        read_study(str(over))


def test_the_larger_networks_are_the_small_ones_four_times_as_wide():
    small, large = read_study("study_walkers"), read_study("study_walkers_large")
    assert (small.rows, small.tests, small.walkers) == (large.rows, large.tests, large.walkers)
    for row in small.rows:
        low, high = (recipe(row.config, one.overrides(row, "aligned", 0))["model_cfg"] for one in (small, large))
        check_model(high, row.name)
        for keys in (("Backbone", "channels"), ("transformer", "num_heads")):
            if keys[0] in low:
                assert high[keys[0]][keys[1]] == [4 * number for number in low[keys[0]][keys[1]]], row.name
        assert high["SeparateBNNecks"]["in_channels"] == 4 * low["SeparateBNNecks"]["in_channels"]


def test_items_are_appended_to_what_the_training_or_the_configuration_has(tmp_path):
    steps = "trainer_cfg.joint_transform"
    rows = {"a": {"config": "opengait/walkers_swingait2d_kprpe", "append": {steps: [{"type": "BaseSilTransform"}]}}}
    trainings = {"aligned": {}, "turned": {steps: [{"type": "RandomRotate"}]}}
    study = read_study(write(tmp_path / "t.yaml", rows=rows, trainings=trainings))
    turned = study.overrides(study.rows[0], "turned", 0)
    assert turned[0] == f"{steps}=[{{type: RandomRotate}}, {{type: BaseSilTransform}}]"
    before, after = (
        recipe(study.rows[0].config, found)["trainer_cfg"]["joint_transform"]
        for found in ([], study.overrides(study.rows[0], "aligned", 0))
    )
    assert after == [*before, {"type": "BaseSilTransform"}]


def test_the_shipped_table_compares_every_form_with_a_control_of_the_same_start():
    study = read_study("study_walkers")
    compared = [row for row in study.rows if row.control]
    assert len(compared) >= 6 and {"untrained", "trunk"} <= {row.name for row in study.rows}
    for row in compared:
        control = study.row(row.control)
        assert row.warm_start == control.warm_start
        mine, its = (recipe(one.config, study.overrides(one, "aligned", 0)) for one in (row, control))
        for section in ("trainer_cfg", "optimizer_cfg", "scheduler_cfg", "loss_cfg", "data_cfg"):
            left = (
                [{k: v for k, v in one[section].items() if k != "save_name"} for one in (mine, its)]
                if isinstance(mine[section], dict)
                else [mine[section], its[section]]
            )
            if section == "trainer_cfg":
                for one in left:
                    one.pop("joint_transform")  # a rival draws the joints there
            assert left[0] == left[1], (row.name, section)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 0}, "frames: 0: expected a whole number from 1"),
        ({"rows": {}}, "rows: empty"),
        ({"trainings": {}}, "trainings: empty"),
        ({"seeds": [1]}, "seeds: unknown key"),
        ({"tests": {"clean": {"error": "translation"}}}, "tests.clean: `error` and `severity` go together"),
        ({"tests": {"x": {"error": "rotatoin", "severity": 1}}}, r"tests.x: .*did you mean 'rotation'"),
        ({"tests": {"x": {"error": "scale", "severity": -1}}}, "tests.x: .*expected a number from 0"),
        ({"tests": {"a b": {}}}, "'a b': files are named so"),
        ({"tests": {"x": {"walkers": {"seed": 1}}}}, "tests.x.walkers.seed: a test shows the same people"),
        ({"tests": {"x": {"walkers": {"clothng": 1}}}}, r"clothng: unknown key \(did you mean 'clothing'"),
        ({"walkers": {"train": 2.5}}, "walkers.train: 2.5: expected a whole number"),
        ({"walkers": {"train": 999}}, "walkers: --train 999"),
        ({"rows": {"a": {"config": "opengait/walkers_swingait2"}}}, r"rows.a.config: .*did you mean"),
        ({"rows": {"a": {**GOOD["rows"]["plain"], "control": "b"}}}, "rows.a.control: 'b': expected the name of a row"),
        ({"rows": {"a": {**GOOD["rows"]["plain"], "trained": 1}}}, "rows.a.trained: 1: expected true or false"),
        ({"rows": {"a": {"label": "x"}}}, "rows.a: `config` is missing"),
        ({"rows": {"a": {**GOOD["rows"]["plain"], "append": {"x.y": 1}}}}, "append.x.y: 1: expected a list"),
        ({"set": {"trainer_cfg.restore_hint": "my.pt"}}, "set: trainer_cfg.restore_hint: .*`warm_start: ROW`"),
        ({"trainings": {"a": {"trainer_cfg.seed": 5}}}, "trainings.a: trainer_cfg.seed: .*; give --seeds"),
        ({"rows": {"a": {**GOOD["rows"]["plain"], "set": {"trainer_cfg.save_iter": 5}}}}, "rows.a.set: .*save_iter"),
        ({"set": ["a"]}, "set: .*expected keys and values"),
    ],
)
def test_what_is_refused(tmp_path, changes, message):
    with pytest.raises(KpstraError, match=message):
        read_study(write(tmp_path / "t.yaml", **changes))


def test_chosen_names_keep_the_tables_order():
    assert chosen(["c", "a"], ["a", "b", "c"], "--rows") == ["a", "c"] and chosen([], ["a"], "--rows") == ["a"]
    with pytest.raises(KpstraError, match=r"plian: not in the table \(did you mean 'plain'\?\); there are plain"):
        chosen(["plian"], ["plain"], "--rows")


def test_walkers_settings_over_others():
    assert walkers_of({"clothing": 1}, "x", Settings(noise=0.3)) == Settings(noise=0.3, clothing=1)
