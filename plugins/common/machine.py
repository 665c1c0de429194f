"""What a run was measured on, and with which versions."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .version import VERSION

PACKAGES = ("torch", "torchvision", "numpy")


def installed(more: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of kpstra, Python, :data:`PACKAGES` and ``more`` packages, as far as they are installed."""
    found = {"kpstra": VERSION, "Python": platform.python_version()}
    for name in (*PACKAGES, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def device_name(gpu: bool) -> str:
    """Return the name of the first GPU, or of the processor."""
    if gpu:
        import torch

        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0] if named else platform.processor() or platform.machine()} (CPU)"
