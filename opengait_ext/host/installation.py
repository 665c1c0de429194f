"""What is installed: packages, the host folder and its commit, devices. Each finding is (is it well, what)."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys

from plugins.common.machine import installed

from .find import COMMIT, Host, commit_of

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "opencv-python-headless",
    "PyYAML",
    "tqdm",
    "tensorboard",
    "einops",
    "kornia",
)

Finding = tuple[bool, str]


def installation() -> list[Finding]:
    """Versions of what a run imports."""
    lines = [(sys.version_info >= (3, 10), f"Python {platform.python_version()}")]
    for name in PACKAGES:
        try:
            lines.append((True, f"{name} {importlib.metadata.version(name)}"))
        except importlib.metadata.PackageNotFoundError:
            only_opengait = name in ("einops", "kornia")
            needed = "needed by an OpenGait checkout only" if only_opengait else "needed"
            lines.append((only_opengait, f"{name}: not installed ({needed})"))
    return lines


def versions(host: Host) -> dict[str, str]:
    """Return the versions a run is made with: of packages, and OpenGait's commit."""
    return {**installed(("opencv-python-headless",)), "OpenGait": commit_of(host) or f"{host.kind}, commit unknown"}


def describe_host(host: Host) -> list[Finding]:
    """Which host a run would take, and whether it is the tested commit."""
    if host.kind == "embedded":
        return [(True, f"host: {host}")]
    commit = commit_of(host) or "unknown"
    return [(commit == COMMIT, f"host: {host}, commit {commit[:7]} (tested with {COMMIT[:7]})")]


def devices() -> list[Finding]:
    """CUDA devices, or the CPU."""
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [(True, f"device: {', '.join(names) or 'CPU'}; {os.cpu_count()} cores")]
