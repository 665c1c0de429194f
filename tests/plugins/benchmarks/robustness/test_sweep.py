"""The checkpoints of a sweep."""

import pytest

from plugins.benchmarks.robustness import CheckpointRun, numbered
from plugins.errors import KpstraError


def test_checkpoints_of_one_name_are_trainings_of_one_model():
    runs = numbered([CheckpointRun.of(text) for text in ("a=x:1", "b=y:1", "a=x:2", "a=x:3")])
    assert [run.key for run in runs] == ["a", "b", "a #2", "a #3"]
    with pytest.raises(KpstraError, match="--checkpoint a: x:1 and x:1"):
        numbered([runs[0], runs[0]])
