"""The shipped pedestrians written as each data set's release: a few frames a sequence, under names of its own."""

import json
import pickle
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from gait_protocols import CASIA_B, CCPG, SUSTECH1K

from opengait_ext.data.prepare.layouts.casia_b import HEADER
from opengait_ext.data.prepare.silhouettes import align_silhouette
from plugins.keypoints.joints import JOINT_SETS

RAW = Path(__file__).parents[1] / "data" / "pets-mini" / "gait_raw"
FRAMES = 3
NAMES = {  # of the prepared sequences: people to train on, and people to test with
    "gait3d": ([*product("ab", ("camid0_videoid0", "camid1_videoid0"), ("seq0",))],
               [*product("cde", [f"camid{i}_videoid0" for i in range(5)], ("seq0",))]),
    "grew": ([(f"{i:05d}train", "00", f"{i}{seq}") for i in (1, 2) for seq in "ab"],
             [(f"{i:05d}", kind, f"{i}{kind}") for i in range(1, 22) for kind in ("01", "02")]
             + [("probe", "03", f"p{i}") for i in range(2)]),
    "oumvlp": ([*product(("00001", "00003"), ("00", "01"), ("000", "090"))],
               [*product(("00002", "00004", "00006"), ("00", "01"), ("000", "090"))]),
    "casia-b": ([*product(("001", "002"), ("nm-01", "nm-02"), ("000", "090"))],
                [*product(("075", "076"), CASIA_B, ("000", "090"))]),
    "sustech1k": ([*product(("0000", "0002"), ("00-nm", "01-nm"), ("000", "090"))],
                  [*product([f"000{i}" for i in (1, 3, 4, 5, 6)], SUSTECH1K, ("000", "090"))]),
    "ccpg": ([*product(("000", "001"), ("U0_D0", "U1_D1"), ("0_1", "1_1"))],
             [*product([str(i) for i in range(100, 105)], CCPG, ("0_1", "1_1"))]),
    "ccgr": ([*product("12", ("CL1", "BG1"), ("0_1.avi", "45_1.avi"))],
             [*product(("601", "602", "603"), ("CL1", "BG1", "NM1"), ("0_1.avi", "45_1.avi"))]),
}  # fmt: skip


def release(layout: str, root: Path) -> tuple[Path, Path]:
    """Write a release and ``partition.json`` below ``root``; return what ``--silhouettes`` and ``--poses`` are."""
    train, test = (["/".join(name) for name in names] for names in NAMES[layout])
    for number, name in enumerate((*train, *test)):
        person = sorted({one.split("/")[0] for one in (*train, *test)}).index(name.split("/")[0])
        WRITERS[layout](root, name, frames_of(5 * person + number))
    if layout == "casia-b":
        (root / "poses.csv").write_text("\n".join([HEADER, *LINES.pop(root)]) + "\n")
    people = [list(dict.fromkeys(name.split("/")[0] for name in names)) for names in (train, test)]
    joined = ["-".join(name.split("/")) for name in test]
    gallery = [name for i, name in enumerate(joined) if i % 4]
    sets = {"TRAIN_SET": people[0], "TEST_SET": people[1], "PROBE_SET": joined[::5], "GALLERY_SET": gallery}
    (root / "partition.json").write_text(json.dumps(sets))
    poses = {"gait3d": "poses", "oumvlp": "poses", "casia-b": "poses.csv", "ccpg": "poses"}.get(layout, "sils")
    return root / "sils", root / poses


