"""The pages of the site: all in the navigation, links that lead somewhere, every public name shown."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from doc_pages import DOCS, PAGES, ROOT, prose

from plugins.common.version import VERSION

LINK = re.compile(r"\]\(([^)\s]+)\)")
PUBLIC = ("plugins.kprpe", "plugins.stra", "plugins.keypoints", "reid_ext")


def nav_files(node):
    """The files of the navigation, in order."""
    if isinstance(node, str):
        return [node]
    return [file for one in (node.values() if isinstance(node, dict) else node) for file in nav_files(one)]


def anchors(page):
    """The anchors of a page's headings, as MkDocs makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower() for heading in headings)
    return {re.sub(r"[-\s]+", "-", text) for text in plain}


def test_the_navigation_holds_every_page_once():
    files = nav_files(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert sorted(files) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_no_page_is_empty():
    """A page has words, or takes its text from a file or from docstrings."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert len(text.split()) > 50 or "--8<--" in text or ":::" in text, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_and_headings(page):
    for link in LINK.findall(prose(page)):
        if link.startswith(("http", "mailto")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.is_file(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}: it has {sorted(anchors(target))}"


def shown():
    """The names in the pages of the Python reference."""
    return [
        name
        for page in DOCS.glob("api-*.md")
        for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]


@pytest.mark.parametrize("name", shown())
def test_what_the_python_reference_shows_has_a_docstring(name):
    """Models are read, not imported: they are subclasses of a host's."""
    module, _, last = name.rpartition(".")
    file = ROOT / f"{module.replace('.', '/')}.py"
    if file.is_file():
        nodes = ast.parse(file.read_text(encoding="utf-8")).body
        node = next(node for node in nodes if getattr(node, "name", None) == last)
        assert ast.get_docstring(node)
    else:
        found = getattr(importlib.import_module(module), last)
        assert not callable(found) or found.__doc__


def test_every_public_name_is_shown():
    missing = [f"{package}.{name}" for package in PUBLIC for name in importlib.import_module(package).__all__]
    assert sorted(set(missing) - set(shown())) == []


def test_one_version_everywhere():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == VERSION
    assert f"\n## {VERSION}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_readme_is_read_in_a_minute():
    assert (ROOT / "README.md").stat().st_size < 10_000


@pytest.mark.slow
def test_the_site_builds(tmp_path):
    pytest.importorskip("mkdocs", reason="pip install '.[docs]'")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "GaitFeatureExtractor" in (Path(tmp_path) / "api-gait.html").read_text(encoding="utf-8")
