"""The pool of `prepare`: it ends although a worker does not."""

import os
import signal

from opengait_ext.data.prepare.run import parallel


def pid_of(name):
    return os.getpid()


def too_long(*_):
    raise TimeoutError("the pool waits for a worker that cannot end")


def test_the_end_does_not_wait_for_workers():
    """A worker that is killed while idle takes the queue's lock with it; the others, here stopped, then never end."""
    results = parallel(pid_of, list("abcdef"), 2)
    workers = {next(results) for _ in range(6)}
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(60)
    try:
        assert list(results) == []
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        for worker in workers:
            assert not os.path.exists(f"/proc/{worker}")
