"""Keypoint files of every format: the examples' values, how people are chosen, one error for what cannot be read."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from plugins.errors import KpstraError
from plugins.keypoints import FORMATS, read, write
from plugins.keypoints.joints import COCO17

EXAMPLES = Path(__file__).parents[2] / "data" / "formats"
GAIT = {"casia_b_gaitgraph", "ccgr", "gait3d", "grew", "opengait_pose_pickles", "oumvlp_pose", "sustech1k"}
NAMES = sorted({path.parent.name for path in EXAMPLES.glob("*/expected.json")} - GAIT)
BODY = np.stack([np.linspace(10, 50, 17), np.linspace(5, 120, 17), np.full(17, 0.9)], 1)
SHIFT = np.array([3, 2, 0])
ignoring_others = pytest.mark.filterwarnings("ignore:.*expected.json:UserWarning")


def flat(joints):
    return np.asarray(joints).ravel().tolist()


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@ignoring_others
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_examples_have_their_expected_values(name, told):
    """Values and names; ``null`` is an image without a person, in which all joints are absent."""
    expected = json.loads((EXAMPLES / name / "expected.json").read_text())
    folder = EXAMPLES / name / ("labels" if name == "ultralytics" else "")
    size = (128, 64) if name in ("ultralytics", "mediapipe33") else None
    found = read(folder, name if told else None, size)
    for image, joints in expected["items"].items():
        joints = np.zeros_like(found[image]) if joints is None else joints
        np.testing.assert_allclose(found[image], joints, atol=expected["tolerance_px"])
    assert {*found} - {*expected["items"]} == ({"demo/0001_c1s1_000001_00"} if name == "mmpose" else set())


@pytest.mark.parametrize(
    ("path", "name"), [("predictions.json", "0001_c1s1_000001_00"), ("tojson", "0001_c1s1_000001_00")]
)
def test_the_other_files_of_ultralytics(path, name):
    expected = json.loads((EXAMPLES / "ultralytics" / "expected.json").read_text())["items"]
    np.testing.assert_allclose(read(EXAMPLES / "ultralytics" / path)[name], expected[name], atol=0.01)


def test_a_face_in_insightfaces_list_alone():
    found = read(EXAMPLES / "insightface_lst" / "unaligned.lst")
    assert (
        found["000001.jpg"].tolist()
        == read(EXAMPLES / "insightface_lst" / "ijbx_name_5pts_score.txt")["000001.jpg"].tolist()
    )


@pytest.mark.parametrize("folder", ["", "external_annotation", "external_annotation/pifpaf"])
def test_annotations_are_named_as_their_images_wherever_reading_begins(tmp_path, folder):
    put(tmp_path, "external_annotation/pifpaf/whole/1_2.tif_keypoints.json", [{"keypoints": flat(BODY)}])
    (tmp_path / "whole" / "1").mkdir(parents=True)
    (tmp_path / "whole" / "1" / "1_2.tif").touch()
    assert list(read(tmp_path / folder)) == ["whole/1/1_2.tif"]


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [({}, {}, 0), ({}, {"is_target": True}, 1), ({"is_target": False}, {"is_target": False}, 0)],
)
def test_the_target_of_an_annotation(tmp_path, first, second, chosen):
    people = [BODY, BODY + SHIFT]
    skeletons = [{"keypoints": flat(p), **more} for p, more in zip(people, (first, second), strict=True)]
    found = read(put(tmp_path, "a.jpg_keypoints.json", skeletons))
    np.testing.assert_allclose(found["a.jpg"], people[chosen])


def test_of_people_without_scores_the_one_with_the_most_confident_joints_counts(tmp_path):
    people = [BODY * [1, 1, 0.5], BODY + SHIFT]
    content = {"people": [{"pose_keypoints_2d": flat(p[[0] * 18])} for p in people]}
    assert read(put(tmp_path, "a_keypoints.json", content))["a"][0].tolist() == people[1][0].tolist()


def test_a_track_is_no_confidence(tmp_path):
    """Ultralytics writes it without save_conf; with one person it does not matter, and a confidence of 1 is one."""

    def read_labels(*extras):
        rows = [[0, 0.5, 0.5, 1, 1, *flat((BODY + i * SHIFT) / [64, 128, 1]), *extra] for i, extra in enumerate(extras)]
        (tmp_path / "a.txt").write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
        return read(tmp_path / "a.txt", size=(128, 64))["a"]

    np.testing.assert_allclose(read_labels([7]), BODY)
    np.testing.assert_allclose(read_labels([0.9, 9], [0.4, 7]), BODY)
    np.testing.assert_allclose(read_labels([0.9], [1]), BODY + SHIFT)
    with pytest.raises(
        KpstraError, match=r"a\.txt: 2 people, each with a whole number behind its joints, which is a track"
    ):
        read_labels([7], [9])


@pytest.mark.parametrize("spelling", [[0, 0, 0], [0, 0, 0.7], [-1, -1, 1], [None, None, 0.9], [8, 9, 0], [8, 9, -0.1]])
def test_absent_joints_in_every_spelling(tmp_path, spelling):
    joints = BODY.tolist()
    joints[9] = spelling
    found = read(put(tmp_path, "k.json", {"a.jpg": joints}))["a.jpg"]
    assert not found[9].any() and found[[*range(9), *range(10, 17)], 2].all()


def test_joints_outside_the_image_stay(tmp_path):
    found = read(put(tmp_path, "k.json", {"a.jpg": (BODY - [30, 0, 0]).tolist()}))["a.jpg"]
    assert found[0, 0] == -20


def test_shares_become_pixels_where_the_size_is_known(tmp_path):
    path = put(tmp_path, "k.json", {"q/a.jpg": (BODY / [64, 128, 1]).tolist()})
    for size in ((128, 64), lambda name: {"q/a.jpg": (128, 64)}[name]):
        np.testing.assert_allclose(read(path, size=size)["q/a.jpg"], BODY)
    with pytest.raises(KpstraError, match=r"k\.json: q/a\.jpg: x and y are shares of the image, whose size"):
        read(path)


def test_one_file_of_shares_among_files_of_pixels_is_not_taken_for_shares(tmp_path):
    """A joint or two near the corner do not make shares."""
    corner = np.zeros((17, 3))
    corner[0] = [0.5, 0.5, 1]
    put(tmp_path, "a_keypoints.json", [{"keypoints": flat(corner)}])
    put(tmp_path, "b_keypoints.json", [{"keypoints": flat(BODY)}])
    assert read(tmp_path)["a"][0].tolist() == [0.5, 0.5, 1]


def test_columns_named_after_joints(tmp_path):
    joints = read(EXAMPLES / "alphapose_coco17" / "alphapose-results.json")["0001_c1s1_000001_00.jpg"]
    header = ["image_name", *(f"{joint}_{axis}" for joint in COCO17 for axis in ("x", "y", "conf"))]
    path = put(tmp_path, "k.csv", f"{','.join(header)}\n./q/a.jpg,{','.join(map(str, flat(joints)))}\n")
    np.testing.assert_allclose(read(path)["q/a.jpg"], joints)


def test_a_compact_file_comes_back(tmp_path):
    people = {"q/a.jpg": BODY, "ü.png": np.zeros((17, 3))}
    write(tmp_path / "k.npz", people)
    found = read(tmp_path / "k.npz")
    assert list(found) == list(people)
    np.testing.assert_allclose(found["q/a.jpg"], BODY, rtol=1e-6)
    with pytest.raises(KpstraError, match="joints of the shapes"):
        write(tmp_path / "k.npz", {"a": BODY, "b": BODY[:5]})


def test_absolute_names_begin_below_the_folder_of_all(tmp_path):
    content = [{"image_id": f"/home/me/{name}", "keypoints": flat(BODY), "score": 1} for name in ("q/a.jpg", "g/b.jpg")]
    assert list(read(put(tmp_path, "r.json", content))) == ["q/a.jpg", "g/b.jpg"]


@pytest.mark.parametrize("names", [["anna/cam1/walk1", "bob/cam1/walk1"], ["anna/cam1/walk1", "emma/cam1/walk1"]])
def test_only_the_leading_folders_of_all_are_taken_off(tmp_path, names):
    """Folders that are equal further down are of each image's own."""
    content = [{"image_id": f"/rec/{name}/1.png", "keypoints": flat(BODY), "score": 1} for name in names]
    assert list(read(put(tmp_path, "r.json", content))) == [f"{name}/1.png" for name in names]
    rows = (f"1\tms1m/{name}/1.jpg\t0\t" + "\t".join("0 0 9 9 1 2 3 4 5 6 7 8 9 10".split()) for name in names)
    assert list(read(put(tmp_path, "faces.lst", "\n".join(rows)))) == [f"{name}/1.jpg" for name in names]


