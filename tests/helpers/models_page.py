"""docs/models.md: what it counts, so that a test need not build every network to see whether its text has drifted."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from plugins.benchmarks.leaderboard import Complexity, Host, Row
from plugins.benchmarks.leaderboard.models import write_models

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "models.md"


def counted(rows: Sequence[Row]) -> list[Complexity]:
    """Return what the page says of each row."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if name := re.match(r"\| (?:row `|\[)([\w-]+)", line):
            *_, parameters, macs, _ = line.split("|")
            found[name[1]] = Complexity(round(float(parameters) * 1e6), round(float(macs) * 1e9))
    return [found.get(row.name, Complexity(0, 0)) for row in rows]


def same_but_for_counting(host: type[Host], folder: Path) -> bool:
    """Whether a host's part of the page is what its command would write."""
    page = folder / "models.md"
    shutil.copy(PAGE, page)
    write_models(host, ROOT / "configs", page, counted)
    return page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def small_configs(folder: Path, *names: str) -> Path:
    """A folder with these configurations alone, and the tables that have rows of them."""
    for name in ("data.yaml", *names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "configs" / name, folder / name)
    return folder


def lines_of_models(page: Path) -> list[str]:
    """The lines of the page's tables that are models."""
    return [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith(("| [", "| row"))]
