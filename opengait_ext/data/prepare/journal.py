"""What is finished: one line a sequence in ``<output>/prepare.jsonl``; the settings are in ``prepare.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

from plugins.common.files import replace_folder
from plugins.errors import KpstraError

from .sequence import FILES, is_written

SETTINGS, JOURNAL, REPORT = "prepare.json", "prepare.jsonl", "prepare_report.json"
Record = dict[str, Any]  # "sequence", "frames", and counts


class Journal:
    """The journal of a claimed output folder. A torn last line, left by a kill, is cut off.

    Raises:
        KpstraError: it is damaged otherwise.
    """

    def __init__(self, output: Path) -> None:
        self.output, self.path = output, output / JOURNAL
        self._stream: IO[bytes] = open(self.path, "a+b")  # noqa: SIM115, closed by __exit__
        self.records: dict[str, Record] = self._load()

    def _load(self) -> dict[str, Record]:
        self._stream.seek(0)
        data = self._stream.read()
        whole = data.rfind(b"\n") + 1
        try:
            records = {record["sequence"]: record for record in map(json.loads, data[:whole].splitlines())}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self._stream.close()
            raise KpstraError(f"{self.path}: not a journal of this command; give another --output") from error
        self._stream.truncate(whole)
        return records

    def is_finished(self, name: str) -> bool:
        """Whether a sequence is in the journal and its files are there."""
        return name in self.records and is_written(self.output, name)

    def add(self, record: Record, partial: Path | None) -> None:
        """Put a finished sequence in place, if any of it is left, and append its line."""
        if partial:
            replace_folder(partial, self.output / record["sequence"])
        elif record["sequence"] in self.records:
            self._remove(record["sequence"])
        self.note(record)

    def note(self, record: Record) -> None:
        """Append the line of a sequence whose files are as they should be."""
        self.records[record["sequence"]] = record
        self._stream.write(json.dumps(record).encode() + b"\n")
        self._stream.flush()

    def discard(self) -> None:
        """Remove every sequence of the journal, the report, the journal and the settings; other files stay."""
        for name in self.records:
            self._remove(name)
        for name in (REPORT, JOURNAL, SETTINGS):
            (self.output / name).unlink(missing_ok=True)

    def _remove(self, name: str) -> None:
        folder = self.output / name
        for file in FILES:
            (folder / file).unlink(missing_ok=True)
        for above in (folder, *folder.parents[:2]):
            try:
                above.rmdir()
            except OSError:
                break

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