def annotations(*names):
    return {"images": [{"id": number, "file_name": name} for number, name in enumerate(names, 1)]}


def test_numbers_that_annotation_files_name_differently(tmp_path):
    """Neither file is taken; a file that names the same images alike, or not all of them, is no matter."""
    numbered = [{"image_id": number, "keypoints": flat(BODY), "score": 1} for number in (1, 2)]
    results = put(tmp_path, "r.json", numbered)
    put(tmp_path, "b_query.json", annotations("q1.jpg", "q2.jpg"))
    put(tmp_path, "b_query_more.json", annotations("q1.jpg", "q2.jpg", "q3.jpg"))
    put(tmp_path, "a_one.json", annotations("g1.jpg"))
    put(tmp_path, "a_other.json", {"images": [{"id": [1]}]})
    assert list(read(results)) == ["q1.jpg", "q2.jpg"]
    put(tmp_path, "a_gallery.json", annotations("q1.jpg", "g2.jpg", "g3.jpg"))
    told = r"r\.json: .*: a_gallery\.json, b_query\.json, b_query_more\.json, image 2 is 'g2\.jpg' or 'q2\.jpg'; leave"
    with pytest.raises(KpstraError, match=told):
        read(results)


HEAD = "path,kp_0_x,kp_0_y"
BROKEN = {
    "empty.json": ("", "damaged, or not JSON"),
    "cut.json": ('[{"image_id": "a", "keypoints": [1, 2', "damaged, or not JSON"),
    "deep.json": ("[" * 100_000, "damaged, or not JSON"),
    "list.json": ([1, 2], "no keypoints of a known format: kpr, coco_results"),
    "text.json": ('"x"', "no keypoints of a known format"),
    "other.json": ({"TRAIN_SET": ["0001"]}, "no keypoints of a known format"),
    "annotations.json": ({"images": [{"id": 1, "file_name": "a.jpg"}]}, "no keypoints of a known format"),
    "sixteen.json": ([{"keypoints": [1.0] * 48}], "16 joints; the sets that become COCO's 17 have 17, 18"),
    "fifty.json": ([{"keypoints": [1.0] * 50}], "50 values of shape .*expected x, y, score of each joint"),
    "words.json": ([{"keypoints": ["x"] * 51}], "expected numbers"),
    "ragged.json": ([{"keypoints": [[1, 2, 3], [1, 2]]}], "expected numbers"),
    "far.json": ([{"keypoints": [1e9] * 51}], "no pixel and no score is that large"),
    "infinite.json": ('[{"keypoints": [' + "Infinity, " * 50 + "1]}]", "no pixel and no score"),
    "huge.json": ([{"keypoints": [10**400] * 51}], "expected numbers"),
    "numbered.json": ([{"image_id": 3, "keypoints": [1.0] * 51, "score": 1}], r"images are numbered \(3\)"),
    "id.json": ([{"image_id": [3], "keypoints": [1.0] * 51}], r"detection 0: image_id \[3\]"),
    "nameless.json": ([{"image_id": "", "keypoints": [1.0] * 51}], "'': expected the name of an image"),
    "scores.json": ([{"keypoints": [[1, 2]] * 17, "keypoint_scores": [1] * 16}], "do not agree"),
    "video.json": ([{"frame_id": 0, "instances": []}], "frames of a video have no names"),
    "person.json": ({"people": [{}]}, "a person without pose_keypoints_2d"),
    "lengths.json": ([{"keypoints": {"x": [1], "y": [1, 2]}}], "not of one length"),
    "minus.json": ({"a": (BODY / 60 - [0.9, 0, 0])[:, :].clip(-1, 1).tolist()}, "within -1 and 1"),
    "empty.csv": ("", "no keypoints of a known format"),
    "cells.csv": (f"{HEAD}\na.jpg,1\n", "line 2: expected 3 cells"),
    "word.csv": (f"{HEAD}\na.jpg,x,1\n", "line 2: kp_0_x: 'x': expected a number"),
    "one.csv": (f"{HEAD}\na.jpg,1,1\n", "line 2: 1 joints"),
    "points.csv": ("idx,ldmk_0,ldmk_9\n0,1,2\n", "line 2: 2 values: expected five points"),
    "words.txt": ("hello\n", "no keypoints of a known format"),
    "face.txt": ("# a.jpg\n1 2 3\n", "line 2: 3 values: expected 4, 19 or 20"),
    "celeba.txt": ("2\nlefteye_x x\na.jpg 1 2 3 4 5 6 7 8 9 10\n", "1 images, but the first line says 2"),
    "label.txt": (" ".join(["0"] * 60), "line 1: 60 values: expected a class, a box and 17 joints"),
    "empty.npz": ("", "damaged, or of another kind"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_end_in_one_error_that_names_the_file(tmp_path, name):
    content, message = BROKEN[name]
    with pytest.raises(KpstraError, match=rf"{name}.*{message}") as error:
        read(put(tmp_path, name, content))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".json", ".csv", ".txt", ".lst", ".npz"])
