"""Partitions that the hosts' evaluations cannot rank with are refused; the others are counted as they are."""

import json
from types import SimpleNamespace

import pytest

from opengait_ext.data.probes import check_probes
from plugins.errors import KpstraError

RECORDS = [[f"{i:04d}", f"camid{c}_videoid0", "seq0", []] for i in range(4) for c in range(4)]
NAMES = ["-".join(record[:3]) for record in RECORDS]


class DataSet(SimpleNamespace):
    def __len__(self):
        return len(self.seqs_info)


@pytest.fixture
def check(tmp_path):
    def run(function="evaluate_Gait3D", records=RECORDS, **sets):
        path = tmp_path / "partition.json"
        path.write_text(json.dumps({"TRAIN_SET": ["a"], "TEST_SET": ["b"], **sets}))
        data = {"dataset_partition": str(path), "dataset_root": "data"}
        return check_probes(DataSet(seqs_info=records), {"evaluator_cfg": {"eval_func": function}, "data_cfg": data})

    return run


def test_counts(check):
    assert check(PROBE_SET=NAMES[::4]) == "4 probes, 12 gallery sequences"
    gallery = [name for name in NAMES if name not in NAMES[::4]]
    assert check("evaluate_CCGR_MINI", GALLERY_SET=gallery) == "4 probes, 12 gallery sequences"
    assert check("evaluate_indoor_dataset") == "16 test sequences"


@pytest.mark.parametrize(
    ("function", "sets", "message"),
    [
        ("evaluate_Gait3D", {}, "PROBE_SET: missing; evaluate_Gait3D needs"),
        ("evaluate_FreeGait", {}, "PROBE_SET: missing; evaluate_FreeGait needs"),
        ("evaluate_CCGR_MINI", {"PROBE_SET": NAMES[:4]}, "GALLERY_SET: missing"),
        ("evaluate_Gait3D", {"PROBE_SET": ["x-y-z"]}, "none of its names is in data; there the first is 0000-camid0"),
        ("evaluate_Gait3D", {"PROBE_SET": NAMES[:8]}, "8 gallery sequences; evaluate_Gait3D needs at least 10"),
        ("evaluate_Gait3D", {"PROBE_SET": NAMES[:4]}, "no probe's person has a sequence in the gallery .*0000"),
        ("evaluate_CCGR_MINI", {"GALLERY_SET": NAMES}, "holds every test sequence; no probe is left"),
    ],
)
def test_refused(check, function, sets, message):
    with pytest.raises(KpstraError, match=message):
        check(function, **sets)
