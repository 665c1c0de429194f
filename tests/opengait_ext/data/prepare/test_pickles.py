"""The approximate alignment of OpenGait's ready pickles."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from walking_body import MISTAKES

from opengait_ext.__main__ import main
from opengait_ext.data.prepare import prepare
from opengait_ext.data.prepare.body_box import body_box_placements
from opengait_ext.data.prepare.pickles import prepare_pickles
from opengait_ext.data.prepare.poses import place, read_pose
from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINT_SETS

RAW = Path(__file__).parents[3] / "data" / "pets-mini" / "gait_raw"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The exact data set, and the same people as OpenGait's two kinds of pickles."""
    root = tmp_path_factory.mktemp("pickles")
    prepare(RAW / "2D_Silhouettes", RAW / "2D_Poses", root / "exact", workers=1)
    for folder in (root / "exact").glob("*/*/*"):
        name = folder.relative_to(root / "exact")
        poses = [read_pose(path)[0] for path in sorted((RAW / "2D_Poses" / name).iterdir())]
        poses = np.stack([np.zeros((17, 3)) if pose is None else pose for pose in poses])
        for kind, array in (("sils", load(folder / "0_sil.pkl")), ("poses", poses)):
            (root / kind / name).mkdir(parents=True)
            (root / kind / name / f"{name.name}.pkl").write_bytes(pickle.dumps(array))
    return root


def load(path):
    return pickle.loads(path.read_bytes())


def test_joints_are_near_the_exact_ones(data):
    report = prepare_pickles(data / "sils", data / "poses", data / "out", workers=1)
    assert report["kind"].startswith("approximate") and "APPROXIMATE" in report["note"]
    assert json.loads((data / "out" / "prepare_report.json").read_text()) == report
    assert report["sequences"] == 31
    errors = []
    for folder in (data / "out").glob("*/*/*"):
        exact = data / "exact" / folder.relative_to(data / "out")
        assert (folder / "0_sil.pkl").read_bytes() == (exact / "0_sil.pkl").read_bytes()
        ours, theirs = load(folder / "1_keypoints.pkl"), load(exact / "1_keypoints.pkl")
        assert ours.dtype == np.float32 and ours.shape == theirs.shape and np.isfinite(ours).all()
        sure = (ours[..., 2] >= 0.5) & (theirs[..., 2] >= 0.5)
        errors.append(np.linalg.norm(ours[sure][:, :2] - theirs[sure][:, :2], axis=-1))
    errors = np.concatenate(errors)
    print(f"mean {errors.mean():.2f}, 95 % within {np.quantile(errors, 0.95):.2f}")
    assert errors.mean() < 1.3 and np.quantile(errors, 0.95) < 2.6


def test_narrow_silhouettes_have_their_own_middle():
    poses = np.zeros((2, 17, 3))
    poses[0] = np.stack([np.full(17, 200.0), np.linspace(100, 300, 17), np.ones(17)], 1)
    placements = body_box_placements(poses, (64, 44))
    assert np.isnan(placements[1]).all()  # no confident joint
    moved = place(poses[:1], placements[:1])[0]
    np.testing.assert_allclose(moved[:, 0], 22)
    np.testing.assert_allclose([moved[:5, 1].mean(), moved[16, 1]], [0.089 * 64, 0.917 * 64])


