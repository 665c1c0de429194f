"""Batches that the loader's workers make arrive on CUDA as the host's do, from pinned memory, and nobody waits."""

import programs
import pytest
from gait_data import EMBEDDED, OPENGAIT, write_data

HOSTS = [
    EMBEDDED,
    pytest.param(OPENGAIT, marks=pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set")),
]


@pytest.mark.parametrize("host", HOSTS)
def test_batches_are_the_hosts_bit_for_bit(host, tmp_path):
    """Silhouettes alone, and with keypoints; from the second batch on receiving one is an error if it waits."""
    data = write_data(tmp_path / "gait", frames=6)
    done = programs.run("opengait_ext", "-m", "gait_input", host, str(data), cwd=tmp_path)
    assert done.stdout.count("4 batches equal") == 2
