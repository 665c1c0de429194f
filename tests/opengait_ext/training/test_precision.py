"""bfloat16 by autocast: it trains and tests on a CPU, weights stay float32, and float16 gives way to it."""

import numpy as np
import pytest
import torch
from gait_data import EMBEDDED, OPENGAIT, checkpoint, losses, metrics, run, write_data

from opengait_ext.training.precision import as_float32
from opengait_ext.training.session import adapt
from opengait_ext.training.testing import widened

pytest_plugins = ["host_folders"]
WITH_CHECKOUT = pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set: no OpenGait checkout to run")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("gait"))


TINY = (
    "model_cfg.Backbone.channels=[4,8]",
    "model_cfg.transformer={embed_dim: 8, num_heads: [2, 4]}",
    "model_cfg.SeparateBNNecks.in_channels=8",
    "trainer_cfg.sampler.batch_size=[2, 2]",
    "trainer_cfg.sampler.frames_num_fixed=1",
    "evaluator_cfg.sampler.frames_all_limit=1",
)  # many CPUs have no instructions for bfloat16 and are slow at it


@pytest.mark.parametrize("host", [EMBEDDED, pytest.param(OPENGAIT, marks=WITH_CHECKOUT, id="opengait")])
def test_train_then_test(data, host):
    """Losses near those of float32 and not the same; weights and moments float32; a test in it."""
    options = {"host": host, "workdir": f"bfloat16-{host == OPENGAIT}"}
    half = run(data, *TINY, "--bfloat16", "trainer_cfg.total_iter=2", **options)
    (whole,) = losses(run(data, *TINY, "trainer_cfg.total_iter=1", host=host, workdir=f"float32-{host == OPENGAIT}"))
    assert len(losses(half)) == 2 and losses(half)[0] != whole and losses(half)[0] == pytest.approx(whole, rel=0.05)
    content = torch.load(checkpoint(data, 2, workdir=options["workdir"]), weights_only=True)
    moments = [value for state in content["optimizer"]["state"].values() for value in state.values()]
    assert {t.dtype for t in (*content["model"].values(), *moments) if t.is_floating_point()} == {torch.float32}
    tested = metrics(run(data, *TINY, "--bfloat16", "--phase", "test", "--iter", "2", **options))
    assert tested.keys() == {"Rank-1", "Rank-5", "Rank-10", "mAP", "mINP"} and 0 < tested["mAP"] <= 100


def test_a_run_in_another_precision_is_another_run(data):
    """It does not go on in the folder of a float32 run unnoticed."""
    run(data, *TINY, "trainer_cfg.total_iter=1", workdir="first")
    again = (*TINY, "--resume", "--bfloat16", "trainer_cfg.total_iter=2")
    done = run(data, *again, workdir="first", expect=2)
    assert "trainer_cfg.enable_bfloat16" in done.stderr


def test_it_takes_the_place_of_float16(group):
    engine = {"enable_bfloat16": True, "enable_float16": True, "sync_BN": False}
    settings = {"trainer_cfg": engine, "evaluator_cfg": {"enable_float16": True, "sampler": {"batch_size": 1}}}
    notes = adapt(settings, "cuda")
    assert notes == ["trainer_cfg.enable_float16: true -> false, enable_bfloat16 takes its place"]
    assert settings["trainer_cfg"]["enable_float16"] is False and settings["evaluator_cfg"]["enable_float16"] is True


@pytest.mark.parametrize("capability, said", [("AVX2", 1), ("AVX512", 0)])
def test_a_cpu_that_is_slow_at_it_is_told_of(group, monkeypatch, capability, said):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    engine = {"enable_bfloat16": True, "enable_float16": False, "sync_BN": False}
    settings = {"trainer_cfg": engine, "evaluator_cfg": {"enable_float16": False, "sampler": {"batch_size": 1}}}
    assert len([note for note in adapt(settings, "cpu") if "slower than float32" in note]) == said


def test_what_the_network_gives_is_float32():
    half, index = torch.ones(2, dtype=torch.bfloat16), torch.arange(2)
    found = as_float32({"a": {"embeddings": half, "labels": index}, "b": "text"})
    assert found["a"]["embeddings"].dtype == torch.float32 and found["a"]["labels"] is index and found["b"] == "text"


def test_features_of_float16_are_ranked_as_float32():
    """Their squares leave its range: a length of 300 is 90,000."""
    features = {"embeddings": np.full((2, 1, 1), 300, np.float16), "labels": np.arange(2)}
    found = {name: widened(values) for name, values in features.items()}
    assert np.isfinite(found["embeddings"] ** 2).all() and found["embeddings"].dtype == np.float32
    assert found["labels"] is features["labels"]
