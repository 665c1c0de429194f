"""Several processes of one run, as torchrun starts them: one tells what all of them met, and a launcher of our own."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def first_to_tell(message: str) -> bool:
    """Whether this process is to print ``message``: of those that torchrun started on a machine, the first that asks.

    The message also goes where torchrun looks for the cause of a process's end, so that its own report shows it.
    """
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not file:
        return True
    with suppress(OSError):
        about = {"py_callstack": "", "timestamp": str(int(time.time()))}
        report = {"message": {"message": message, "extraInfo": about}}
        Path(file).write_text(json.dumps(report), encoding="utf-8")
        try:
            os.close(os.open(Path(file).parents[1] / "told", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
    return True


def run_processes(count: int, words: Sequence[str]) -> int:
    """Run ``python words`` in ``count`` processes of this machine, as ``torchrun --nproc_per_node`` does.

    Unlike torchrun it adds nothing to what the processes print: no report and no traceback of its own.

    Returns:
        The exit status of the process that ended first with another one than 0, or 0.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.2,
    )
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun
    logging.disable(logging.CRITICAL)  # this process has nothing to say besides what torch's launcher would
    try:
        elastic_launch(config, sys.executable)(*words)
    except ChildFailedError as error:
        return error.get_first_failure()[1].exitcode
    except (SignalException, KeyboardInterrupt):  # the processes have heard it too, and said how to go on
        return 130
    finally:
        logging.disable(logging.NOTSET)
    return 0