def test_random_bytes(tmp_path, suffix):
    path = tmp_path / f"k{suffix}"
    path.write_bytes(b"\xff\xfe\x00" + np.random.default_rng(0).bytes(300))
    with pytest.raises(KpstraError, match="k\\" + suffix):
        read(path)


class Evil:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize(
    "arrays",
    [
        {"names": np.array([Evil()], object), "keypoints": BODY[None]},
        {"names": np.array(["a"])},
        {"names": np.array(["a", "b"]), "keypoints": BODY[None]},
        {"names": np.array(["a", "a"]), "keypoints": np.stack([BODY, BODY])},
        {"names": np.array([1]), "keypoints": BODY[None]},
        {"names": np.array(["a"]), "keypoints": BODY[None] * np.nan},
        {"names": np.array(["a"]), "keypoints": BODY[None, :16]},
    ],
)
def test_hostile_compact_files(tmp_path, monkeypatch, arrays):
    monkeypatch.chdir(tmp_path)
    np.savez("k.npz", **arrays)
    with pytest.raises(KpstraError, match=r"k\.npz"):
        read("k.npz")
    Path("p.npz").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(KpstraError, match=r"p\.npz"):
        read("p.npz")
    assert not Path("ran").exists()


def test_a_name_with_two_poses_is_refused(tmp_path):
    put(tmp_path, "a_keypoints.json", [{"keypoints": flat(BODY)}])
    put(tmp_path, "k.json", {"a": BODY.tolist()})
    assert list(read(tmp_path)) == ["a"]  # the same twice
    put(tmp_path, "k.json", {"a": (BODY + 1).tolist()})
    with pytest.raises(KpstraError, match=r"a: other keypoints in .*a_keypoints\.json and in .*k\.json"):
        read(tmp_path)


