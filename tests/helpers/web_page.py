"""An HTML page as a reader finds it: by a parser, and in a browser without a window."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
--disable-component-update --disable-sync --window-size=1200,900"
LOOK = """
<script>
addEventListener("load", () => {
  const seen = {
    tables: [...document.querySelectorAll("table.results")].map(table => [...table.rows].map(
      row => [...row.cells].map(cell => cell.offsetHeight && cell.offsetWidth ? cell.innerText : null))),
    pictures: [...document.images].map(image => [image.naturalWidth, image.naturalHeight, image.clientWidth]),
    width: [document.documentElement.scrollWidth, innerWidth],
  };
  const found = document.createElement("script");
  found.type = "application/json";
  found.id = "seen";
  found.textContent = JSON.stringify(seen);
  document.body.append(found);
});
</script>
"""


@dataclass
class Parsed(HTMLParser):
    """Text of headings, tables by class, ``pre`` and list items; addresses of pictures, and of all that is named."""

    tables: dict[str, list[list[list[str]]]] = field(default_factory=dict)
    headings: list[str] = field(default_factory=list)
    pre: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        self._into = None

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.references += [value for key, value in attributes if key in ("src", "href") and value]
        if tag == "img":
            self.pictures.append(given["src"])
        if tag == "table":
            self.tables.setdefault(given["class"], []).append([])
            self._table = self.tables[given["class"]][-1]
        if tag == "tr":
            self._table.append([])
        opened = {"th": self._table[-1], "td": self._table[-1]} if tag in ("th", "td") else {}
        opened |= {"h1": self.headings, "h2": self.headings, "pre": self.pre, "li": self.items}
        if tag in opened:
            opened[tag].append("")
            self._into = opened[tag]

    def handle_endtag(self, tag):
        if tag in ("th", "td", "h1", "h2", "pre", "li"):
            self._into = None

    def handle_data(self, data):
        if self._into is not None:
            self._into[-1] += data


def read_page(path: Path) -> Parsed:
    """Parse a page; check that it needs no other file and that its pictures are whole."""
    text = path.read_text(encoding="utf-8")
    page = Parsed()
    page.feed(text)
    assert all(reference.startswith("data:") for reference in page.references)
    assert not re.search(r"url\(|@import|<script|<link", text)
    assert all(min(picture.size) > 50 for picture in map(picture_of, page.pictures))
    return page


def picture_of(uri: str) -> Image.Image:
    """Decode a picture that stands in a page."""
    start, _, data = uri.partition(",")
    assert start == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    image.load()
    return image


def look(path: Path, folder: Path) -> dict:
    """Open a copy of a page in a browser; return the tables' visible text, the pictures' and the page's widths."""
    copy = folder / "looked-at.html"
    copy.write_text(path.read_text(encoding="utf-8").replace("</body>", f"{LOOK}</body>"), encoding="utf-8")
    command = [BROWSER, *FLAGS.split(), f"--user-data-dir={folder / 'browser'}", "--dump-dom", copy.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return json.loads(re.search(r'<script type="application/json" id="seen">(.*?)</script>', shown, re.DOTALL)[1])
