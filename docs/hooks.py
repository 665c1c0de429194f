"""What the site changes in pages that are read in the repository too: links to configurations, roles in docstrings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):<code>[~.]*([^<]*)</code>")


def on_files(files: Files, config: Any) -> Files:
    """Put the configurations that pages link to into the site."""
    for path in sorted((ROOT / "configs").rglob("*.yaml")):
        files.append(File.generated(config, str(path.relative_to(ROOT)), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let ``../configs/x.yaml``, seen from docs/, name that copy."""
    return markdown.replace("](../configs/", "](configs/")


def on_page_content(html: str, **_: Any) -> str:
    """Take Sphinx's roles out of docstrings."""
    return ROLE.sub(r"<code>\1</code>", html)
