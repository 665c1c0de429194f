"""Files of one sequence: what is not silhouettes and then keypoints is named."""

import numpy as np
import pytest

from opengait_ext.data.modalities import check_modalities, check_pair
from plugins.errors import KpstraError

SILHOUETTES, KEYPOINTS = np.zeros((3, 64, 44), np.uint8), np.zeros((3, 17, 3), np.float32)
FILES = ("0_sil.pkl", "1_keypoints.pkl")


def test_right_ones_pass():
    check_pair(SILHOUETTES, KEYPOINTS, FILES)
    check_modalities([KEYPOINTS], FILES[:1])


@pytest.mark.parametrize(
    ("silhouettes", "keypoints", "said"),
    [
        (SILHOUETTES, KEYPOINTS[:2], "1_keypoints.pkl: 2 frames, but 0_sil.pkl has 3"),
        (SILHOUETTES, KEYPOINTS * np.nan, "1_keypoints.pkl: NaN or infinite values, first in frame 0"),
        (KEYPOINTS, SILHOUETTES, r"0_sil.pkl: an array of shape \(3, 17, 3\), expected silhouettes \(T, H, W\)"),
        (SILHOUETTES[..., None], KEYPOINTS, r"0_sil.pkl: an array of shape \(3, 64, 44, 1\)"),
        (SILHOUETTES, KEYPOINTS[:, :, :2], r"1_keypoints.pkl: an array of shape \(3, 17, 2\), expected keypoints"),
        (SILHOUETTES, np.zeros((3, 18, 3)), r"shape \(3, 18, 3\), expected keypoints \(T, 17, 3\).*COCO's 17 joints"),
        (SILHOUETTES, np.zeros((3, 51)), r"shape \(3, 51\), expected keypoints \(T, 17, 3\)"),
    ],
)
def test_others_are_named(silhouettes, keypoints, said):
    with pytest.raises(KpstraError, match=said):
        check_pair(silhouettes, keypoints, FILES)
