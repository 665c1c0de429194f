"""Raw folders with broken images and poses: every frame is kept, dropped or filled in by a rule, and counted."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengait_ext.data.prepare import prepare
from opengait_ext.data.prepare.poses import fill_absent
from opengait_ext.data.prepare.release import prepare_one
from opengait_ext.data.safe_pickle import read_array
from plugins.errors import KpstraError

IMAGES = "raw silhouettes: truncated, empty, damaged, zero-area, wrong depth, no file"
POSES = "raw poses: truncated, empty, NaN, infinite, all absent, far outside, no file"
RAW = Path(__file__).parents[1] / "data" / "pets-mini" / "gait_raw"
NAME = "0001/camid1_videoid0"
FRAMES = 5


def png(image):
    return cv2.imencode(".png", image)[1].tobytes()


IMAGE_FAULTS = {  # the file that is put there, and the rule by which the frame goes (None: it stays)
    "empty": (lambda data: b"", "unreadable"),
    "cut": (lambda data: data[: len(data) // 2], "unreadable"),
    "end missing": (lambda data: data[:-6], "unreadable"),
    "byte changed": (lambda data: data[:90] + bytes([data[90] ^ 85]) + data[91:], "unreadable"),
    "no image": (lambda data: b"text" * 50, "unreadable"),
    "zero area": (lambda data: png(np.zeros((100, 50), np.uint8)), "nearly_empty"),
    "one pixel": (lambda data: png(np.full((1, 1), 255, np.uint8)), "nearly_empty"),
    "colours": (lambda data: png(np.full((100, 50, 3), 200, np.uint8)), None),
    "16 bits": (lambda data: png(np.full((100, 50), 60000, np.uint16)), None),
    "slim": (lambda data: png(np.pad(np.full((3000, 10), 255, np.uint8), 1)), "no_centre"),
    "folder": (None, "unreadable"),
}
POSE_FAULTS = {  # the text that is put there, and whether every joint then counts as absent
    "empty": (lambda v: "", True),
    "cut": (lambda v: ",".join(v[:9]), True),
    "one value more": (lambda v: ",".join([*v, "1"]), True),
    "NaN": (lambda v: ",".join([*v[:2], *["nan"] * 51]), True),
    "infinite": (lambda v: ",".join([*v[:2], *["-inf"] * 51]), True),
    "words": (lambda v: ",".join([*v[:5], "x", *v[6:]]), True),
    "all zero": (lambda v: ",".join(["0"] * 53), True),
    "all scores 0": (lambda v: ",".join(x if i % 3 != 1 or i < 2 else "0" for i, x in enumerate(v)), True),
    "far outside": (lambda v: ",".join([*v[:2], *["1e9", "-1e9", "0.9"] * 17]), True),
    "beyond float32": (lambda v: ",".join([*v[:2], *["1e300", "1e300", "1"] * 17]), True),
    "no file": (None, True),
    "bytes": (lambda v: "\0\x01", True),
    "spaces": (lambda v: "  ".join(v), False),
}


@pytest.fixture
def raw(tmp_path):
    """A sequence of a few frames under a path that is not ASCII; returns its two folders."""

    def copy():
        shutil.rmtree(tmp_path / "räw 原", ignore_errors=True)
        folders = []
        for kind, suffix in (("2D_Silhouettes", ".png"), ("2D_Poses", ".txt")):
            source = sorted((RAW / kind / NAME).iterdir())[0]
            folder = tmp_path / "räw 原" / kind / NAME / source.name
            folder.mkdir(parents=True)
            for path in sorted(source.glob(f"*{suffix}"))[:FRAMES]:
                shutil.copy(path, folder)
            folders.append(folder)
        return folders

    return copy


@given(
    images=st.dictionaries(st.integers(0, FRAMES - 1), st.sampled_from(sorted(IMAGE_FAULTS))),
    poses=st.dictionaries(st.integers(0, FRAMES - 1), st.sampled_from(sorted(POSE_FAULTS))),
)
def test_frames_with_faults(raw, tmp_path, record, images, poses):
    """Both files have the frames that are left; a bad image drops its frame, a bad pose makes its joints absent."""
    silhouettes, joints = raw()
    for frame, fault in images.items():
        path, (change, _) = sorted(silhouettes.iterdir())[frame], IMAGE_FAULTS[fault]
        data = path.read_bytes()
        path.unlink()
        path.mkdir() if change is None else path.write_bytes(change(data))
        record(IMAGES, "stated rule: frame kept" if IMAGE_FAULTS[fault][1] is None else "stated rule: dropped, counted")
    paths = sorted(joints.iterdir())
    for frame, fault in poses.items():
        change = POSE_FAULTS[fault][0]
        values = paths[frame].read_text().replace(",", " ").split()
        paths[frame].unlink() if change is None else paths[frame].write_text(change(values))
        record(POSES, "stated rule: joints absent, filled in, counted" if POSE_FAULTS[fault][1] else "read")
    rules = {frame: IMAGE_FAULTS[fault][1] for frame, fault in images.items()}
    dropped = [frame for frame, rule in rules.items() if rule]
    root = tmp_path / "räw 原"
    counts, partial = prepare_one(
        root / "2D_Silhouettes", root / "2D_Poses", tmp_path / "öut", 64, f"{NAME}/{silhouettes.name}"
    )
    assert counts["frames"] == FRAMES - len(dropped)
    for rule in ("unreadable", "nearly_empty", "no_centre"):
        assert counts.get(f"frames {rule}", 0) == sum(r == rule for r in rules.values())
    if partial is None:
        assert len(dropped) == FRAMES
        return
    written = [read_array(path) for path in sorted(partial.iterdir())]
    shutil.rmtree(partial)
    assert [len(array) for array in written] == [counts["frames"]] * 2
    keypoints = written[1]
    assert np.isfinite(keypoints).all() and (np.abs(keypoints[..., :2] - 32) <= 128).all()
    bad = [frame for frame, fault in poses.items() if POSE_FAULTS[fault][1] and frame not in dropped]
    kept = [frame for frame in range(FRAMES) if frame not in dropped]
    assert all((keypoints[kept.index(frame), :, 2] == 0).all() for frame in bad)
    assert counts["joints absent"] >= 17 * len(bad)


@given(
    values=st.lists(st.tuples(*[st.floats(width=32)] * 3), min_size=17, max_size=17),
    frames=st.integers(1, 4),
    size=st.sampled_from([(64, 64), (64, 44), (16, 16)]),
)
def test_any_joints_become_finite(record, values, frames, size):
    """Whatever numbers come: finite float32 places near the image, score 0 where the joint is absent."""
    joints = np.tile(np.array(values, np.float64), (frames, 1, 1))
    filled, absent = fill_absent(joints, size)
    assert filled.shape == (frames, 17, 3) and filled.dtype == np.float32 and np.isfinite(filled).all()
    low, high = -np.float32([size[1], size[0]]), 2 * np.float32([size[1], size[0]])
    assert (filled[..., :2] >= low).all() and (filled[..., :2] <= high).all()
    assert absent == (filled[..., 2] == 0).sum()
    record(POSES, "stated rule: joints absent, filled in, counted" if absent else "read")


def test_a_frame_width_outside_is_the_limit():
    joints = np.full((1, 17, 3), 30.0)
    joints[0, :4, 0] = -64, -64.5, 128, 128.5
    filled, absent = fill_absent(joints, (64, 64))
    assert absent == 2 and (filled[0, :4, 2] > 0).tolist() == [True, False, True, False]


def test_one_frame(raw, tmp_path, record):
    for folder in raw():
        for path in sorted(folder.iterdir())[1:]:
            path.unlink()
    root = tmp_path / "räw 原"
    report = prepare(root / "2D_Silhouettes", root / "2D_Poses", tmp_path / "öut", workers=1)
    assert report["frames"] == 1
    record("sequences of one frame, and of 3000", "prepared and read back")


@pytest.mark.parametrize(
    "change",
    [
        {"size": 63},
        {"size": 0},
        {"size": -2},
        {"size": 10**6},
        {"workers": 0},
        {"workers": -1},
        {"silhouettes": "missing"},
        {"poses": "missing"},
        {"silhouettes": "2D_Poses"},
        {"poses": "2D_Silhouettes"},
        {"output": "2D_Poses"},
        {"output": "2D_Poses/inside"},
        {"output": "file"},
        {"silhouettes": "file"},
        {"silhouettes": "2D_Silhouettes/0001"},
        {"poses": "."},
    ],
)
def test_wrong_arguments(raw, tmp_path, record, change):
    raw()
    root = tmp_path / "räw 原"
    (root / "file").write_text("")
    arguments = {"silhouettes": "2D_Silhouettes", "poses": "2D_Poses", "output": "../öut", "size": 64, "workers": 1}
    arguments |= change
    for name in ("silhouettes", "poses", "output"):
        arguments[name] = root / arguments[name]
    before = sorted(root.rglob("*"))
    with pytest.raises(KpstraError) as caught:
        prepare(**arguments)
    assert f"--{next(iter(change))}" in str(caught.value) or "--poses" in str(caught.value)
    assert sorted(root.rglob("*")) == before and not list((tmp_path / "öut").rglob("*.pkl"))
    record("prepare: wrong folders and options", "error names the option, nothing written")


def test_all_frames_of_a_huge_sequence(tmp_path, record):
    """3000 frames in one sequence, prepared and read back."""
    silhouettes, poses = (tmp_path / kind / "0001" / "camid0_videoid0" / "seq0" for kind in ("sil", "pose"))
    silhouettes.mkdir(parents=True)
    poses.mkdir(parents=True)
    image = np.zeros((40, 24), np.uint8)
    image[4:36, 6:18] = 255
    encoded = cv2.imencode(".png", image)[1].tobytes()
    pose = ",".join(["0", "0", *["12", "20", "0.9"] * 17])
    for frame in range(3000):
        (silhouettes / f"{frame:05d}.png").write_bytes(encoded)
        (poses / f"{frame:05d}.txt").write_text(pose)
    prepare(tmp_path / "sil", tmp_path / "pose", tmp_path / "out", workers=1)
    read = [read_array(path) for path in sorted((tmp_path / "out").rglob("*.pkl"))]
    assert [array.shape for array in read] == [(3000, 64, 64), (3000, 17, 3)]
    record("sequences of one frame, and of 3000", "prepared and read back")
