"""Many frames with joints on one picture."""

import cv2
import numpy as np
import pytest

from plugins.errors import KpstraError
from plugins.pictures.overlay import draw_frame
from plugins.pictures.sheet import draw_sheet


def body():
    silhouette = np.zeros((64, 44), np.uint8)
    silhouette[2:62, 12:32] = 255
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[:, 0], keypoints[:, 1] = np.where(np.arange(17) % 2, 27, 17), np.linspace(4, 60, 17)
    keypoints[:, 2] = 1
    return silhouette, keypoints


def test_sheet(tmp_path):
    silhouette, keypoints = body()
    wide = np.pad(silhouette, ((0, 0), (10, 10)))
    panels = [
        (f"{i:04d}-camid1_videoid2-seq0, too long a caption", s, keypoints)
        for i, s in enumerate([silhouette, wide] * 5)
    ]
    draw_sheet(panels, tmp_path / "sheet.png", columns=4, scale=2)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (3 * (128 + 14 + 6) + 6, 4 * (128 + 6) + 6, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["sheet.png"]
    np.testing.assert_array_equal(sheet[6 : 6 + 128, 6 : 6 + 88], draw_frame(silhouette, keypoints, 2))


def test_sheet_errors(tmp_path):
    with pytest.raises(KpstraError, match="no frames"):
        draw_sheet([], tmp_path / "sheet.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(KpstraError, match="cannot be written"):
        draw_sheet([("a", *body())], tmp_path / "file" / "sheet.png")
