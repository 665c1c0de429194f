"""Two processes share every batch without losing or doubling a sequence, also where their number is odd."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from gait_data import EMBEDDED, OPENGAIT, metrics, run, write_data

BATCHES = 4
HOSTS = [
    EMBEDDED,
    pytest.param(
        OPENGAIT,
        id="opengait",
        marks=pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set: no OpenGait checkout to run"),
    ),
]
pytestmark = pytest.mark.slow


@pytest.fixture
def odd(tmp_path):
    """15 test sequences."""
    write_data(tmp_path, frames=4)
    shutil.rmtree(tmp_path / "data" / "0005" / "camid2_videoid0")
    return tmp_path


def names(root, host, processes):
    """What the loaders of each process gave, by phase."""
    subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc_per_node",
            str(processes),
            str(Path(__file__).parents[2] / "helpers" / "loader_names.py"),
            str(root),
            host,
            str(BATCHES),
        ],
        check=True,
        timeout=300,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return [json.loads((root / f"names-{processes}-{rank}.json").read_text()) for rank in range(processes)]


@pytest.mark.parametrize("host", HOSTS)
def test_no_sample_is_lost(odd, host):
    (one,), two = names(odd, host, 1), names(odd, host, 2)
    # training: each batch is the one of a single process, every other sequence of it in each process
    for number, batch in enumerate(one["train"]):
        halves = [rank["train"][number] for rank in two]
        assert [half[i] for i in range(len(batch) // 2) for half in halves] == batch and len(batch) >= 4
    # test: in turns, every sequence once; an odd number is filled up by the first, which the host cuts off again
    tested = [batch[0] for batch in one["test"]]
    present = {tuple(path.relative_to(odd / "data").parts) for path in odd.glob("data/000[4-7]/*/*")}
    assert len(tested) == len(present) == 15 and set(map(tuple, tested)) == present
    in_turns = [rank["test"][i][0] for i in range(8) for rank in two]
    assert in_turns == [*tested, tested[0]]


@pytest.mark.parametrize("host", HOSTS)
def test_metrics_of_an_odd_number_of_sequences(odd, host):
    """The metrics of two processes are those of one."""
    run(odd, "trainer_cfg.total_iter=1", host=host)
    one, two = (metrics(run(odd, "--phase", "test", "--iter", "1", host=host, processes=n)) for n in (1, 2))
    assert two == pytest.approx(one, abs=1e-3) and len(one) == 5
