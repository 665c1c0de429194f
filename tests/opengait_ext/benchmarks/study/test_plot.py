"""The forest plot of a study: what stands under few panels is not cut off."""

import cv2
import numpy as np
import pytest

from opengait_ext.benchmarks.study.plot import plot
from opengait_ext.benchmarks.study.report import Comparison
from opengait_ext.benchmarks.study.table import Row, Study, Test
from opengait_ext.benchmarks.walkers import Settings
from plugins.benchmarks.statistics import paired

CONFIG = "opengait/walkers_swingait2d"


@pytest.mark.parametrize("panels", [1, 2])
def test_the_text_fits_into_the_picture(tmp_path, panels):
    rows = (Row("plain", "Plain", CONFIG), *(Row(f"r{i}", f"Row {i}", CONFIG, control="plain") for i in range(panels)))
    study = Study("T", Settings(), 6, {}, {"aligned": {}}, (Test("clean", "clean"),), rows)
    difference = paired([51.0, 53.0, 55.0], [50.0, 51.0, 52.0])
    found = [Comparison(row.name, "aligned", "clean", difference, 0.5) for row in rows[1:]]
    plot(study, found, tmp_path / "x.png")
    picture = cv2.imread(str(tmp_path / "x.png"))
    border = np.concatenate([picture[:, :2].reshape(-1), picture[:, -2:].reshape(-1), picture[-2:].reshape(-1)])
    assert (border == 255).all() and (picture < 128).any()