def test_a_row_twice_is_refused(tmp_path):
    table = (EXAMPLES / "sapiensid" / "kps_22_xyn.csv").read_text().splitlines()
    with pytest.raises(KpstraError, match=r"line 5: query/0001_c1s1_000001_00.jpg is there twice"):
        read(put(tmp_path, "k.csv", "\n".join([*table, table[1]])), size=(128, 64))


def test_bodies_and_faces_do_not_mix(tmp_path):
    put(tmp_path, "k.json", {"a": BODY.tolist()})
    put(tmp_path, "l.txt", (EXAMPLES / "celeba" / "list_landmarks_align_celeba.txt").read_text())
    with pytest.raises(KpstraError, match="bodies and faces"):
        read(tmp_path)


def test_other_files_of_a_folder_are_told(tmp_path):
    put(tmp_path, "a_keypoints.json", [{"keypoints": flat(BODY)}])
    put(tmp_path, "settings.json", {"lr": 1})
    with pytest.warns(UserWarning, match="1 files of other kinds are left out: settings.json"):
        assert list(read(tmp_path)) == ["a"]


@pytest.mark.parametrize(
    ("format", "message"), [("openpos", "did you mean 'openpose'"), ("mmpose", "no keypoints of the format mmpose")]
)
def test_a_wrong_format(tmp_path, format, message):
    with pytest.raises(KpstraError, match=message):
        read(put(tmp_path, "a_keypoints.json", [{"keypoints": flat(BODY)}]), format)


def test_nothing_there(tmp_path):
    with pytest.raises(KpstraError, match="gone: no such file or folder"):
        read(tmp_path / "gone")
    with pytest.raises(KpstraError, match=r"no \.json, \.csv.* file in this folder"):
        read(tmp_path)


@ignoring_others
def test_progress_sees_every_file():
    seen = []
    read(EXAMPLES / "openpose_body25", "openpose", progress=lambda files: seen.extend(files) or files)
    assert len(seen) == 4


def test_every_format_has_an_example():
    assert {*FORMATS} - {*NAMES} == {"openpose", "alphapose", "names", "csv", "kpstra"}
