"""DeepGaitV2 with KP-RPE from the command line: from DeepGaitV2's checkpoint, trained, resumed and tested."""

import pytest
import torch
from gait_data import EMBEDDED, OPENGAIT, metrics, run, write_data

WITH_CHECKOUT = pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set: no OpenGait checkout to run")
HOSTS = [EMBEDDED, pytest.param(OPENGAIT, marks=WITH_CHECKOUT, id="opengait")]
SMALL = (
    "data_cfg.dataset_name=pets-mini",
    "model_cfg.Backbone={mode: p3d, in_channels: 1, layers: [1, 1, 1, 1], channels: [4, 4, 8, 16]}",
    "model_cfg.SeparateBNNecks.class_num=4",
    "trainer_cfg.sampler.batch_size=[2, 2]",
    "trainer_cfg.save_iter=1",
    "trainer_cfg.save_name=small",
    "evaluator_cfg.save_name=small",
)


def weights(root, iteration, model, workdir):
    path = root / workdir / "output" / "pets-mini" / model / "small" / "checkpoints" / f"small-{iteration:05d}.pt"
    return path, torch.load(path, weights_only=True)["model"]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_a_run(tmp_path, host):
    root = write_data(tmp_path)
    plain = {"config": "opengait/walkers_deepgaitv2", "host": host, "workdir": "plain"}
    run(root, *SMALL, "trainer_cfg.total_iter=1", **plain)
    start, before = weights(root, 1, "DeepGaitV2", "plain")
    ours = {"config": "opengait/walkers_deepgaitv2_kprpe", "host": host}
    more = (*SMALL, f"trainer_cfg.restore_hint={start}")
    first = run(root, *more, "trainer_cfg.total_iter=2", workdir="whole", **ours)
    said = first.stderr + first.stdout
    assert "TP.block.attention.kprpe.table_weight" in said and f"Restore Parameters from {start}" in said
    run(root, *more, "trainer_cfg.total_iter=1", workdir="again", **ours)
    run(root, *more, "trainer_cfg.total_iter=2", "--resume", workdir="again", **ours)
    whole, again = (weights(root, 2, "DeepGaitV2KPRPE", workdir)[1] for workdir in ("whole", "again"))
    assert same(whole, again)
    assert {name for name in whole if name not in before} == {name for name in whole if name.startswith("TP.block.")}
    assert whole["TP.block.attention.out_proj.weight"].any()
    tested = metrics(run(root, *SMALL, "--phase", "test", "--iter", "2", workdir="whole", **ours))
    assert 0 < tested["mAP"] <= 100
