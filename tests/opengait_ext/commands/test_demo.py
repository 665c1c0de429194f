"""The demo: the iteration that it tests, and end to end."""

import json
import re

import pytest

from opengait_ext.__main__ import main
from opengait_ext.commands.demo import demo
from opengait_ext.data.prepare.report import LEFT_OVER
from plugins.errors import KpstraError

SHORT = ("trainer_cfg.sampler.frames_num_fixed=2", "trainer_cfg.sampler.frames_skip_num=1")


def test_the_last_iteration_of_the_settings_given_is_tested(tmp_path, monkeypatch):
    """Not the recipe's restore_hint."""
    runs = []

    def launch(run):
        runs.append((run.phase, run.restore))
        if run.phase == "test":
            raise KpstraError("enough")

    monkeypatch.setattr("opengait_ext.training.launch.launch", launch)
    monkeypatch.setattr("opengait_ext.data.prepare.prepare", lambda *_: {})
    monkeypatch.setattr("opengait_ext.commands.demo.fitting", lambda *_: [])
    with pytest.raises(KpstraError, match="enough"):
        demo(tmp_path, tmp_path, "embedded", "cpu", ["trainer_cfg.total_iter=100"])
    assert runs == [("train", 0), ("test", 100)]


def test_recordings_are_not_mixed_with_those_of_an_earlier_demo(tmp_path, monkeypatch):
    monkeypatch.setattr("opengait_ext.data.prepare.prepare", lambda *_: {LEFT_OVER: ["0001/a/b"]})
    with pytest.raises(KpstraError, match="holds other recordings too; give another --output"):
        demo(tmp_path, tmp_path, "embedded", "cpu")


@pytest.mark.slow
def test_the_demo_prints_what_it_measured(tmp_path, capsys, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    output = tmp_path / "out"
    assert main(["demo", "--output", str(output), "--device", "cpu", "trainer_cfg.total_iter=1", *SHORT]) == 0
    shown = dict(re.findall(r"^  (\S+) +([\d.]+) %$", capsys.readouterr().out, re.MULTILINE))
    (path,) = output.glob("output/*/*/*/logs/test-*.json")
    content = json.loads(path.read_text())
    assert content["checkpoint"].endswith("-00001")
    assert {key: float(value) for key, value in shown.items()} == pytest.approx(content["metrics"], abs=0.0051)
