"""Layouts of data sets: the examples' values, and people of another release written in each layout."""

import json
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from opengait_ext.__main__ import main
from opengait_ext.data.inspection import inspect_dataset
from opengait_ext.data.prepare import prepare
from opengait_ext.data.prepare.layouts import LAYOUTS, detect
from opengait_ext.data.prepare.layouts.casia_b import HEADER
from opengait_ext.data.prepare.layouts.pickled import plain, read_poses
from opengait_ext.data.prepare.layouts.sustech1k import in_raw_silhouettes
from opengait_ext.data.prepare.sequence import prepare_sequence
from opengait_ext.data.prepare.silhouettes import align_silhouette
from opengait_ext.data.safe_pickle import read_array
from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINT_SETS

TESTS = Path(__file__).parents[4]
EXAMPLES, RAW = TESTS / "data" / "formats", TESTS / "data" / "pets-mini" / "gait_raw"
SIZE = (980, 1280)  # of a full frame
PLACES = {  # of two people: Gait3D's names -> each layout's
    "0001/camid1_videoid0/seq0": {"grew": "0001train/00/a1", "oumvlp": "00001/00/090", "casia-b": "001/nm-01/090"},
    "0003/camid1_videoid2/seq0": {"grew": "probe/03/b2", "oumvlp": "00003/01/000", "casia-b": "003/cl-02/000"},
}


def expected(example):
    return json.loads((EXAMPLES / example / "expected.json").read_text())


def near(got, wanted, tolerance):
    wanted = np.array(wanted, float)
    there = wanted[:, 2] > 0
    np.testing.assert_allclose(got[there][:, :2], wanted[there][:, :2], atol=tolerance)
    np.testing.assert_allclose(got[:, 2], wanted[:, 2], atol=1e-6)


@pytest.mark.parametrize(
    ("example", "layout", "silhouettes", "poses"),
    [
        ("gait3d", "gait3d", "2D_Silhouettes", "2D_Poses"),
        ("oumvlp_pose", "oumvlp", "OUMVLP-raw", "AlphaPose"),
        ("casia_b_gaitgraph", "casia-b", "CASIA-B", "casia-b_pose_coco.csv"),
    ],
)
def test_examples_in_pixels_of_the_picture(example, layout, silhouettes, poses):
    """Every frame of the example reads as its expected joints, and what has none as none."""
    told, layout = expected(example), LAYOUTS[layout]
    seen = set()
    for name in layout.sequences(EXAMPLES / example / silhouettes):
        folder = layout.images(EXAMPLES / example / silhouettes, name)
        entries = layout.poses(EXAMPLES / example / poses, name)
        assert name in layout.posed(EXAMPLES / example / poses)
        for path in folder.iterdir():
            frame = path.stem if example != "casia_b_gaitgraph" else int(path.stem[-3:])
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            joints = layout.read(entries[path.stem], image)[0] if path.stem in entries else None
            wanted = told["items"].get(f"{name}/{frame}")
            seen.add(f"{name}/{frame}")
            assert (joints is None) == (wanted is None)
            if wanted is not None:
                near(joints, wanted, 0.01)
    with_pictures = {key for key, value in told["items"].items() if value is not None}
    assert with_pictures <= seen


def test_the_example_of_several_people_without_a_silhouette_there():
    """OUMVLP's frame 23 has nobody, and says so."""
    layout, folder = LAYOUTS["oumvlp"], EXAMPLES / "oumvlp_pose" / "AlphaPose"
    assert layout.read(layout.poses(folder, "00001/00/000")["0023"], np.zeros((9, 9), np.uint8)) == (None, "nobody")


def test_grews_example_by_body_box():
    told, layout, root = expected("grew"), LAYOUTS["grew"], EXAMPLES / "grew"
    assert layout.sequences(root) == ["00001train/00/AbCd1234"]
    name = "00001train/00/AbCd1234"
    entries = layout.poses(root, name)
    assert sorted(entries) == ["00001", "00002", "00003"]
    _, joints, counts = prepare_sequence(layout.images(root, name), entries, 64, layout)
    for got, (key, wanted) in zip(joints, told["items"].items(), strict=True):
        near(got, wanted, told["tolerance_px"])
        source = layout.read(entries[key[-5:]], np.zeros((64, 64)))[0]
        near(source, told["source_pixels"][key], 0.01)
    assert counts["poses no_body_box"] == 0


