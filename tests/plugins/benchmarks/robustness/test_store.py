"""`robustness.json`: what is taken for it."""

import json

import pytest

from plugins.benchmarks.robustness.store import read
from plugins.errors import KpstraError

POINT = {"run": "a", "error": "crop", "severity": 1.0, "seed": 0, "metrics": {"mAP": 0.0}}


@pytest.mark.parametrize(
    ("content", "is_ours"),
    [
        ({"format": 2, "runs": {"a": {}}, "points": [POINT]}, True),
        ({"format": 1, "runs": {"a": {}}, "points": [POINT]}, False),
        ({"format": 2, "runs": {}, "points": [POINT]}, False),
        ({"format": 2, "runs": {"a": {}}, "points": [{**POINT, "metrics": {"mAP": "x"}}]}, False),
        ({"format": 2, "runs": {"a": {}}, "points": [5]}, False),
        ({"format": 2, "runs": {"a": {}}, "points": 5}, False),
        ({"format": 2, "runs": 5, "points": []}, False),
        ({}, False),
    ],
)
def test_files_of_numbers(tmp_path, content, is_ours):
    path = tmp_path / "robustness.json"
    path.write_text(json.dumps(content))
    if is_ours:
        assert read(path) == content
    else:
        with pytest.raises(KpstraError, match=r"robustness.json: expected numbers of"):
            read(path)
