"""Runs command lines in forked children, which start in milliseconds, and kills them at chosen or random moments.

One process imports the hosts and torch once and forks a child for each run. A run can be killed

* ``before=n``: before its n-th step that changes a file under ``folder`` (open for writing, mkdir, rename, remove,
  chmod, fsync), in the main process or (``where="worker"``) in one that it started;
* ``after=seconds``: at a moment, by any signal, the main process, one of its children, or its whole process group.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STEPS = {
    "os.rename": 2,
    "os.remove": 1,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.chmod": 1,
    "os.truncate": 1,
    "shutil.rmtree": 1,
}  # audit events, and how many of their arguments are paths
SUBREAPER = 36  # Linux's PR_SET_CHILD_SUBREAPER
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Ended:
    """How a run ended: exit status (negative: the signal), seconds, and what it printed."""

    def __init__(self, status: int, seconds: float, said: str) -> None:
        self.status, self.seconds, self.said = status, seconds, said

    @property
    def killed(self) -> bool:
        """Whether a SIGKILL ended it."""
        return self.status == -signal.SIGKILL


class ForkServer:
    """The process that imported ``modules``; use as a context manager."""

    def __init__(self, *modules: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(
        self,
        module: str,
        *argv: str,
        folder: Path,
        before: int = 0,
        where: str = "main",
        after: float | None = None,
        sent: int = signal.SIGKILL,
        limit: float = 300,
    ) -> Ended:
        """Run ``module.main(argv)`` until it ends or is ended; ``folder`` is the one whose changes count as steps."""
        log = folder.parent / f"{folder.name}.console"
        order = {
            "module": module,
            "argv": argv,
            "folder": str(folder.resolve()),
            "before": before,
            "where": where,
            "after": after,
            "sent": int(sent),
            "limit": limit,
            "log": str(log),
        }
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        status, seconds = json.loads(self.process.stdout.readline())
        return Ended(status, seconds, log.read_text(errors="replace"))

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


def serve(modules: list[str]) -> None:
    """Fork a child for each line of standard input."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1)  # orphaned workers become ours, so that their end is seen
    random.seed(0)
    for module in modules:
        importlib.import_module(module)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        order = json.loads(line)
        ready, say = os.pipe()
        child = os.fork()
        if not child:
            work(order, say)
        os.close(say)
        os.read(ready, 1)
        os.close(ready)
        began = time.monotonic()
        status = watch(child, order, began)
        answers.write(json.dumps([status, time.monotonic() - began]) + "\n")
        answers.flush()


def watch(child: int, order: dict[str, Any], began: float) -> int:
    """Send the signal when it is time; return the status of the child, whose group is not left behind."""
    after, ended = order["after"], 0
    while not ended:
        if after is not None and time.monotonic() - began >= after:
            send(child, order["where"], order["sent"])
            after = None
        if time.monotonic() - began > order["limit"]:
            send(child, "group", signal.SIGABRT)
        time.sleep(0.002)
        ended, status = os.waitpid(child, os.WNOHANG)
    for _ in range(1500):  # workers end with their parent: by themselves, within a few seconds
        try:
            os.waitpid(-child, os.WNOHANG)
        except ChildProcessError:
            break
        time.sleep(0.01)
    else:
        os.killpg(child, signal.SIGKILL)
        return -signal.SIGABRT  # no test expects it
    return os.waitstatus_to_exitcode(status)


def send(child: int, where: str, sent: int) -> None:
    """Send a signal to the process, to its whole group, or to one of the processes it started."""
    if where == "group":
        os.killpg(child, sent)
    elif where == "worker":
        workers = Path(f"/proc/{child}/task/{child}/children").read_text().split()
        if workers:
            os.kill(int(random.choice(workers)), sent)
    else:
        os.kill(child, sent)


def work(order: dict[str, Any], ready: int) -> None:
    """Be the child: run the command line in a process group of its own and exit with its status."""
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if order["before"]:
            count_steps(order["folder"], order["before"], order["where"])
        main = importlib.import_module(order["module"]).main
        os.write(ready, b"1")
        os.close(ready)
        status = main(order["argv"])
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def count_steps(folder: str, before: int, where: str) -> None:
    """Kill the process (not those it starts, or only those) before its ``before``-th change under ``folder``."""
    main, steps = os.getpid(), 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == before:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple) -> None:
        paths = arguments[: STEPS.get(event, 0)]
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            paths = arguments[:1]
        mine = paths and (os.getpid() == main) == (where == "main")
        if mine and any(isinstance(p, (str, bytes, os.PathLike)) and is_below(p) for p in paths):
            step()

    def is_below(path: Any) -> bool:
        path = os.path.abspath(os.fsdecode(path))
        return path == folder or path.startswith(f"{folder}/")

    def fsync(descriptor: int, fsync=os.fsync) -> None:
        if (os.getpid() == main) == (where == "main"):
            step()
        fsync(descriptor)

    os.fsync = fsync
    sys.addaudithook(hook)


if __name__ == "__main__":
    serve(sys.argv[1:])
