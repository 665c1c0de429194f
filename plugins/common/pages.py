"""Generated Markdown: a page of which every program writes a part of its own, tables, and text that is not markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .arguments import plain_text
from .files import atomic_write


def write_part(page: Path, title: str, name: str, lines: Sequence[str]) -> None:
    """Write one part of a page between its two comments, leaving the others as they are.

    Args:
        page: the Markdown file; made if it is not there.
        title: its heading, with what stands below it, used when the file is made.
        name: of the part, in the comments ``<!-- begin of NAME -->`` and ``<!-- end of NAME -->``.
        lines: of the part.
    """
    begin, end = (f"<!-- {mark} of {name} -->" for mark in ("begin", "end"))
    text = page.read_text(encoding="utf-8") if page.is_file() else title
    before, _, rest = text.partition(begin)
    parts = (before.strip(), "\n".join([begin, *lines, end]), rest.partition(end)[2].strip())
    with atomic_write(page, "w") as stream:
        stream.write("\n\n".join(filter(None, parts)) + "\n")


def line(texts: Sequence[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(text.replace('|', '&#124;') for text in texts)} |"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [line(columns), line(["---"] * len(columns)), *map(line, rows)]


def prose(text: str) -> str:
    """Return a docstring or a help text as Markdown: roles go, and ``<id>`` outside of code is shown as it stands."""
    pieces = re.split(r"(`[^`\n]*`)", plain_text(text))
    return "".join(
        piece if piece.startswith("`") else piece.replace("<", "&lt;").replace("*", "\\*") for piece in pieces
    )
