"""Training and testing with the hosts on CUDA."""

import math
import re

import programs
import pytest
from gait_data import EMBEDDED, OPENGAIT, losses, metrics, run, write_data
from reid_data import arguments

WITH_CHECKOUT = pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set: no OpenGait checkout to run")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("gait"), frames=4)


@pytest.mark.parametrize("float16", ["true", "false"])
@pytest.mark.parametrize("host", [EMBEDDED, pytest.param(OPENGAIT, marks=WITH_CHECKOUT, id="opengait")])
def test_gait(data, host, float16):
    """One iteration and a test; the loss is the CPU's, whose stochastic depth draws other blocks: it is off."""
    settings = (
        "model_cfg.transformer.drop_path=0.0",
        "trainer_cfg.total_iter=1",
        f"trainer_cfg.enable_float16={float16}",
    )
    name = f"{host == OPENGAIT}-{float16}"
    cuda = run(data, *settings, "--device", "cuda", host=host, workdir=name)
    assert "device: cuda" in cuda.stderr
    rounding = 0.1 if float16 == "true" else 0.02  # the triplet loss is a mean over those that are not zero yet
    cpu = run(data, *settings, host=host, workdir=f"{name}-cpu")
    assert losses(cuda) == [pytest.approx(losses(cpu)[0], rel=rounding)]
    options = (*settings, "--phase", "test", "--iter", "1", "--device", "cuda")
    tested = metrics(run(data, *options, host=host, workdir=name))
    assert len(tested) == 5 and 0 < tested["mAP"] <= 100


def test_reid(market_root, tmp_path):
    """An epoch and its test."""
    options = arguments(market_root, tmp_path, "train.max_epoch", "1", "use_gpu", "True")
    done = programs.run("reid_ext", "-m", "reid_ext", *options)
    found = [float(value) for value in re.findall(r"loss_x (\S+)", done.stdout)]
    assert found and all(map(math.isfinite, found)) and "  mAP  " in done.stdout
