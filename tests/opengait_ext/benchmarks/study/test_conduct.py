"""`opengait-ext study` on small walkers: runs, going on, other settings, a failing row, the page."""

import json
import re

import programs
import pytest
import yaml
from gait_data import OPENGAIT

from opengait_ext.__main__ import main
from opengait_ext.benchmarks.study.pages import PLACE

RECIPE = {
    "data_cfg.data_in_use": [True, True],
    "model_cfg.SeparateBNNecks.class_num": 3,
    "optimizer_cfg.lr": 0.003,
    "trainer_cfg.total_iter": 2,
    "trainer_cfg.T_max_iter": 2,
    "trainer_cfg.optimizer_reset": True,
    "trainer_cfg.restore_ckpt_strict": False,
    "trainer_cfg.sampler.batch_size": [2, 2],
    "trainer_cfg.sampler.frames_num_fixed": 2,
    "trainer_cfg.joint_transform": [{"type": "BaseSilCuttingTransform"}],
    "trainer_cfg.transform": [{"type": "NoOperation"}] * 2,
    "evaluator_cfg.joint_transform": [{"type": "BaseSilCuttingTransform"}],
    "evaluator_cfg.transform": [{"type": "NoOperation"}] * 2,
}
TABLE = {
    "title": "Small",
    "frames": 2,
    "walkers": {"identities": 8, "train": 3, "validation": 0, "sequences": 4, "probes": 1, "frames": 5},
    "set": RECIPE,
    "trainings": {"aligned": {}},
    "tests": {"clean": {}, "noise": {"label": "joint noise", "error": "joint-noise", "severity": 1.0}},
    "rows": {
        "plain": {"config": "opengait/walkers_swingait2d", "label": "Plain"},
        "kprpe": {
            "config": "opengait/walkers_swingait2d_kprpe",
            "label": "With keypoints",
            "warm_start": "plain",
            "control": "plain",
        },
        # a mistake that shows in training only: too few classes for the people
        "wrong": {"config": "opengait/walkers_swingait2d", "set": {"model_cfg.SeparateBNNecks.class_num": 2}},
    },
}


def study(folder, *more, expect=0, host="embedded", **changes):
    """Run the command with a table in a process of its own."""
    (folder / "table.yaml").write_text(yaml.safe_dump({**TABLE, **changes}, sort_keys=False))
    options = {"--table": folder / "table.yaml", "--output": folder / "out", "--data": folder / "data"}
    words = [str(word) for option in options.items() for word in option]
    words += ["--host", host, "--device", "cpu", "--workers", "1", "--data-workers", "1", *more]
    return programs.run("opengait_ext", "-m", "opengait_ext", "study", *words, expect=expect)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of one seed, and what it printed; one of its rows fails."""
    folder = tmp_path_factory.mktemp("study")
    done = study(folder, "--seeds", "0", expect=1)
    (folder / "printed").write_text(done.stdout)
    return folder


def runs(folder):
    return {path.stem: json.loads(path.read_text()) for path in (folder / "out" / "runs").glob("*.json")}


def test_runs_share_their_start_and_say_how_they_came_about(made):
    found = runs(made)
    assert found.keys() == {"plain-aligned-0", "kprpe-aligned-0"}
    plain, kprpe = found["plain-aligned-0"], found["kprpe-aligned-0"]
    assert plain["weights"] and plain["starts_from"] is None and kprpe["starts_from"] == plain["weights"]
    assert kprpe["weights"] is None and 0 < kprpe["image_share"] < 1 and plain["image_share"] is None
    for run in found.values():
        assert run["tests"].keys() == {"clean", "noise"} and run["settings"]["trainer_cfg.total_iter"] == 2
        assert all(0 < test[metric] <= 100 for test in run["tests"].values() for metric in ("Rank-1", "mAP"))
    assert plain["tests"]["clean"]["mAP"] == plain["tests"]["noise"]["mAP"]  # it sees no joints
    assert list((made / "out" / "tensorboard" / "kprpe-aligned-0").glob("events*"))
    assert not list((made / "out" / "work" / "scratch").iterdir())


def test_the_page_has_the_runs_numbers(made):
    page, found = (made / "out" / "study.md").read_text(), runs(made)
    clean = {name: run["tests"]["clean"]["mAP"] for name, run in found.items()}
    assert f"| Plain | {clean['plain-aligned-0']:.1f} |" in page and PLACE.rstrip() in page
    assert f"| With keypoints | Plain | {clean['kprpe-aligned-0'] - clean['plain-aligned-0']:+.1f} |" in page
    assert (made / "out" / "study.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_going_on_makes_what_is_missing_and_nothing_else(made):
    """A run that is made again, by a worker that does nothing else before it, comes out the same."""
    before, page = runs(made), made / "out" / "study.md"
    (made / "out" / "runs" / "kprpe-aligned-0.json").unlink()
    page.write_text(page.read_text().replace("To be written.", "Nothing is decided."))
    kept = (made / "out" / "runs" / "plain-aligned-0.json").stat().st_mtime_ns
    study(made, "--seeds", "0", "--rows", "kprpe")
    again = runs(made)
    assert again["kprpe-aligned-0"]["tests"] == before["kprpe-aligned-0"]["tests"]
    assert (made / "out" / "runs" / "plain-aligned-0.json").stat().st_mtime_ns == kept
    assert "Nothing is decided." in page.read_text()


def test_a_further_test_leaves_what_was_measured(made):
    """Kept weights are only tested; a run without is made again, with the tests that it had."""
    before, files = runs(made), {path: path.read_text() for path in (made / "out" / "runs").glob("*.json")}
    events = sorted((made / "out" / "tensorboard").rglob("events*"))
    for path in files:
        content = json.loads(path.read_text())
        del content["tests"]["noise"]
        content["tests"]["clean"]["mAP"] = 12.5
        path.write_text(json.dumps(content))
    study(made, "--seeds", "0", "--rows", "kprpe", "--tests", "noise")
    plain, kprpe = (runs(made)[f"{row}-aligned-0"] for row in ("plain", "kprpe"))
    assert plain["tests"]["clean"]["mAP"] == 12.5 and kprpe["tests"] == before["kprpe-aligned-0"]["tests"]
    assert plain["tests"]["noise"] == before["plain-aligned-0"]["tests"]["noise"]
    unchanged = ("weights", "image_share", "settings", "starts_from", "versions", "device")
    assert all(plain[key] == before["plain-aligned-0"][key] for key in unchanged)
    now = sorted((made / "out" / "tensorboard").rglob("events*"))
    assert [path for path in now if "plain" in str(path)] == [path for path in events if "plain" in str(path)]
    for path, content in files.items():
        path.write_text(content)


@pytest.mark.slow
@pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set: no OpenGait checkout to run")
def test_deepgaitv2s_in_a_checkout(tmp_path):
    """Other networks of OpenGait itself, joints beside silhouettes: where the test's transforms are not built."""
    given = {name: value for name, value in RECIPE.items() if name != "trainer_cfg.T_max_iter"}
    rows = {
        "start": {"config": "opengait/walkers_deepgaitv2"},
        "kprpe": {"config": "opengait/walkers_deepgaitv2_kprpe", "warm_start": "start", "control": "start"},
    }
    study(tmp_path, "--seeds", "0", host=OPENGAIT, rows=rows, set=given)
    found = runs(tmp_path)
    assert [run["host"] for run in found.values()] == ["opengait"] * 2
    assert 0 < found["kprpe-aligned-0"]["image_share"] < 1


