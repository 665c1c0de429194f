"""Worker processes end with their parent, and their deaths and Ctrl-C come out as what they are."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from plugins.common.processes import interrupts_held, plain_endings
from plugins.errors import KpstraError

PARENT = """
import multiprocessing as mp, sys, time
from plugins.common.processes import follow_parent

def work(go):
    follow_parent()
    print("ready\\n", end="", flush=True)  # one write: two processes share the pipe
    time.sleep(600)

process = mp.get_context("fork").Process(target=work, args=(None,))
process.start()
print(f"{process.pid}\\n", end="", flush=True)
process.join()
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits for being reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_ends_with_its_parent_and_ignores_ctrl_c():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    said = {parent.stdout.readline().strip() for _ in range(2)}
    worker = int((said - {"ready"}).pop())
    os.kill(worker, signal.SIGINT)
    time.sleep(0.2)
    assert alive(worker)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Interrupted(io.BytesIO):
    """A file; Ctrl-C comes with the second part that is written."""

    parts = 0

    def write(self, data) -> int:
        written = super().write(data)
        self.parts += 1
        if self.parts == 2:
            raise KeyboardInterrupt
        return written


def test_ctrl_c_while_torch_writes_a_file():
    with pytest.raises(RuntimeError):
        torch.save({"a": torch.zeros(9)}, Interrupted())  # why the block is needed
    with pytest.raises(KeyboardInterrupt), plain_endings():
        torch.save({"a": torch.zeros(9)}, Interrupted())


class Deadly(torch.utils.data.Dataset):
    """Kills the worker that reads it."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_ctrl_c_waits_for_the_end_of_the_block():
    before, reached = signal.signal(signal.SIGINT, signal.default_int_handler), []
    try:
        with pytest.raises(KeyboardInterrupt), interrupts_held():
            signal.raise_signal(signal.SIGINT)
            reached.append(True)
        assert reached
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_killed_worker_of_a_data_loader_is_named():
    with pytest.raises(KpstraError, match=r"^DataLoader worker \(pid.* resume, with fewer workers"), plain_endings():
        list(torch.utils.data.DataLoader(Deadly(), num_workers=1))


def test_other_errors_stay():
    with pytest.raises(RuntimeError, match="another"), plain_endings():
        raise RuntimeError("another")
