"""SIGKILL and Ctrl-C during training: whole checkpoints only, and a rerun that ends with the uninterrupted weights."""

import random
import signal

import programs
import pytest
import torch
from gait_data import EMBEDDED, OPENGAIT, checkpoint, command, run, write_data

SETTINGS = ("trainer_cfg.total_iter=6", "trainer_cfg.save_iter=1", "trainer_cfg.T_max_iter=6")
HOSTS = [
    EMBEDDED,
    pytest.param(
        OPENGAIT,
        id="opengait",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set: no OpenGait checkout to run"),
        ],
    ),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("gait"))


def stopped(sent, data, workdir, host, delay, *arguments):
    """Train, and send a signal some time after a new checkpoint came; return how it ended."""
    folder = checkpoint(data, 1, workdir=workdir).parent
    before = set(folder.glob("*.pt"))
    line = command(data, *SETTINGS, *arguments, host=host, workdir=workdir)
    came = lambda: set(folder.glob("*.pt")) != before  # noqa: E731
    return programs.server("opengait_ext").run(*line[1:], when=came, after=delay, sent=sent)


def last(folder) -> int:
    """The newest checkpoint's iteration; all checkpoints must be whole."""
    paths = sorted(folder.glob("*.pt"))
    for path in paths:
        assert torch.load(path, weights_only=True)["iteration"] == int(path.stem[-5:])
    return int(paths[-1].stem[-5:])


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_kill_at_random_moments(data, host):
    """Kill twice; each time only whole checkpoints are there, and going on from the last ends bit for bit the same."""
    name = f"kill-{host == OPENGAIT}"
    run(data, *SETTINGS, host=host, workdir=f"{name}-whole")
    chance, restored = random.Random(), []
    for _ in range(2):
        resume = ("--iter", str(restored[-1])) if restored else ()
        ended = stopped(signal.SIGKILL, data, name, host, chance.uniform(0, 0.4), *resume)
        assert ended.killed or ended.returncode == 0
        restored.append(last(checkpoint(data, 1, workdir=name).parent))
        if not ended.killed:
            break
    run(data, *SETTINGS, "--iter", str(restored[-1]), host=host, workdir=name)
    ends = [torch.load(checkpoint(data, 6, workdir=w), weights_only=True)["model"] for w in (name, f"{name}-whole")]
    assert all(torch.equal(value, ends[1][key]) for key, value in ends[0].items()), restored


def test_ctrl_c(data):
    """One line that says how to go on; the checkpoints are whole."""
    ended = stopped(signal.SIGINT, data, "ctrl-c", EMBEDDED, 0, "trainer_cfg.total_iter=500")
    assert ended.returncode == 130 and "opengait-ext: interrupted; to go on" in ended.stderr
    assert "Traceback" not in ended.said
    assert last(checkpoint(data, 1, workdir="ctrl-c").parent) >= 1
