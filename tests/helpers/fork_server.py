"""Runs Python command lines in forked children, which start in milliseconds, and kills them at chosen moments.

One process imports the hosts and torch once and forks a child for each run of ``python -m ...`` or ``python -c ...``.
A run can be killed

* ``before=n``: before its n-th step that changes a file under ``folder`` (open for writing, mkdir, rename, remove,
  chmod, fsync), in the main process or (``where="worker"``) in one that it started;
* ``after=seconds``: at a moment, by any signal, the main process, one of its children, or its whole process group;
* ``when=condition``: some seconds after the caller's condition has come true, or a text has been printed.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
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


class Ended(subprocess.CompletedProcess):
    """How a run ended: exit status (negative: the signal), what it printed, and seconds."""

    def __init__(self, args: Sequence[str], returncode: int, stdout: str, stderr: str, seconds: float) -> None:
        super().__init__(args, returncode, stdout, stderr)
        self.seconds = seconds

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.stdout + self.stderr

    @property
    def killed(self) -> bool:
        """Whether a SIGKILL ended it."""
        return self.returncode == -signal.SIGKILL


class ForkServer:
    """The process that imported ``modules``; it ends with this one, or as a context manager."""

    def __init__(self, *modules: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # so that what `select` says of the pipe is true of `readline`
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def run(
        self,
        *python: str,
        folder: Path | None = None,
        cwd: Path | None = None,
        processes: int = 1,
        before: int = 0,
        where: str = "main",
        after: float | None = None,
        when: Callable[[], bool] | str | None = None,
        sent: int = signal.SIGKILL,
        limit: float = 300,
    ) -> Ended:
        """Run ``python *arguments`` (``-m name ...`` or ``-c code ...``) until it ends or is ended.

        Args:
            python: the arguments; those before ``-m`` or ``-c`` are passed over.
            folder: the one whose changes count as steps.
            cwd: where it runs; here, if not given.
            processes: run it so often at once, with the variables by which ``torchrun`` tells processes their ranks.
            before, where, after, when, sent: see the module; ``after`` counts from ``when`` if both are given.
            limit: seconds after which it is aborted.
        """
        with tempfile.TemporaryDirectory() as console:
            order = {
                "python": python,
                "folder": folder and str(folder.resolve()),
                "cwd": str(cwd or Path.cwd()),
                "processes": processes,
                "port": free_port() if processes > 1 else None,
                "before": before,
                "where": where,
                "after": None if when else after,
                "sent": int(sent),
                "limit": limit,
                "console": [f"{console}/out", f"{console}/err"],
            }
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            child = json.loads(self.process.stdout.readline())
            if when is not None:
                came = when if callable(when) else lambda: when in Path(order["console"][0]).read_text()
                while not (ended := self.ended_within(0.005)) and not came():
                    pass
                if not ended and not self.ended_within(after or 0):
                    send(child, where, sent)
            status, seconds = json.loads(self.process.stdout.readline())
            said = (Path(path).read_text(errors="replace") for path in order["console"])
            return Ended(python, status, *said, seconds)

    def ended_within(self, seconds: float) -> bool:
        """Whether the run ends within some seconds."""
        return bool(select.select([self.process.stdout], [], [], seconds)[0])

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


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
        answers.write(f"{child}\n")
        answers.flush()
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
    os.setpgid(0, 0)
    os.chdir(order["cwd"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if order["before"]:
        count_steps(order["folder"], order["before"], order["where"])
    os.write(ready, b"1")
    os.close(ready)
    out, err = (os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for path in order["console"])
    if order["processes"] == 1:
        run_python(order["python"], out, err)
    ranks = [fork_rank(order, rank, out, err) for rank in range(order["processes"])]
    os._exit(max(os.waitstatus_to_exitcode(os.waitpid(rank, 0)[1]) for rank in ranks))


def fork_rank(order: dict[str, Any], rank: int, out: int, err: int) -> int:
    """Fork a process of several; return its id."""
    child = os.fork()
    if not child:
        world = order["processes"]
        os.environ.update(RANK=f"{rank}", LOCAL_RANK=f"{rank}", WORLD_SIZE=f"{world}", LOCAL_WORLD_SIZE=f"{world}")
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=f"{order['port']}")
        run_python(order["python"], out, err)
    return child


def run_python(arguments: Sequence[str], out: int, err: int) -> None:
    """Do in this process what ``python *arguments`` does, print to these descriptors, and exit."""
    status = 1
    try:
        for descriptor, target in enumerate((out, err), start=1):
            os.dup2(target, descriptor)
        sys.stdout.reconfigure(line_buffering=True)
        option, name, *sys.argv[1:] = arguments[next(i for i, word in enumerate(arguments) if word in ("-m", "-c")) :]
        sys.argv[0] = option
        if option == "-m":
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        else:
            exec(compile(name, "<string>", "exec"), {"__name__": "__main__"})
        status = 0
    except SystemExit as ended:
        status = ended.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
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
