"""The programs as a user starts them, ``python -m opengait_ext ...``, in a process that has torch and hosts already."""

from __future__ import annotations

import atexit
from functools import cache
from typing import Any

from fork_server import Ended, ForkServer

MODULES = {
    package: (*modules.split(), f"{package}.__main__", "torch.utils.tensorboard", "torch._dynamo")
    for package, modules in {
        "opengait_ext": "opengait_ext.training.launch opengait_ext.training.hosted sklearn.metrics cv2",
        "reid_ext": "reid_ext.training.run quick_environment",
    }.items()
}  # torch's optimisers import torch._dynamo


@cache
def server(package: str) -> ForkServer:
    """The server of a package's programs, one for each process of the tests."""
    started = ForkServer(*MODULES[package])
    atexit.register(started.__exit__)
    return started


def run(package: str, *python: str, expect: int = 0, **options: Any) -> Ended:
    """Run ``python *arguments``, check its exit status; options as :meth:`fork_server.ForkServer.run`'s."""
    done = server(package).run(*python, **options)
    assert done.returncode == expect, done.stdout[-3000:] + done.stderr[-4000:]
    return done


def leaderboard(package: str, *argv: str, spawn: bool = False, **options: Any) -> Ended:
    """Run a package's leaderboard, whose runs are forks too, or processes that begin anew (``spawn``)."""
    code = "import sys, forked_children; sys.exit(forked_children.main(*sys.argv[1:]))"
    start = ("-m", package) if spawn else ("-c", code, package)
    return run(package, *start, "leaderboard", *argv, **options)
