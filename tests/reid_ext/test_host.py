"""Both torchreid layouts: a run with a checkout of upstream named by TORCHREID_HOME tests the index's package, too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif("TORCHREID_HOME" not in os.environ, reason="TORCHREID_HOME is not set: no upstream torchreid here")
def test_the_suite_with_the_index_package():
    left_out = ("TORCHREID_HOME", "PYTEST")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    where = "from reid_ext.host import torchreid; print(torchreid.__file__)"
    used = [
        subprocess.run([sys.executable, "-c", where], env=env, capture_output=True, text=True, check=True).stdout
        for env in (dict(os.environ), environment)
    ]
    assert used[0].startswith(os.environ["TORCHREID_HOME"]) and "site-packages" in used[1]
    command = [sys.executable, "-m", "pytest", "-m", "not slow", "--durations=0", str(Path(__file__).parent)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout[-5000:]