def frames_of(number: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Some frames of a sequence: silhouettes (h, w), and joints (17, 3) in their pixels."""
    sources = sorted(path.relative_to(RAW / "2D_Poses") for path in RAW.glob("2D_Poses/*/*/*"))
    source = sources[number % len(sources)]
    files = sorted((RAW / "2D_Poses" / source).iterdir())
    found = []
    for file in (files[(number + i) % len(files)] for i in range(FRAMES)):
        image = cv2.imread(str(RAW / "2D_Silhouettes" / source / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE)
        found.append((image, np.array(file.read_text().split(","), float)[2:].reshape(17, 3)))
    return found


def _picture(folder: Path, file: str, image: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / file), image)


def _text(path: Path, size: tuple[int, ...], joints: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(",".join(map(str, [*size, *joints.ravel()])))


def _arrays(folder: Path, **arrays: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        (folder / f"{name.replace('__', '-')}.pkl").write_bytes(pickle.dumps(array))


def _ready(image: np.ndarray) -> np.ndarray:
    out = np.empty((64, 64), np.uint8)
    align_silhouette(image, out)
    return out


def _stacked(frames: list) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([_ready(image) for image, _ in frames]), np.stack([joints for _, joints in frames])


def _gait3d(root: Path, name: str, frames: list) -> None:
    for i, (image, joints) in enumerate(frames, 9):
        _picture(root / "sils" / name, f"f{i}.png", image)
        _text(root / "poses" / name / f"f{i}.txt", image.shape[::-1], joints)


def _grew(root: Path, name: str, frames: list) -> None:
    identity, kind, seq = name.split("/")
    folders = {"00": f"train/{identity.removesuffix('train')}/{seq}", "03": f"test/probe/{seq}"}
    folder = root / "sils" / folders.get(kind, f"test/gallery/{identity}/{seq}")
    for i, (image, joints) in enumerate(frames, 1):
        _picture(folder, f"{i:05d}.png", _ready(image))
        _text(folder / f"{i:05d}_2d_pose.txt", image.shape, joints)


def _oumvlp(root: Path, name: str, frames: list) -> None:
    identity, seq, view = name.split("/")
    folder = root / "poses" / identity / f"{view}_{seq}"
    folder.mkdir(parents=True)
    for i, (image, joints) in enumerate(frames):
        _picture(root / "sils" / f"Silhouette_{view}-{seq}" / identity, f"{i:04d}.png", image)
        pose = np.zeros((18, 3))
        pose[list(JOINT_SETS[18].coco17)] = joints
        content = {"people": [{"pose_keypoints_2d": pose.ravel().tolist()}]}
        (folder / f"{i:04d}_keypoints.json").write_text(json.dumps(content))


LINES: dict[Path, list[str]] = {}  # of GaitGraph's table that is being written


def _casia_b(root: Path, name: str, frames: list) -> None:
    place = name.replace("/", "-")
    for i, (image, joints) in enumerate(frames, 98):
        _picture(root / "sils" / name, f"{place}-{i:03d}.png", image)
        row = ",".join(map(repr, joints.ravel().tolist()))
        LINES.setdefault(root, []).append(f"./{place}/{i:06d}.jpg,{row}")


def _sustech1k(root: Path, name: str, frames: list) -> None:
    images, joints = zip(*frames, strict=True)
    _arrays(
        root / "sils" / name,
        **{
            "03-000-Camera-Pose": np.stack(joints),
            "04-000-Camera-Ratios-HW": np.array([image.shape for image in images]),
            "06-000-Camera-Sils_aligned": _stacked(frames)[0],
            "07-000-Camera-Sils_raw": np.stack([cv2.resize(image, (64, 64)) for image in images]),
        },
    )


def _ccpg(root: Path, name: str, frames: list) -> None:
    silhouettes, joints = _stacked(frames)
    _arrays(root / "sils" / name, **{"1-aligned-sils": silhouettes})
    _arrays(root / "poses" / name, **{"1": joints})


def _ccgr(root: Path, name: str, frames: list) -> None:
    silhouettes, joints = _stacked(frames)
    boxed = np.concatenate([np.ones((len(joints), 5)), joints.reshape(len(joints), -1)], 1)
    _arrays(root / "sils" / name, **{"0sil-0": silhouettes, "0pose-0": boxed})


WRITERS = {
    **{"gait3d": _gait3d, "grew": _grew, "oumvlp": _oumvlp, "casia-b": _casia_b},
    **{"sustech1k": _sustech1k, "ccpg": _ccpg, "ccgr": _ccgr},
}
