"""The folder that walkers are written to: of one set of settings, and of one run at a time."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...common.files import atomic_write
from ...errors import KpstraError

SETTINGS, PARTIAL = "walkers.json", ".partial"


@contextmanager
def claim(output: Path, settings: Mapping[str, Any]) -> Iterator[Path]:
    """Make or continue ``output``, whose ``walkers.json`` holds ``settings``; lock it and yield a scratch folder.

    Raises:
        KpstraError: it cannot be written, holds other things or walkers of other settings, or another run writes to it.
    """
    path, scratch = output / SETTINGS, output / PARTIAL
    try:
        output.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            foreign = sorted(p.name for p in output.iterdir() if not p.name.startswith((PARTIAL, f".{SETTINGS}")))
            if foreign:
                raise KpstraError(
                    f"--output {output}: holds {foreign[0]!r} and no {SETTINGS}; give a new or empty folder"
                )
            with atomic_write(path, "w") as stream:
                stream.write(json.dumps(settings, indent=1) + "\n")
        with open(path, "r+b") as stream:
            try:
                fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise KpstraError(f"--output {output}: another run is writing to it; wait for its end") from error
            _compare(output, stream.read(), settings)
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            try:
                yield scratch
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise KpstraError(f"--output {output}: {error}; once that is mended, the same command goes on") from error


def _compare(output: Path, written: bytes, settings: Mapping[str, Any]) -> None:
    try:
        there = dict(json.loads(written))
    except (ValueError, TypeError) as error:
        raise KpstraError(f"{output / SETTINGS}: not settings of walkers; give another --output") from error
    for key in {**there, **settings}:
        if there.get(key) != settings.get(key):
            raise KpstraError(
                f"--output {output}: was begun with {key} {there.get(key)!r}, not {settings.get(key)!r}; "
                "give the same setting, or another folder"
            )


def put_files(scratch: Path, files: Mapping[str, bytes], target: Path) -> None:
    """Write files into a new folder below ``scratch``, then make that folder ``target``, whole or not at all."""
    partial = scratch / f"{'__'.join(target.parts[-4:])}.{os.getpid()}"
    partial.mkdir(parents=True)
    for name, content in files.items():
        (partial / name).write_bytes(content)
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)
