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


def make(folder, settings=SETTINGS, **options):
    """A run that leaves something."""
    with claim(folder, settings, **options):
        (folder / "made").write_text("")


def record(folder):
    return json.loads((folder / "settings.json").read_text())


def test_other_settings_are_all_named(tmp_path):
    make(tmp_path)
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
    assert record(tmp_path)["root"] == "/a"


def test_long_values_differ_at_their_ends(tmp_path):
    make(tmp_path, {"files": ["x" * 200, "a"]})
    with pytest.raises(KpstraError, match=r"begun with files .*, not "), claim(tmp_path, {"files": ["x" * 200, "b"]}):
        pytest.fail("entered")


def test_a_folder_in_which_nothing_was_made_takes_other_settings(tmp_path):
    """Whatever ended the run: a refusal, or a kill, which also leaves its lock and its scratch."""
    with pytest.raises(KpstraError, match="lr"), claim(tmp_path, {**SETTINGS, "lr": -1}, alone=True):
        raise KpstraError("lr")
    assert record(tmp_path)["lr"] == -1
    for left in (".lock", ".settings.json.x1"):
        (tmp_path / left).write_text("")
    (tmp_path / ".partial").mkdir()
    make(tmp_path, alone=True)
    assert record(tmp_path)["lr"] == 0.1
    with pytest.raises(KpstraError, match=r"begun with lr 0.1, not 0.2"), claim(tmp_path, {**SETTINGS, "lr": 0.2}):
        pytest.fail("entered")


def test_what_was_made_is_the_callers_to_say(tmp_path):
    """A log binds no training to its settings, a checkpoint does."""
    make(tmp_path)
    with claim(tmp_path, {"lr": 0.3}, bound=(tmp_path / "weights").exists):
        (tmp_path / "weights").write_text("")
    assert record(tmp_path) == {"lr": 0.3} and (tmp_path / "made").exists()
    with pytest.raises(KpstraError, match=r"lr 0.3, not 0.4"), claim(tmp_path, {"lr": 0.4}, bound=lambda: True):
        pytest.fail("entered")


def test_a_file_of_the_users_is_no_record(tmp_path):
    (tmp_path / "settings.json").write_text('{"editor": "vi"}')
    refuses("was begun with editor 'vi', not unset", tmp_path)
    assert record(tmp_path) == {"editor": "vi"}


def test_a_setting_that_came_later(tmp_path):
    """Is no difference while it has its default: numbers, lists, and a section that is new."""
    now = {**SETTINGS, "model": {**SETTINGS["model"], "grid": "window"}, "warm": {"scale": (0.8, 1.2), "epochs": 0}}
    defaults = {"model.grid": "window", "warm.scale": [0.8, 1.2], "warm.epochs": 0, "lr": 0.3}
    make(tmp_path)
    with claim(tmp_path, now, defaults=defaults):
        pass
    assert "warm" not in record(tmp_path)  # what it was begun with stays
    for key, value, message in (
        ("epochs", 1, "warm.epochs unset, not 1"),
        ("epochs", False, "warm.epochs unset, not False"),
        ("other", 0, "warm.other unset, not 0"),
    ):
        changed = {**now, "warm": {**now["warm"], key: value}}
        with pytest.raises(KpstraError) as caught, claim(tmp_path, changed, defaults=defaults):
            pytest.fail("entered")
        assert f": was begun with {message}; give" in str(caught.value)
    with pytest.raises(KpstraError, match=r"lr 0.1, not 0.3"), claim(tmp_path, {**now, "lr": 0.3}, defaults=defaults):
        pytest.fail("entered")
    with pytest.raises(KpstraError, match=r"lr 0.1, not unset"), claim(tmp_path, {"root": "/a"}, defaults=defaults):
        pytest.fail("entered")


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