def test_sustech1ks_example_in_the_raw_silhouettes():
    told, folder = expected("sustech1k"), EXAMPLES / "sustech1k" / "0000" / "00-nm" / "000"
    poses = read_poses(folder / "03-000-Camera-Pose.pkl")
    moved = in_raw_silhouettes(poses, read_array(folder / "04-000-Camera-Ratios-HW.pkl"))
    for i, wanted in told["items"].items():
        near(moved[int(i)], wanted, told["tolerance_px"])
        near(poses[int(i)], told["source_pixels"][i], 0.01)
    images, joints, exact = LAYOUTS["sustech1k"].arrays(folder, folder)
    assert exact and images.shape == (3, 64, 64) and joints.shape == (3, 17, 3)


def test_ccgrs_example_by_body_box(tmp_path):
    told = expected("ccgr")
    report = prepare(EXAMPLES / "ccgr", EXAMPLES / "ccgr", tmp_path / "out", workers=1, layout="ccgr")
    joints = read_array(tmp_path / "out" / "1" / "AS1" / "180_a.avi" / "1_keypoints.pkl")
    for i, wanted in told["items"].items():
        near(joints[int(i)], wanted, told["tolerance_px"])
    assert report["kind"] == "approximate, by body box" and report["layout"] == "ccgr"
    assert report["sequences aligned by the body box"] == 1
    assert (True, report["note"]) in inspect_dataset(tmp_path / "out")


def test_pose_arrays_of_the_host():
    told = expected("opengait_pose_pickles")["items"]
    files = {path.relative_to(EXAMPLES / "opengait_pose_pickles").parts[0]: path for path in
             (EXAMPLES / "opengait_pose_pickles").rglob("*.pkl")}  # fmt: skip
    for key, wanted in told.items():
        kind, frame = key.split("/")
        near(read_poses(files[kind])[int(frame)], wanted, 0.01)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Two people as Gait3D's layout has them, and the pictures and joints of each frame."""
    root = tmp_path_factory.mktemp("people")
    frames = {}
    for name in PLACES:
        for kind in ("2D_Silhouettes", "2D_Poses"):
            shutil.copytree(RAW / kind / name, root / kind / name)
        frames[name] = []
        for path in sorted((RAW / "2D_Silhouettes" / name).iterdir())[:12]:
            pose = np.array((RAW / "2D_Poses" / name / f"{path.stem}.txt").read_text().split(","), float)[2:]
            frames[name].append((cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), pose.reshape(17, 3)))
        for kind, suffix in (("2D_Silhouettes", ".png"), ("2D_Poses", ".txt")):
            for path in sorted((root / kind / name).glob(f"*{suffix}"))[12:]:
                path.unlink()
    prepare(root / "2D_Silhouettes", root / "2D_Poses", root / "exact", workers=1)
    return root / "exact", frames


def put(folder, file, image):
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / file), image)


def arrays(root, name):
    return tuple(pickle.loads((root / name / file).read_bytes()) for file in ("0_sil.pkl", "1_keypoints.pkl"))


def in_openpose18(joints):
    result = np.zeros((18, 3))
    result[list(JOINT_SETS[18].coco17)] = joints
    return result


def write_oumvlp(root, frames):
    """With somebody else first in every frame."""
    for name, places in PLACES.items():
        identity, seq, view = places["oumvlp"].split("/")
        (root / "poses" / identity / f"{view}_{seq}").mkdir(parents=True)
        for i, (image, joints) in enumerate(frames[name]):
            put(root / "sils" / f"Silhouette_{view}-{seq}" / identity, f"{i:04d}.png", image)
            both = in_openpose18(joints + np.array([70, 50, 0])), in_openpose18(joints)
            content = {"people": [{"pose_keypoints_2d": one.ravel().tolist()} for one in both]}
            (root / "poses" / identity / f"{view}_{seq}" / f"{i:04d}_keypoints.json").write_text(json.dumps(content))
    return root / "sils", root / "poses"


