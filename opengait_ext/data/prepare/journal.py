"""What is finished: one line a sequence in ``<output>/prepare.jsonl``, the settings in its first line."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from plugins.common.files import atomic_write
from plugins.errors import KpstraError

from .sequence import FILES, PARTIAL, is_written, put_in_place

JOURNAL, REPORT = "prepare.jsonl", "prepare_report.json"
Record = dict[str, Any]  # "sequence", "frames", and counts


class Journal:
    """The journal of an output folder, locked while it is open. A torn last line, left by a kill, is cut off.

    Args:
        output: a folder that is new, empty, or has a journal with the same ``settings``.

    Raises:
        KpstraError: the folder holds other things, or data of other settings; or another run writes to it.
    """

    def __init__(self, output: Path, settings: Mapping[str, Any]) -> None:
        self.output, self.path = output, output / JOURNAL
        self.records: dict[str, Record] = {}
        if not self.path.exists():
            foreign = sorted(p.name for p in output.iterdir() if not p.name.startswith((PARTIAL, f".{JOURNAL}")))
            if foreign:
                raise KpstraError(
                    f"--output {output}: holds {foreign[0]!r} and no {JOURNAL}, so it is not the output "
                    "of an earlier run; give a new or empty folder"
                )
            with atomic_write(self.path, "w") as stream:
                stream.write(json.dumps(settings) + "\n")
        self._stream: IO[bytes] = open(self.path, "r+b")  # noqa: SIM115, closed by close()
        try:
            self._lock()
            self._load(settings)
            shutil.rmtree(output / PARTIAL, ignore_errors=True)
        except BaseException:
            self.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.lockf(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise KpstraError(f"{self.output}: another run is writing to it; wait for its end") from error

    def _load(self, settings: Mapping[str, Any]) -> None:
        data = self._stream.read()
        lines = data[: data.rfind(b"\n") + 1].splitlines()
        try:
            there, *records = map(json.loads, lines)
            there = dict(there)
            self.records = {record["sequence"]: record for record in records}
        except (ValueError, KeyError, TypeError) as error:
            raise KpstraError(f"{self.path}: not a journal of this command; give another --output") from error
        for key in {**there, **settings}:
            if there.get(key) != settings.get(key):
                raise KpstraError(
                    f"--output {self.output}: was begun with {key} {there.get(key)!r}, not "
                    f"{settings.get(key)!r}; give the same setting, or another folder"
                )
        self._stream.seek(data.rfind(b"\n") + 1)
        self._stream.truncate()

    def is_finished(self, name: str) -> bool:
        """Whether a sequence is in the journal and its files are there."""
        return name in self.records and is_written(self.output, name)

    def add(self, record: Record, partial: Path | None) -> None:
        """Put a finished sequence in place, if any of it is left, and append its line."""
        if partial:
            put_in_place(partial, self.output / record["sequence"])
        self.records[record["sequence"]] = record
        self._stream.write(json.dumps(record).encode() + b"\n")
        self._stream.flush()

    def close(self) -> None:
        """Release the lock."""
        self._stream.close()

    def discard(self) -> None:
        """Remove every sequence of the journal, the report and the journal; other files stay."""
        for name in self.records:
            folder = self.output / name
            for file in FILES:
                (folder / file).unlink(missing_ok=True)
            for above in (folder, *folder.parents[:2]):
                try:
                    above.rmdir()
                except OSError:
                    break
        shutil.rmtree(self.output / PARTIAL, ignore_errors=True)
        (self.output / REPORT).unlink(missing_ok=True)
        self.path.unlink()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.output / PARTIAL, ignore_errors=True)
        self.close()
