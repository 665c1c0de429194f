"""Results as a table and as JSON."""

import pytest

from plugins.errors import KpstraError
from reid_ext.training.progress import first_batch_line
from reid_ext.training.results import Results, read_results

METRICS = {"market1501": {"mAP": 0.5355, "Rank-1": 1.0}, "mine": {"mAP": 0.0, "Rank-1": 0.25}}


def test_the_table():
    assert Results(METRICS).table().splitlines() == [
        "data set        mAP   Rank-1",
        "market1501    53.5%   100.0%",
        "mine           0.0%    25.0%",
    ]


def test_only_final_results_are_read_back(tmp_path):
    Results(METRICS, False, 3).write(tmp_path)
    assert read_results(tmp_path) == {}
    test = Results(METRICS, device="GPU")
    path = test.write(tmp_path)
    assert read_results(tmp_path) == {path: test} and path.name == "test.results.json"
    path.write_text('{"a": 1}')
    with pytest.raises(KpstraError, match="not the results of a run"):
        read_results(tmp_path)


def test_how_long_it_will_take():
    line = first_batch_line(3.0, 40_399, "x (CPU)")
    assert line == (
        "First iteration: 3.00 s; the 40,399 that follow take about 1 day, 9:39:57 on x (CPU); this recipe is meant "
        "for a GPU"
    )
    assert first_batch_line(3.0, 40_399, "H100").endswith("9:39:57 on H100")
