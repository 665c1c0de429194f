"""Folders of one set of settings and one run at a time."""

import errno
import json
import os
import subprocess
import sys

import pytest

from plugins.common.folders import claim, scratch
from plugins.errors import KpstraError

SETTINGS = {"lr": 0.1, "model": {"depth": 4, "sizes": (1, 2)}, "root": "/a"}

HOLDER = """
import subprocess, sys
from plugins.common.folders import claim
with claim(sys.argv[1], {}) as lock:
    subprocess.Popen([sys.executable, "-c", "input()"], pass_fds=[lock.fileno()], stderr=subprocess.DEVNULL)
    print(flush=True)
    sys.stdin.read()
"""


def refuses(message, folder, **options):
    with pytest.raises(KpstraError, match=message), claim(folder, SETTINGS, **{"wait": 0, **options}):
        pytest.fail("entered")


def test_begun_and_gone_on_with(tmp_path):
    for _ in range(2):
        with claim(tmp_path / "a" / "b", SETTINGS):
            pass
    kept = json.loads((tmp_path / "a" / "b" / "settings.json").read_text())
    assert kept == {"lr": 0.1, "model": {"depth": 4, "sizes": [1, 2]}, "root": "/a"}


def test_other_settings_are_all_named(tmp_path):
    with claim(tmp_path, SETTINGS):
        pass
    other = {"lr": 0.2, "model": {"sizes": (1, 2), "grid": "image"}, "root": "/b"}
    message = (
        f"data.save_dir {tmp_path}: was begun with lr 0.1, not 0.2; model.depth 4, not unset; "
        "model.grid unset, not 'image'; give the same settings, or another folder"
    )
    with pytest.raises(KpstraError) as caught, claim(tmp_path, other, option="data.save_dir", ignore=["root"]):
        pytest.fail("entered")
    assert str(caught.value) == message
    with claim(tmp_path, {**SETTINGS, "root": "/b", "model": {"depth": 5}}, ignore=["root", "model"]):
        pass


def test_folders_of_something_else(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    refuses(
        r"holds 'mine.txt' and no walkers.json; give a new or empty folder", tmp_path, record="walkers.json", alone=True
    )
    assert not (tmp_path / "walkers.json").exists()
    with claim(tmp_path, SETTINGS):
        pass


@pytest.mark.parametrize("content", ["torn{", "[1]", "\x00", "[" * 100_000])
def test_damaged_records(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    refuses(r"settings.json: .*expected the settings that its folder was begun with", tmp_path)
    assert (tmp_path / "settings.json").read_text() == content


def test_one_run_at_a_time(tmp_path):
    with claim(tmp_path, {}):
        refuses("another run is writing to it; wait for its end", tmp_path)
    with claim(tmp_path, {}):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_a_killed_run_leaves_no_lock_but_with_its_children(tmp_path):
    """Whoever inherits the lock holds it on after the run that took it is gone."""
    run = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    run.stdout.readline()
    refuses("another run", tmp_path)
    run.kill()
    run.wait()
    refuses("another run", tmp_path)
    run.stdin.close()  # the child's, too
    with claim(tmp_path, {}, wait=10):
        pass


def test_a_lock_that_was_removed_meanwhile_is_none(tmp_path, monkeypatch):
    """A run that opened the file before its holder removed it begins anew."""
    from plugins.common import folders

    taken = folders.lock_descriptor

    def remove_first(descriptor, blocking):
        monkeypatch.setattr(folders, "lock_descriptor", taken)
        (tmp_path / ".lock").unlink()
        return taken(descriptor, blocking=blocking)

    monkeypatch.setattr(folders, "lock_descriptor", remove_first)
    with claim(tmp_path, {}, wait=1):
        assert (tmp_path / ".lock").exists()
        refuses("another run", tmp_path)


def test_file_systems_without_locks(tmp_path, monkeypatch):
    def missing(*_, **__):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("plugins.common.folders.lock_descriptor", missing)
    with pytest.warns(UserWarning, match="no locks on this file system"), claim(tmp_path, {}):
        pass


def test_places_that_cannot_be_used(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for place, reason in (("file/a", "Not a directory"), ("a" * 300, "File name too long")):
        refuses(rf"--output {tmp_path}/{place}: .*{reason}; once that is mended", tmp_path / place)
    refuses("file: is a file; give a folder", tmp_path / "file")
    with pytest.raises(KpstraError, match="gone: No such file"), claim(tmp_path / "b", {}):
        (tmp_path / "b" / "gone").read_bytes()
    with pytest.raises(FileNotFoundError), claim(tmp_path / "b", {}):
        (tmp_path / "elsewhere").read_bytes()
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (_ for _ in ()).throw(PermissionError(13, os.strerror(13))))
    refuses(r"settings.json: cannot be written: Permission denied", tmp_path / "c")


def test_scratch_is_empty_and_goes(tmp_path):
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "left").write_text("by a killed run")
    with pytest.raises(ZeroDivisionError), scratch(tmp_path) as partial:
        assert list(partial.iterdir()) == []
        (partial / "a").write_text("")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
