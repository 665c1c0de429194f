"""Bodies by name: unknown ones, and a package that is missing."""

import sys

import pytest

from plugins.benchmarks.walkers import Identity, require_bodies
from plugins.benchmarks.walkers.mesh import load_body
from plugins.errors import KpstraError


def test_simple_bodies_need_nothing():
    assert require_bodies("simple") is Identity


def test_unknown_bodies_are_refused():
    with pytest.raises(KpstraError, match=r"--bodies: 'any' is not one of simple, anny \(did you mean 'anny'\?\)"):
        require_bodies("any")


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "anny", None)
    load_body.cache_clear()
    with pytest.raises(KpstraError, match=r"--bodies anny: .*pip install 'kpstra\[bodies\]'"):
        require_bodies("anny")


def test_an_anny_that_cannot_be_loaded_is_told_in_a_line(monkeypatch):
    anny = pytest.importorskip("anny", reason="kpstra[bodies] is not installed")
    monkeypatch.setattr(anny, "Anny", lambda **_: 1 / 0)
    load_body.cache_clear()
    with pytest.raises(KpstraError, match=r"--bodies anny: ZeroDivisionError: .*ANNY_CACHE_DIR") as caught:
        require_bodies("anny")
    assert "\n" not in str(caught.value)
    load_body.cache_clear()
