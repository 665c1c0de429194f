"""Atomic writing: what a killed writer leaves is removed by the next, and nothing of a living one is."""

import subprocess
import sys

import pytest

from plugins.common.files import atomic_folder, atomic_write, read_json, require_writable, write_json
from plugins.errors import KpstraError

KILLED = """
import os, signal, sys
from plugins.common.files import atomic_write
with atomic_write(sys.argv[1]) as stream:
    stream.write(b"half")
    stream.flush()
    print(flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_leftovers_of_killed_writers_are_removed_and_those_of_living_ones_not(tmp_path):
    target, other = tmp_path / "a[1].pt", tmp_path / ".a.pt.other.tmp"
    other.write_bytes(b"of another file")
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    writer.stdout.readline()
    with atomic_write(target) as stream:
        stream.write(b"first")
    assert len(names(tmp_path)) == 3 and target.read_bytes() == b"first"
    writer.communicate()
    assert len(names(tmp_path)) == 3 and target.read_bytes() == b"first"
    with atomic_write(target) as stream:
        stream.write(b"second")
    assert names(tmp_path) == sorted([target.name, other.name]) and target.read_bytes() == b"second"


@pytest.mark.parametrize("scratch", [None, "scratch"])
def test_folders_are_put_in_place_whole(tmp_path, scratch):
    target, place = tmp_path / "a" / "b", scratch and tmp_path / scratch
    for text in ("old", "new"):
        with atomic_folder(target, place) as folder:
            (folder / text).write_text(text)
            assert not (target / text).exists()
    with pytest.raises(ZeroDivisionError), atomic_folder(target, place) as folder:
        (folder / "half").write_text("")
        raise ZeroDivisionError
    assert names(target) == ["new"] and names(target.parent) == ["b"]
    assert scratch is None or names(place) == []


def test_json(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, "ü"]})
    assert read_json(tmp_path / "a.json", "x") == {"b": [1, "ü"]}
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf{}")
    assert read_json(tmp_path / "a.json", "x") == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_files_that_are_not_the_json_expected(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(KpstraError, match=r"a.json: .*expected a report; delete it$"):
        read_json(tmp_path / "a.json", "a report; delete it")
    with pytest.raises(KpstraError, match=r"b.json: cannot be read: No such file or directory; expected"):
        read_json(tmp_path / "b.json", "a report")


def test_places_of_files_are_tried_before_the_work(tmp_path):
    (tmp_path / "file").write_text("old")
    require_writable(tmp_path / "file")
    require_writable(tmp_path / "new" / "a.json")
    assert names(tmp_path) == ["file", "new"] and names(tmp_path / "new") == []
    for place, reason in (
        ("file/a", ".*/file is a file, no folder"),
        ("new", "Is a directory"),
        ("a" * 300, "File name too long"),
    ):
        with pytest.raises(KpstraError, match=rf"{place}: cannot be written: {reason}"):
            require_writable(tmp_path / place)
        with pytest.raises(KpstraError, match=rf"{place}: cannot be written: {reason}"):
            write_json(tmp_path / place, {})
    assert (tmp_path / "file").read_text() == "old" and names(tmp_path / "new") == []


def test_text_is_utf_8_whatever_the_locale(tmp_path):
    with atomic_write(tmp_path / "a", "w") as stream:
        assert stream.encoding == "utf-8"
        stream.write("±")
    assert (tmp_path / "a").read_bytes() == "±".encode()