def write_casia_b(root, frames):
    lines = [HEADER]
    for name, places in PLACES.items():
        place = places["casia-b"].replace("/", "-")
        for i, (image, joints) in enumerate(frames[name], 98):
            put(root / "sils" / places["casia-b"], f"{place}-{i:03d}.png", image)
            lines.append(f"./{place}/{i:06d}.jpg," + ",".join(map(repr, joints.ravel().tolist())))
    (root / "poses.csv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")  # the last frame first
    return root / "sils", root / "poses.csv"


@pytest.mark.parametrize(("layout", "write"), [("oumvlp", write_oumvlp), ("casia-b", write_casia_b)])
def test_exact_layouts_give_what_gait3ds_gives(people, tmp_path, layout, write):
    exact, frames = people
    silhouettes, poses = write(tmp_path, frames)
    report = prepare(silhouettes, poses, tmp_path / "out", workers=1, layout=layout)
    assert report["layout"] == layout and report["kind"] == "exact" and "note" not in report
    for name, places in PLACES.items():
        for ours, theirs in zip(arrays(tmp_path / "out", places[layout]), arrays(exact, name), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_grew_is_aligned_by_the_body_box(people, tmp_path):
    """Silhouettes that were made 64 x 64 before; poses in the old pixels; the gallery in the order of names."""
    exact, frames = people
    folders = {"0001/camid1_videoid0/seq0": "train/0001/a1", "0003/camid1_videoid2/seq0": "test/probe/b2"}
    for name, folder in [*folders.items(), ("0003/camid1_videoid2/seq0", "test/gallery/7/z"),
                         ("0001/camid1_videoid0/seq0", "test/gallery/7/b")]:  # fmt: skip
        for i, (image, joints) in enumerate(frames[name]):
            ready = np.empty((64, 64), np.uint8)
            align_silhouette(image, ready)
            put(tmp_path / "grew" / folder, f"{i:05d}.png", ready)
            values = [*image.shape, *joints.ravel()]
            (tmp_path / "grew" / folder / f"{i:05d}_2d_pose.txt").write_text(",".join(map(str, values)))
            (tmp_path / "grew" / folder / f"{i:05d}_3d_pose.txt").write_text("1,2,3")
    with pytest.raises(KpstraError, match=r"looks like the layout grew, .*add --layout grew"):
        prepare(tmp_path / "grew", tmp_path / "grew", tmp_path / "out", workers=1)
    report = prepare(tmp_path / "grew", tmp_path / "grew", tmp_path / "out", workers=1, layout="grew")
    assert report["sequences"] == 4 and "APPROXIMATE" in report["note"]
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").glob("*/*/*")}
    assert written == {"0001train/00/a1", "probe/03/b2", "7/01/b", "7/02/z"}
    for name, places in PLACES.items():
        ours, theirs = arrays(tmp_path / "out", places["grew"])[1], arrays(exact, name)[1]
        sure = (ours[..., 2] >= 0.5) & (theirs[..., 2] >= 0.5)
        assert np.linalg.norm((ours - theirs)[sure][:, :2], axis=-1).mean() < 1.5


@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize("crop", [True, False])
def test_sustech1k(people, tmp_path, ready, crop):
    """In the crop's pixels the joints are exact to the resolution of file 07; otherwise by body box, and said so."""
    exact, frames = people
    for name in PLACES:
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        images, joints = zip(*frames[name], strict=True)
        files = {
            "03-000-Camera-Pose": np.stack(joints) + (0 if crop else [500, 300, 0]),
            "04-000-Camera-Ratios-HW": np.array([image.shape for image in images]),
            "07-000-Camera-Sils_raw": np.stack([cv2.resize(one, (64, 64)) for one in images]),
            **({"06-000-Camera-Sils_aligned": arrays(exact, name)[0]} if ready else {}),
        }  # fmt: skip
        for file, array in files.items():
            (folder / f"{file}.pkl").write_bytes(pickle.dumps(array))
    report = prepare(tmp_path / "data", tmp_path / "data", tmp_path / "out", workers=1, layout="sustech1k")
    assert report["sequences"] == 2 and ("note" in report) != crop
    assert report["sequences aligned by the body box"] == (0 if crop else 2)
    for name in PLACES:
        ours, theirs = arrays(tmp_path / "out", name), arrays(exact, name)
        if ready:
            np.testing.assert_array_equal(ours[0], theirs[0])
        sure = (ours[1][..., 2] >= 0.5) & (theirs[1][..., 2] >= 0.5)
        errors = np.linalg.norm((ours[1] - theirs[1])[sure][:, :2], axis=-1)
        assert errors.mean() < (0.6 if crop else 2)


def test_ccpg_takes_18_joints(people, tmp_path):
    exact, frames = people
    for name in PLACES:
        for kind in ("sils", "poses"):
            (tmp_path / kind / name).mkdir(parents=True)
        silhouettes = arrays(exact, name)[0]
        (tmp_path / "sils" / name / "1-aligned-sils.pkl").write_bytes(pickle.dumps(silhouettes))
        (tmp_path / "sils" / name / "1-sils.pkl").write_bytes(pickle.dumps(silhouettes[:, :9]))
        poses = np.stack([in_openpose18(joints) for _, joints in frames[name]])
        (tmp_path / "poses" / name / "1.pkl").write_bytes(pickle.dumps(poses))
    assert detect(tmp_path / "sils")[0] is LAYOUTS["ccpg"]
    report = prepare(tmp_path / "sils", tmp_path / "poses", tmp_path / "out", workers=1, layout="ccpg")
    assert report["sequences"] == 2 and report["layout"] == "ccpg"
    assert report["of these on the body"] > 0.9 * report["confident joints checked"] > 0


@pytest.mark.parametrize(
    ("layout", "folder"),
    [
        ("gait3d", "gait3d/2D_Silhouettes"),
        ("grew", "grew"),
        ("oumvlp", "oumvlp_pose/OUMVLP-raw"),
        ("casia-b", "casia_b_gaitgraph/CASIA-B"),
        ("sustech1k", "sustech1k"),
        ("ccgr", "ccgr"),
    ],
)
def test_a_wrong_layout_ends_in_one_line_that_says_what_was_found(tmp_path, capsys, layout, folder):
    assert detect(EXAMPLES / folder)[0] is LAYOUTS[layout]
    for other in {*LAYOUTS} - {layout}:
        if (layout, other) == ("casia-b", "gait3d"):
            continue  # with poses of Gait3D's kind, which nobody can see from the silhouettes
        options = ["--silhouettes", str(EXAMPLES / folder), "--poses", str(EXAMPLES / folder), "--layout", other]
        assert main(["prepare", *options, "--output", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and f"--layout {layout}" in said and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [("nose_x,nose_y", "line 1: expected image_name"), (f"{HEADER}\n001/7.jpg,1", "line 2: '001/7.jpg,1': expected")],
)
def test_other_tables_than_gaitgraphs(people, tmp_path, line, said):
    silhouettes, poses = write_casia_b(tmp_path, people[1])
    poses.write_text(f"{line}\n")
    with pytest.raises(KpstraError, match=said):
        prepare(silhouettes, poses, tmp_path / "out", workers=1, layout="casia-b")


def test_arrays_that_are_no_poses(tmp_path):
    for kind, array in (("sils", np.zeros((4, 64, 64), np.uint8)), ("poses", np.zeros((4, 52)))):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "a.pkl").write_bytes(pickle.dumps(array))
    with pytest.raises(KpstraError, match=r"poses: \(4, 52\), expected \(T, 17, 3\)"):
        plain(tmp_path / "sils", tmp_path / "poses")
    (tmp_path / "poses" / "a.pkl").write_bytes(pickle.dumps(np.zeros((4, 19, 3))))
    with pytest.raises(KpstraError, match="19 joints; the sets that become COCO's 17"):
        plain(tmp_path / "sils", tmp_path / "poses")
