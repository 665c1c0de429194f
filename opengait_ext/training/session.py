"""A session: the one way to have a host, a device and a process group."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import distributed

from plugins.errors import KpstraError, one_of

from ..host.active import ActiveHost, activate
from ..host.find import find_host
from ..host.patches import on_cpu

HOSTS_CALLS = (  # what a user cannot act on: calls in the host's code that newer versions of torch advise against
    (FutureWarning, r"(modeling|data|evaluation|utils)\b"),
    (DeprecationWarning, r"(modeling|data|evaluation|utils)\b"),
    (FutureWarning, r"torch\.cuda\.amp"),
    (UserWarning, r"torch\.cuda\.amp"),
    (UserWarning, r"torch\.functional"),  # meshgrid without indexing
)
NO_BFLOAT16 = ("DEFAULT", "AVX2")  # torch's names of instruction sets without bfloat16


@contextmanager
def session(choice: str = "auto", device: str = "auto") -> Iterator[tuple[ActiveHost, str]]:
    """Make a host importable and its calls fit the device, in a process group; at the end that is put back.

    Args:
        choice: which host, see :func:`opengait_ext.host.find.find_host`.
        device: ``auto``, ``cpu`` or ``cuda``.

    Yields:
        The host, and ``cpu`` or ``cuda``.

    Raises:
        KpstraError: no such host or device, or the host lacks what our code needs.
    """
    found, device = find_host(choice), choose_device(device)
    with warnings.catch_warnings():
        for category, module in HOSTS_CALLS:
            warnings.filterwarnings("ignore", category=category, module=module)
        host = activate(found)
        with process_group(device), on_cpu(host) if device == "cpu" else nullcontext():
            yield host, device


def adapt(settings: dict[str, Any], device: str) -> list[str]:
    """Fit the settings to the device and the number of processes; return a sentence for each change."""
    world, notes = distributed.get_world_size(), []
    sampler = settings["evaluator_cfg"]["sampler"]
    if sampler["batch_size"] != world:
        notes.append(f"evaluator_cfg.sampler.batch_size: {sampler['batch_size']} -> {world}, the number of processes")
        sampler["batch_size"] = world
    for section in ("trainer_cfg", "evaluator_cfg"):
        if settings[section].get("enable_bfloat16") and settings[section]["enable_float16"]:
            notes.append(f"{section}.enable_float16: true -> false, enable_bfloat16 takes its place")
            settings[section]["enable_float16"] = False
    if device == "cpu":
        half = any(settings[section].get("enable_bfloat16") for section in ("trainer_cfg", "evaluator_cfg"))
        if half and torch.backends.cpu.get_cpu_capability() in NO_BFLOAT16:
            notes.append("enable_bfloat16: this CPU has no instructions for it, which makes it slower than float32")
        for section, key in (
            ("trainer_cfg", "sync_BN"),
            ("trainer_cfg", "enable_float16"),
            ("evaluator_cfg", "enable_float16"),
        ):
            if settings[section][key]:
                notes.append(f"{section}.{key}: true -> false, it needs CUDA")
                settings[section][key] = False
    return notes


def choose_device(choice: str) -> str:
    """Return ``cuda`` or ``cpu`` for ``auto``, ``cuda`` or ``cpu``; a missing CUDA device is an error."""
    one_of(choice, ("auto", "cpu", "cuda"), "--device")
    if choice == "cuda" and not torch.cuda.is_available():
        raise KpstraError("--device cuda: torch finds no CUDA device here; use --device cpu")
    return choice if choice != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """Join the processes that ``torchrun`` started, or be the only one: nccl on CUDA, gloo on a CPU.

    A group that the caller's own program is in already serves as it is.
    """
    if distributed.is_initialized():
        yield
        return
    backend = "nccl" if device == "cuda" else "gloo"
    world = int(os.environ.get("WORLD_SIZE", 1))
    if device == "cuda" and int(os.environ.get("LOCAL_WORLD_SIZE", world)) > torch.cuda.device_count():
        raise KpstraError(f"torchrun: {world} processes for {torch.cuda.device_count()} CUDA devices")
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    excepthook = sys.excepthook  # torch puts one in its place that begins every line with [rank0]
    try:
        if world > 1 or "RANK" in os.environ:
            distributed.init_process_group(backend, init_method="env://")
        else:
            distributed.init_process_group(backend, store=distributed.HashStore(), rank=0, world_size=1)
        yield
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
        sys.excepthook = excepthook