def test_other_settings_are_refused(made):
    rows = {**TABLE["rows"], "kprpe": {**TABLE["rows"]["kprpe"], "set": {"optimizer_cfg.lr": 0.1}}}
    done = study(made, "--seeds", "0", expect=2, rows=rows)
    assert "kprpe-aligned-0.json: was begun with settings.optimizer_cfg.lr 0.003, not 0.1; give another" in done.stderr
    tests = {**TABLE["tests"], "noise": {"error": "joint-noise", "severity": 2.0}}
    done = study(made, "--seeds", "0", expect=2, tests=tests)
    assert "was begun with noise.severity 1.0, not 2.0" in done.stderr
    done = study(made, expect=2, frames=3)
    assert "was begun with frames 2, not 3" in done.stderr
    (made / "table.yaml").write_text(yaml.safe_dump(TABLE, sort_keys=False))


def test_a_failing_row_is_told_and_the_others_are_made(made):
    printed = (made / "printed").read_text()
    assert "failed: wrong-aligned-0: " in printed and "class_num" in printed and "2 of 3 runs are there" in printed


def test_a_mistake_in_a_rows_settings_is_told_before_anything_is_made(tmp_path):
    rows = {**TABLE["rows"], "wrong": {**TABLE["rows"]["plain"], "set": {"optimizer_cfg.lrr": 0.1}}}
    done = study(tmp_path, expect=2, rows=rows)
    assert "optimizer_cfg.lrr" in done.stderr and not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rows", "plian"], "--rows plian: not in the table"),
        (["--tests", "clear"], r"--tests clear: not in the table \(did you mean 'clean'"),
        (["--trainings", "x"], "--trainings x: not in the table"),
        (["--seeds", "-1"], "--seeds -1: expected whole numbers from 0"),
        (["--workers", "0"], "--workers 0: expected 1 or more"),
        (["--data-workers", "0"], "--data-workers 0: expected 1 or more"),
    ],
)
def test_mistakes_in_the_options(tmp_path, capsys, words, message):
    (tmp_path / "table.yaml").write_text(yaml.safe_dump(TABLE, sort_keys=False))
    assert main(["study", "--table", str(tmp_path / "table.yaml"), "--output", str(tmp_path / "out"), *words]) == 2
    assert re.search(message, capsys.readouterr().err)
