"""Real pedestrians of the shipped data, frame by frame, and the usual mistakes in poses."""

from pathlib import Path

import numpy as np

from opengait_ext.data.body import evenly
from opengait_ext.data.prepare.poses import read_pose
from opengait_ext.data.prepare.silhouettes import read_silhouette

RAW = Path(__file__).parents[1] / "data" / "pets-mini" / "gait_raw"
FLIPPED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def frames(most=60):
    """(silhouette, joints) of frames spread over all sequences."""
    found = []
    for path in evenly(sorted(RAW.glob("2D_Poses/*/*/*/*.txt")), most):
        pose, _ = read_pose(path)
        image = read_silhouette(str(path).replace("2D_Poses", "2D_Silhouettes").replace(".txt", ".png"))
        if pose is not None:
            found.append((image, pose))
    return found


def human36m(joints):
    """COCO's joints under Human3.6M's numbers: pelvis, right leg, left leg, spine, thorax, neck, head, arms."""
    hips, shoulders = joints[11:13].mean(0), joints[5:7].mean(0)
    middle = [(hips + shoulders) / 2, shoulders, joints[0], joints[1:3].mean(0)]
    return np.stack([hips, *joints[[12, 14, 16, 11, 13, 15]], *middle, *joints[[5, 7, 9, 6, 8, 10]]])


def openpose(joints):
    """COCO's joints under OpenPose's numbers, its neck left out: nose, arms, legs, face; right first."""
    return joints[[0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]]


MISTAKES = {  # what is done to the joints of an image, and what the cause must be
    "swapped": (lambda joints, image: joints[:, [1, 0, 2]], "x and y seem to be swapped"),
    "reversed": (lambda joints, image: joints[::-1], "their order seems to be reversed"),
    "shares": (lambda joints, image: np.add(joints, [0.5, 0.5, 0]) / [*image.shape[::-1], 1], "shares of the image"),
    "upwards": (lambda joints, image: joints * [1, -1, 1] + [0, len(image) - 1, 0], "y seems to grow upwards"),
    "score first": (lambda joints, image: joints[:, [2, 0, 1]], "scores seem to come before x and y"),
    "Human3.6M": (lambda joints, image: human36m(joints), "another joint set, Human3.6M's 17"),
    "OpenPose": (lambda joints, image: openpose(joints), "another joint set, OpenPose's 18 without the neck"),
    "video frame": (lambda joints, image: np.add(joints, [500, 300, 0]), "different pixel frames"),
    "half the size": (lambda joints, image: joints * [0.5, 0.5, 1], "different pixel frames"),
}
