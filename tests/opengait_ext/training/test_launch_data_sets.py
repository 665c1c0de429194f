"""Runs on every data set, from its release to its own evaluation's numbers: the stand-in's are OpenGait's."""

import json
from itertools import product
from pathlib import Path

import pytest
from gait_data import EMBEDDED, losses
from gait_releases import NAMES, WRITERS, frames_of, release
from host_folders import checkout
from programs import run as program

from opengait_ext.data.prepare import prepare

RECIPES = {  # layout -> recipe, and what it is tested by if not by the recipe's own evaluation
    "gait3d": ("gait3d", ""),
    "grew": ("grew", "evaluate_real_scene"),
    "oumvlp": ("oumvlp", ""),
    "casia-b": ("casiab", ""),
    "sustech1k": ("sustech1k", ""),
    "ccpg": ("ccpg", ""),
    "ccgr": ("gait3d", "evaluate_CCGR_MINI"),
}
TINY = (
    *("model_cfg.Backbone.layers=[1,1,2,2]", "model_cfg.Backbone.channels=[8,16]"),
    *("model_cfg.SeparateBNNecks={in_channels: 16, class_num: 2, parts_num: 16}", "trainer_cfg.restore_hint=0"),
    *("model_cfg.transformer={embed_dim: 16, num_heads: [2, 4]}", "data_cfg.num_workers=0", "trainer_cfg.seed=0"),
    *("trainer_cfg.sampler.batch_size=[2,2]", "trainer_cfg.sampler.frames_num_fixed=2", "trainer_cfg.total_iter=2"),
    *("trainer_cfg.log_iter=1", "trainer_cfg.sampler.frames_skip_num=0"),
)


def prepared(layout, root):
    """Its release, prepared; returns where."""
    silhouettes, poses = release(layout, root)
    report = prepare(silhouettes, poses, root / "pkl", workers=1, layout=layout)
    assert report["sequences"] == sum(map(len, NAMES[layout])) and not report.get("sequences skipped")
    return root


def run(root, layout, host, *options, network="swingait2d_kprpe", function=None):
    name, usual = RECIPES[layout]
    function = usual if function is None else function
    line = ["--cfgs", f"opengait/{network}_{name}", "--host", str(host), "--device", "cpu"]
    line += ["--workdir", str(root / Path(host).name), f"data_cfg.dataset_root={root / 'pkl'}", *TINY]
    line += [f"data_cfg.dataset_partition={root / 'partition.json'}", *options]
    return program(
        "opengait_ext", "-m", "opengait_ext", *line, *([f"evaluator_cfg.eval_func={function}"] * bool(function))
    )


def record_of(root, host):
    """The record of a host's test."""
    (path,) = (root / Path(host).name).glob("output/*/*/*/logs/test-*.json")
    return json.loads(path.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("layout", RECIPES)
def test_both_hosts_give_the_same_numbers(layout, tmp_path):
    root, trained = prepared(layout, tmp_path), []
    for host in (EMBEDDED, checkout()):
        trained.append(losses(run(root, layout, host, "--phase", "train")))
        run(root, layout, host, "--phase", "test", "--iter", "2")
    assert len(trained[0]) == 2 and trained[0] == trained[1]
    ours, theirs = (record_of(root, host) for host in (EMBEDDED, checkout()))
    assert ours["eval_func"] == theirs["eval_func"] and ours["metrics"] == pytest.approx(theirs["metrics"], abs=1e-4)
    assert len(ours["metrics"]) >= 1


@pytest.mark.slow
def test_grew_s_submission(tmp_path):
    """The recipe's own evaluation: a file for GREW's server."""
    root = prepared("grew", tmp_path)
    run(root, "grew", EMBEDDED, "--phase", "train")
    for host in (EMBEDDED, checkout()):
        checkpoint = next((root / EMBEDDED).glob("output/*/*/*/checkpoints/*-00002.pt"))
        chosen = f"evaluator_cfg.restore_hint={checkpoint}"
        run(root, "grew", host, "--phase", "test", chosen, function="")
    ours, theirs = (next((root / Path(host).name).glob("GREW_result/*.csv")) for host in (EMBEDDED, checkout()))
    assert ours.read_text() == theirs.read_text() and ours.read_text().count("\n") == 3


@pytest.mark.slow
def test_one_s_own_recordings(tmp_path):
    """The page's commands, one after another, on folders with names of one's own."""
    names = ["/".join(one) for one in product(("anna", "ben", "cleo", "dora"), ("door", "hall"), ("w1", "w2", "w3"))]
    for number, name in enumerate(names):
        WRITERS["gait3d"](tmp_path / "MY", name, frames_of(number))
    silhouettes, poses = "--silhouettes MY/sils", "--poses MY/poses"
    said = [
        program("opengait_ext", "-m", "opengait_ext", *line.split(), cwd=tmp_path).stdout
        for line in (
            f"prepare {silhouettes} {poses} --output my-pkl",
            "partition --data my-pkl --train 0.5",
            "doctor --data my-pkl --partition my-pkl/partition.json --host embedded",
            "config opengait/pets_swingait2d_kprpe --for my-pkl --host embedded trainer_cfg.total_iter=2",
        )
    ]
    assert "2 training identities, 2 test identities, 2 probes, 10 gallery sequences" in said[1]
    (tmp_path / "my.yaml").write_text(said[3])
    for phase in ("train", "test"):
        line = f"--cfgs my.yaml --host embedded --device cpu --phase {phase}"
        program("opengait_ext", "-m", "opengait_ext", *line.split(), cwd=tmp_path)
    (path,) = tmp_path.glob("output/my-pkl/SwinGait2DKPRPE/*/logs/test-*.json")
    assert {"Rank-1", "Rank-5", "mAP", "mINP"} < set(json.loads(path.read_text())["metrics"])


def test_oumvlp_in_the_stand_in(tmp_path):
    """The plain network, trained and tested without a checkout."""
    root = prepared("oumvlp", tmp_path)
    assert len(losses(run(root, "oumvlp", EMBEDDED, network="swingait2d"))) == 2
    run(root, "oumvlp", EMBEDDED, "--phase", "test", "--iter", "2", network="swingait2d")
    record = record_of(root, EMBEDDED)
    assert set(record["metrics"]) == {"NM@R1"} and record["eval_func"] == "evaluate_indoor_dataset"
