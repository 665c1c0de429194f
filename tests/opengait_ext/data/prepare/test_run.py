"""The whole preparation: rules, report, refusals."""

import json
import os
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from prepare_runs import RAW, A, B, arrays, command, contents, run

from opengait_ext.__main__ import main
from opengait_ext.data.body import evenly
from opengait_ext.data.prepare.sample import FRAMES
from plugins.common.folders import claim
from plugins.errors import KpstraError


def test_layout_report_and_table(raw, capsys):
    report = run(raw, workers=2)
    assert json.loads((raw / "out" / "prepare_report.json").read_text()) == report
    names = ["0001", "prepare.json", "prepare.jsonl", "prepare_report.json"]
    assert sorted(p.name for p in (raw / "out").iterdir()) == names
    assert report["sequences"] == 2 and report["frames"] == 40 and report["sequences not written"] == {}
    assert report["of these on the body"] > 0.95 * report["confident joints checked"] > 0
    for name in (A, B):
        silhouettes, keypoints = arrays(raw / "out" / name)
        assert silhouettes.shape == (20, 64, 64) and silhouettes.dtype == np.uint8
        assert keypoints.shape == (20, 17, 3) and keypoints.dtype == np.float32
    printed = capsys.readouterr().out
    assert "frames                                              40" in printed and "prepare_report.json" in printed


def test_every_rule_is_applied_and_counted(raw):
    images, poses = (sorted((raw / kind / A).iterdir()) for kind in ("2D_Silhouettes", "2D_Poses"))
    run(raw, "before")
    images[0].write_bytes(images[0].read_bytes()[:-30])
    cv2.imwrite(str(images[1]), np.eye(30, dtype=np.uint8) * 255)
    column = np.zeros((100, 50), np.uint8)
    column[:, 0] = 255
    cv2.imwrite(str(images[2]), column)
    images[3].unlink()
    poses[4].unlink()
    poses[5].write_text("1,2,3")
    poses[6].write_text("9,9," + ",".join(["0"] * 51))
    poses[7].write_text("9,9," + ",".join(["5,5,0"] * 17))
    shutil.copytree(raw / "2D_Poses" / A, raw / "2D_Poses" / "0099" / "c" / "s")
    empty = raw / "2D_Silhouettes" / "0002" / "c" / "s"
    empty.mkdir(parents=True)
    shutil.copy(images[1], empty)
    report = run(raw)
    assert report["frames dropped"] == {"unreadable": 1, "nearly_empty": 2, "no_centre": 1}
    absent = report["frames with all joints absent"]
    assert absent == {"missing": 1, "broken": 1, "all_zero": 1, "no_score": 1, "nobody": 0, "beside": 0}
    assert report["joints absent"] >= 4 * 17
    assert report["poses without silhouette"] == 1 + 19
    assert report["sequences"] == 2 and report["sequences not written"] == {"0002/c/s": "no frame left"}
    assert not (raw / "out" / "0002").exists()

    before, after = arrays(raw / "before" / A), arrays(raw / "out" / A)
    np.testing.assert_array_equal(after[0], before[0][4:])
    np.testing.assert_array_equal(after[1][4:], before[1][8:])
    np.testing.assert_array_equal(after[1][0:4, :, 2], 0)
    np.testing.assert_array_equal(after[1][0:4, :, :2], np.broadcast_to(before[1][8, :, :2], (4, 17, 2)))


CAUSES = {
    (
        1,
        1,
    ): r"joints on the body: 0\.0% of \d+, in 20 sequences looked at; poses and silhouettes seem to be in different",
    (0.01, 0.01): r"joints on the body: \d+\.\d% of \d+, in 20 sequences looked at; poses and silhouettes seem",
    (3, 3): r"joints on the body: \d+\.\d% of \d+, in 20 sequences looked at; poses and silhouettes seem",
}


@pytest.mark.parametrize(("scale", "shift"), [((1, 1), (500, 300)), ((0.01, 0.01), (0, 0)), ((3, 3), (0, 0))])
def test_poses_of_another_pixel_frame_stop_the_run(tmp_path, scale, shift):
    shutil.copytree(RAW, tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "2D_Poses").rglob("*.txt"):
        values = np.array([float(v) for v in path.read_text().split(",") if v.strip()])
        values[2:] = (values[2:].reshape(17, 3) * (*scale, 1) + (*shift, 0)).ravel()
        path.write_text(",".join(map(str, values)))
    with pytest.raises(KpstraError, match=CAUSES[scale]):
        run(tmp_path, workers=2)
    assert not (tmp_path / "out").exists()


