"""A preparation that goes on, or is given again on what has changed."""

import json
import shutil
import signal
import subprocess
import time

import cv2
import numpy as np
import pytest
from prepare_runs import RAW, A, B, arrays, command, contents, run

from opengait_ext.data.prepare import prepare
from plugins.errors import KpstraError


def test_a_second_run_does_only_what_is_missing(raw):
    run(raw)
    stamp = (raw / "out" / A / "0_sil.pkl").stat().st_mtime_ns
    expected = contents(raw / "out")
    (raw / "out" / B / "1_keypoints.pkl").unlink()
    with open(raw / "out" / "prepare.jsonl", "ab") as stream:
        stream.write(b'{"sequence": "torn')
    report = run(raw)
    assert contents(raw / "out") == expected and report["sequences"] == 2
    assert (raw / "out" / A / "0_sil.pkl").stat().st_mtime_ns == stamp
    lines = (raw / "out" / "prepare.jsonl").read_text().splitlines()
    assert [json.loads(line).get("sequence") for line in lines] == [A, B, B]


def test_sequences_whose_files_have_changed_are_made_again(raw, capsys):
    """Corrected poses, poses of another folder, a picture less; without a change nothing is read."""
    run(raw)
    stamp = (raw / "out" / B / "0_sil.pkl").stat().st_mtime_ns
    capsys.readouterr()
    run(raw)
    assert "all 2 sequences were prepared before" in capsys.readouterr().out
    for path in (raw / "2D_Poses" / A).iterdir():
        frame, box, *joints = path.read_text().split(",")
        x = [f"{float(value) + 3 * (i % 3 == 0)}" for i, value in enumerate(joints)]
        path.write_text(",".join([frame, box, *x]))
    run(raw)
    assert f"1 of 2 sequences prepared before have other files now, by size or time, and are made again: {A}" in (
        capsys.readouterr().out
    )
    corrected = contents(raw / "out")
    run(raw, "fresh")
    assert corrected == contents(raw / "fresh")
    assert (raw / "out" / B / "0_sil.pkl").stat().st_mtime_ns == stamp
    for path in (raw / "2D_Silhouettes" / A).iterdir():
        cv2.imwrite(str(path), np.zeros((50, 50), np.uint8))
    assert run(raw)["sequences not written"] == {A: "no frame left"} and not (raw / "out" / A).exists()


def test_a_journal_without_sources_is_marked_from_now_on(raw, capsys):
    """As an earlier version wrote it: what has changed since is not seen, and that is said; later changes are."""
    run(raw)
    journal = raw / "out" / "prepare.jsonl"
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    assert all(one.pop("source") for one in records)
    journal.write_text("".join(json.dumps(one) + "\n" for one in records))
    stamp = (raw / "out" / A / "0_sil.pkl").stat().st_mtime_ns
    run(raw)
    printed = capsys.readouterr().out
    assert "2 sequences are of a version that did not note what they were made from" in printed
    assert "as they were then" not in printed and (raw / "out" / A / "0_sil.pkl").stat().st_mtime_ns == stamp
    next((raw / "2D_Poses" / A).iterdir()).touch()
    run(raw)
    assert f"1 of 2 sequences prepared before have other files now, by size or time, and are made again: {A}" in (
        capsys.readouterr().out
    )


def test_what_is_not_read_does_not_count(raw, capsys):
    """Files of editors and file managers; a link to nowhere is a picture that cannot be read, as it always was."""
    run(raw)
    folder = raw / "2D_Silhouettes" / A
    (folder / ".DS_Store").touch()
    (folder / ".#0001.png").symlink_to("nowhere")
    (folder / "Thumbs.db").touch()
    run(raw)
    assert "all 2 sequences were prepared before" in capsys.readouterr().out
    (folder / "9999.png").symlink_to("nowhere")
    assert run(raw)["frames dropped"]["unreadable"] == 1
    run(raw)
    assert "all 2 sequences were prepared before" in capsys.readouterr().out


def test_what_is_no_more_in_the_input_is_told(raw, capsys):
    """It stays: two inputs may be prepared into one output."""
    run(raw)
    shutil.rmtree(raw / "2D_Silhouettes" / A)
    shutil.rmtree(raw / "2D_Poses" / A)
    capsys.readouterr()
    assert run(raw)["sequences of an earlier run, no more in the input"] == [A]
    assert (
        f"1 sequences of an earlier run are in {raw / 'out'} and not in these folders: {A};" in capsys.readouterr().out
    )
    assert (raw / "out" / A).is_dir()


def test_another_size_is_refused(raw):
    run(raw)
    with pytest.raises(KpstraError, match="begun with size 64, not 32"):
        run(raw, size=32)


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on(tmp_path, how):
    """Kill the run, several times, while it works on many sequences; nothing is broken, and the end is the same."""
    for kind in ("2D_Silhouettes", "2D_Poses"):
        (tmp_path / kind).mkdir()
        for copy in range(60):
            (tmp_path / kind / f"{copy:04d}").symlink_to(RAW / kind / "0001")
    output, kills = tmp_path / "out", 0
    journal = output / "prepare.jsonl"
    for attempt in range(3):
        restore = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
        process = subprocess.Popen(
            command(tmp_path, output, "--workers", "2"),
            stderr=subprocess.PIPE,
            text=True,
            stdout=subprocess.DEVNULL,
            preexec_fn=restore,
        )
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if journal.exists() and journal.read_bytes().count(b"\n") > 30 * (attempt + 1):
                process.send_signal(how)
                kills += 1
                break
            time.sleep(0.005)
        errors = process.communicate(timeout=60)[1]
        assert "Traceback" not in errors
        if how == signal.SIGINT and process.returncode:
            assert process.returncode == 130 and "the same command goes on" in errors
        for folder in output.glob("[!.]*/*/*"):  # what is in place is whole
            silhouettes, keypoints = arrays(folder)
            assert len(silhouettes) == len(keypoints)
    assert kills >= 2
    finished = journal.read_bytes().count(b"\n")
    assert finished >= 30
    time.sleep(0.3)
    stamps = {p: p.stat().st_mtime_ns for p in output.glob("[!.]*/*/*/0_sil.pkl")}
    done = subprocess.run(command(tmp_path, output), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sum(p.stat().st_mtime_ns == stamp for p, stamp in stamps.items()) >= finished
    prepare(tmp_path / "2D_Silhouettes", tmp_path / "2D_Poses", tmp_path / "whole")
    assert contents(output) == contents(tmp_path / "whole")
    assert len(contents(output)) == 2 * 60 * 4
    assert not (output / ".partial").exists()
