"""A page: what stands on it, and the template that makes one HTML file of it. Needs jinja2."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE, UNKNOWN = "page.html", "not recorded"
SPREAD = r"( ± [\d.]+| \([+-][\d.]+ to [+-][\d.]+\)| \[[+-][\d.]+, [+-][\d.]+\])?"
NUMBER = re.compile(rf"[+-]?\d[\d.]*{SPREAD}( \W)?")  # also with spread or interval, and with a mark after it


@dataclass(frozen=True)
class Table:
    """Rows of text below headings; ``caption`` says what the numbers are, ``notes`` stand below."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Picture:
    """A PNG, and what it shows: in few words for who cannot see it (``alt``), and as the ``caption``."""

    png: bytes
    alt: str
    caption: str

    @classmethod
    def of(cls, figure: Figure, alt: str, caption: str) -> Picture:
        """Draw a figure of matplotlib."""
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=130)
        return cls(stream.getvalue(), alt, caption)

    @property
    def uri(self) -> str:
        """The picture as an address that holds it."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(frozen=True)
class Page:
    """What a report says.

    ``settings`` holds by dotted key what each run was given, as text, by the run's name; ``commands`` the command
    lines by what they did, ``versions`` those of packages.
    """

    title: str
    about: Sequence[str]
    tables: Sequence[Table]
    pictures: Sequence[Picture] = ()
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def write_page(page: Page, path: Path) -> Path:
    """Write a page as one HTML file that needs no other; return its path.

    >>> table = Table("accuracy in percent, mean ± sd over 3 seeds", ["model", "accuracy"], [["plain", "81.2 ± 0.4"]])
    >>> write_page(Page("Toy", ["Digits turned by up to 40 degrees."], [table]), Path("report.html"))
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["number"] = lambda text: NUMBER.fullmatch(text) is not None
    differing, same = compared(page.settings)
    written = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    html = environment.get_template(TEMPLATE).render(page=page, differing=differing, same=same, written=written)
    with atomic_write(path, "w") as stream:
        stream.write(html)
    return path


def all_versions(made_with: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the versions that runs were made with; of a package that changed in between, all of them."""
    names = dict.fromkeys(name for versions in made_with for name in versions)
    return {name: ", ".join(dict.fromkeys(run.get(name, UNKNOWN) for run in made_with)) for name in names}


def compared(settings: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return settings that differ between runs, a text for each run by key, and those that are the same in all."""
    keys = dict.fromkeys(key for run in settings.values() for key in run)
    texts = {key: [run.get(key, "") for run in settings.values()] for key in keys}
    differing = {key: values for key, values in texts.items() if len(set(values)) > 1}
    return differing, {key: values[0] for key, values in texts.items() if key not in differing}