def test_misaligned_poses_beside_the_sample_are_found_at_the_end(raw):
    """The frames that are looked at before are fine, most others are not: what was written is removed."""
    for name in (A, B):
        files = sorted((raw / "2D_Poses" / name).iterdir())
        for path in set(files) - set(evenly(files, FRAMES)):
            path.write_text("9,9," + "5000,5000,1," * 17)
    with pytest.raises(KpstraError, match=r"body: 39\.3% of .*, in 2 sequences; those prepared so far were"):
        run(raw)
    assert list((raw / "out").iterdir()) == []


def test_misaligned_poses_do_not_touch_what_an_earlier_run_wrote(raw):
    run(raw)
    before = contents(raw / "out")
    for name in (A, B):
        for path in (raw / "2D_Poses" / name).iterdir():
            path.write_text("9,9," + "5000,5000,1," * 17)
    with pytest.raises(KpstraError, match=r"joints on the body: 0\.0%.*pose file begins with"):
        run(raw)
    assert contents(raw / "out") == before


def test_no_usable_pose_stops_the_run(raw):
    for path in list((raw / "2D_Poses").rglob("*.txt")):
        path.rename(path.with_name("pose_" + path.name))
    with pytest.raises(KpstraError, match=r"usable pose: 0\.0% of 16 \(16 missing\).*in 2 sequences.*: no pose file"):
        run(raw)


def test_errors_are_one_line(raw, capsys):
    silhouettes, poses = raw / "2D_Silhouettes", raw / "2D_Poses"
    (raw / "nothing").mkdir()
    for number in range(3):
        (raw / "jpeg" / "1" / "2" / "3").mkdir(parents=True, exist_ok=True)
        (raw / "jpeg" / "1" / "2" / "3" / f"{number}.{('JPG', 'jpg', 'bmp')[number]}").write_text("")
    (raw / "file").write_text("")
    (raw / "foreign").mkdir()
    (raw / "foreign" / "thesis.tex").write_text("")
    (raw / "odd").mkdir()
    (raw / "odd" / "prepare.jsonl").write_text("hello\n")
    (raw / "torn").mkdir()
    (raw / "torn" / "prepare.json").write_text('{"kind": "exa')
    (raw / "lost").mkdir()
    (raw / "lost" / "prepare.jsonl").write_text("")
    (raw / "odd" / "prepare.json").write_text('{"kind": "exact", "size": 64}')
    cases = [
        ((raw / "absent", poses, raw / "o"), (), "--silhouettes", "no such folder"),
        ((silhouettes, raw / "absent", raw / "o"), (), "--poses", "no such folder"),
        ((raw / "nothing", poses, raw / "o"), (), "--silhouettes", "no .png file in it"),
        ((raw / "jpeg", poses, raw / "o"), (), "no .png file in it, but 2 .jpg: convert them to PNG"),
        ((raw, poses, raw / "o"), (), "wrong layout", "a folder deeper"),
        ((silhouettes / "0001", poses, raw / "o"), (), "wrong layout", "the folder that holds the ids"),
        ((silhouettes, raw / "nothing", raw / "o"), (), "--poses", "no .txt file in it"),
        ((silhouettes, poses, silhouettes / "o"), (), "--output", "lies inside --silhouettes"),
        ((silhouettes, poses, poses), (), "--output", "lies inside --poses"),
        ((silhouettes, poses, raw / "file"), (), "--output", "is a file"),
        ((silhouettes, poses, raw / "file" / "o"), (), "--output", "Not a directory"),
        ((silhouettes, poses, raw / "foreign"), (), "holds 'thesis.tex'", "new or empty folder"),
        ((silhouettes, poses, raw / "odd"), (), "prepare.jsonl", "not a journal"),
        ((silhouettes, poses, raw / "torn"), (), "prepare.json: damaged", "give another folder"),
        ((silhouettes, poses, raw / "lost"), (), "holds 'prepare.jsonl' and no prepare.json", "new or empty folder"),
        ((silhouettes, poses, raw / "o"), ("--size", "63"), "--size 63", "even"),
        ((silhouettes, poses, raw / "o"), ("--workers", "0"), "--workers 0", "1 or more"),
    ]
    for (a, b, c), options, *expected in cases:
        assert main(["prepare", "--silhouettes", str(a), "--poses", str(b), "--output", str(c), *options]) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.count("\n") == 1
        assert captured.err.startswith("opengait-ext prepare: error: ")
        for text in expected:
            assert text in captured.err
    assert (raw / "foreign" / "thesis.tex").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_cannot_be_written(raw):
    (raw / "out").mkdir(mode=0o500)
    with pytest.raises(KpstraError, match="Permission denied"):
        run(raw)


def test_two_runs_do_not_write_one_output(raw):
    with claim(raw / "out", {"kind": "exact", "size": 64}, record="prepare.json"):
        done = subprocess.run(command(raw, raw / "out"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "another run is writing" in done.stderr


def test_the_help_states_the_rules(capsys):
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    text = capsys.readouterr().out
    assert "pixel sum of at most 10000" in text and "interpolated linearly" in text
