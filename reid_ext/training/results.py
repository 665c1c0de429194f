"""What a run measured: a small table to look at, and a JSON file that a leaderboard reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plugins.common.files import read_json, write_json
from plugins.errors import KpstraError

NAMES = {True: "test.results.json", False: "train.results.json"}  # of a test alone, of a training's tests


@dataclass(frozen=True)
class Results:
    """One evaluation of all targets.

    ``metrics`` holds mAP and ``Rank-<k>``, or what a protocol of faces measures, as fractions, by data set in the order
    of ``data.targets``; ``epoch`` is the number of finished epochs (``None`` in a test alone), ``final`` whether they
    were all; ``seconds`` is what the training took so far, tests included, and ``None`` where it was resumed.

    ``checkpoint`` is the file whose weights were tested, from the folder of the results if it lies in there, and
    ``settings`` what they were tested with (:func:`reid_ext.settings.evaluation.evaluation_settings`); older files have
    neither.
    """

    metrics: Mapping[str, Mapping[str, float]]
    final: bool = True
    epoch: int | None = None
    seconds: float | None = None
    device: str = ""
    checkpoint: str = ""
    checkpoint_epoch: int | None = None
    settings: Mapping[str, Any] | None = None

    def write(self, save_dir: str | Path) -> Path:
        """Write the file of ``save_dir``, whole or not at all, and return its path."""
        path = Path(save_dir) / NAMES[self.epoch is None]
        write_json(path, asdict(self))
        return path

    def table(self) -> str:
        """Return a line for each data set, in percent."""
        columns = list(dict.fromkeys(name for values in self.metrics.values() for name in values))
        width = max(map(len, ("data set", *self.metrics)))
        lines = ["  ".join([f"{'data set':<{width}}", *(f"{column:>7}" for column in columns)])]
        for name, values in self.metrics.items():
            cells = (f"{values[c]:.1%}" if c in values else "" for c in columns)
            filled = (f"{cell:>{max(7, len(c))}}" for c, cell in zip(columns, cells, strict=True))
            lines.append("  ".join([f"{name:<{width}}", *filled]).rstrip())
        return "\n".join(lines)


def read_results(save_dir: str | Path) -> dict[Path, Results]:
    """Return what finished runs in ``save_dir`` measured in the end, by file, the newest last.

    Raises:
        KpstraError: a file that is damaged, or not of this kind.
    """
    found = [path for name in NAMES.values() if (path := Path(save_dir) / name).is_file()]
    read = {}
    for path in sorted(found, key=lambda path: path.stat().st_mtime):
        content = read_json(path, "the results of a run; remove it")
        try:
            read[path] = Results(**content)
        except TypeError as error:
            raise KpstraError(f"{path}: not the results of a run ({error}); remove it") from error
    return {path: results for path, results in read.items() if results.final}
