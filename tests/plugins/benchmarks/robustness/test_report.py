"""The table of a sweep: its points, and what is not measured."""

import pytest

from plugins.benchmarks.robustness import ALIGNED, Point, points
from plugins.benchmarks.robustness.report import chosen_metrics, curves, markdown, table
from plugins.errors import KpstraError


def test_points_and_table():
    wanted = points(["scale", "crop"], [1.0, 0.0, 0.5, 1.0], [0, 1])
    assert wanted[0] == ALIGNED and len(wanted) == 1 + 2 * 2 * 2
    rows = [
        {
            "run": "a",
            "error": p.error,
            "severity": p.severity,
            "seed": p.seed,
            "metrics": {"mAP": 50 - 10 * p.severity + p.seed, "Rank-1": 60.0},
        }
        for p in wanted
        if p != Point("crop", 1.0, 1)
    ]
    found = curves(rows, ["a", "b"], ["scale", "crop"])
    text = markdown(table(found, ["mAP"])).splitlines()
    assert text[0] == "| error | severity | mAP, a | mAP, b |"
    assert text[2] == "| none | 0 | 50.00 | not measured |"
    assert text[4] == "| scale | 15 % of the size | 40.50 ± 0.71 | not measured |"
    assert text[6] == "| crop | 15 % of the person | 40.00 | not measured |" and len(text) == 7
    assert table(found, ["mAP"], {"crop": "% of the crop"})[-1][1] == "15 % of the crop"
    assert chosen_metrics(rows, []) == ["Rank-1", "mAP"]
    with pytest.raises(KpstraError, match="--metrics mINP: not measured; there are: mAP, Rank-1"):
        chosen_metrics(rows, ["mINP"])
