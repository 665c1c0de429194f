"""What a run was measured on."""

from __future__ import annotations

import platform
from pathlib import Path

import torch


def device_name(gpu: bool) -> str:
    """Return the name of the first GPU, or of the processor."""
    if gpu:
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0] if named else platform.processor() or platform.machine()} (CPU)"