def test_what_cannot_be_joined_is_skipped_and_reported(data, tmp_path, capsys):
    names = sorted(str(p.relative_to(data / "sils")) for p in (data / "sils").glob("*/*/*"))[:6]
    for kind in ("sils", "poses"):
        for name in names:
            (tmp_path / kind / name).mkdir(parents=True)
            (tmp_path / kind / name / "a.pkl").write_bytes(next((data / kind / name).iterdir()).read_bytes())
    poses = load(tmp_path / "poses" / names[0] / "a.pkl")
    (tmp_path / "poses" / names[0] / "a.pkl").write_bytes(pickle.dumps(poses[1:]))
    (tmp_path / "poses" / names[1] / "a.pkl").write_bytes(b"\x80\x04broken")
    (tmp_path / "poses" / names[2] / "a.pkl").unlink()
    (tmp_path / "sils" / names[3] / "a.pkl").write_bytes(pickle.dumps(np.zeros((20, 64, 64))))
    poses = load(tmp_path / "poses" / names[5] / "a.pkl")
    (tmp_path / "poses" / names[5] / "a.pkl").write_bytes(pickle.dumps(poses[2:]))
    arguments = ["--silhouettes", str(tmp_path / "sils"), "--poses", str(tmp_path / "poses"), "--output"]
    assert main(["prepare-pickles", *arguments, str(tmp_path / "out"), "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "APPROXIMATE" in out
    assert f"warning: sequences not written: 2 of 6, for example {names[0]}: unequal length: 20 silhouettes" in out
    for name in names[1:4]:
        assert f"warning: sequences not written: 1 of 6, for example {name}: " in out
    assert "warning: people of whom no sequence is written: 1 of 2: 0001\n" in out
    report = json.loads((tmp_path / "out" / "prepare_report.json").read_text())
    reasons = [report["sequences not written"].get(name, "") for name in names]
    for reason, expected in zip(
        reasons,
        ("unequal length: 20 silhouettes, 19 poses", "not a readable", "0 .pkl files", "expected uint8", "", "unequal"),
        strict=True,
    ):
        assert expected in reason and bool(expected) == bool(reason)
    assert report["sequences"] == 1
    assert main(["prepare-pickles", *arguments, str(data / "exact")]) == 2
    assert "was begun with kind 'exact'" in capsys.readouterr().err


@pytest.mark.parametrize("mistake", ["swapped", "reversed", "score first", "Human3.6M", "OpenPose"])
def test_poses_of_another_order_end_it_before_anything_is_written(data, tmp_path, mistake):
    change, cause = MISTAKES[mistake]
    names = sorted(str(p.relative_to(data / "sils")) for p in (data / "sils").glob("*/*/*"))[::6]
    for name in names:
        shutil.copytree(data / "sils" / name, tmp_path / "sils" / name)
        poses = load(next((data / "poses" / name).iterdir()))
        (tmp_path / "poses" / name).mkdir(parents=True)
        changed = np.stack([change(frame, np.zeros((64, 64))) for frame in poses])
        (tmp_path / "poses" / name / "a.pkl").write_bytes(pickle.dumps(changed))
    with pytest.raises(KpstraError, match=f"in 6 sequences looked at; .*{cause}"):
        prepare_pickles(tmp_path / "sils", tmp_path / "poses", tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("lead", "joints"), [(2, 17), (5, 17), (0, 18)])
def test_poses_after_a_size_or_a_box_and_of_18_joints(data, tmp_path, lead, joints):
    """(T, 53), (T, 56) and OpenPose's (T, 18, 3) give what (T, 17, 3) gives."""
    name = "0001/camid1_videoid0/seq0"
    shutil.copytree(data / "sils" / name, tmp_path / "sils" / name)
    poses = load(next((data / "poses" / name).iterdir()))
    if joints == 18:
        changed = np.zeros((len(poses), 18, 3))
        changed[:, list(JOINT_SETS[18].coco17)] = poses
    else:
        changed = np.concatenate([np.full((len(poses), lead), 7.0), poses.reshape(len(poses), -1)], 1)
    for kind, array in (("changed", changed), ("as_is", poses)):
        (tmp_path / kind / name).mkdir(parents=True)
        (tmp_path / kind / name / "a.pkl").write_bytes(pickle.dumps(array))
        prepare_pickles(tmp_path / "sils", tmp_path / kind, tmp_path / f"out-{kind}", workers=1)
    for file in ("0_sil.pkl", "1_keypoints.pkl"):
        changed, as_is = (tmp_path / f"out-{kind}" / name / file for kind in ("changed", "as_is"))
        assert changed.read_bytes() == as_is.read_bytes()


def test_poses_of_19_joints(data, tmp_path):
    name = "0001/camid1_videoid0/seq0"
    shutil.copytree(data / "sils" / name, tmp_path / "sils" / name)
    poses = load(next((data / "poses" / name).iterdir()))
    (tmp_path / "poses" / name).mkdir(parents=True)
    (tmp_path / "poses" / name / "a.pkl").write_bytes(pickle.dumps(np.concatenate([poses, poses[:, :2]], 1)))
    with pytest.raises(KpstraError, match=r"none of 1 sequences looked at.*\(20, 19, 3\): 19 joints; the sets"):
        prepare_pickles(tmp_path / "sils", tmp_path / "poses", tmp_path / "out", workers=1)
