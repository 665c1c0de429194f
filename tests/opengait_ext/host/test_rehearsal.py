"""Evaluations are tried before features are extracted: what they refuse is one line, what they accept is not logged."""

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
from host_folders import checkout, load_host

from opengait_ext.host.patches import probes_from
from opengait_ext.host.rehearsal import evaluations, rehearse
from plugins.errors import KpstraError

pytest_plugins = ["host_folders"]


@pytest.fixture
def opengait(group):
    with load_host(checkout()) as loaded:
        yield loaded.active


def sequences(*records):
    labels, types, views = (list(column) for column in zip(*records, strict=True))
    return SimpleNamespace(label_list=labels, types_list=types, views_list=views)


def cfgs(function, name, **more):
    return {
        "evaluator_cfg": {"eval_func": function, "metric": "euc", **more},
        "data_cfg": {"dataset_name": name, "test_dataset_name": name},
    }


CASIA_TYPES = [f"{kind}-{n:02d}" for kind, last in (("nm", 6), ("bg", 2), ("cl", 2)) for n in range(1, last + 1)]
CASIA = sequences(*itertools.product(("001", "002", "003"), CASIA_TYPES, ("000", "090")))
OTHER = sequences(*((f"{i:04d}", f"camid{c}_videoid0", "seq0") for i in range(6) for c in range(3)))


SUSTECH = sequences(*itertools.product([f"{i:04d}" for i in range(6)], ("00-nm", "01-nm", "02-bg"), ("000", "090")))


UPSTREAM = (  # at the tested commit
    *("GREW_submission", "HID_submission", "evaluate_CCGR_MINI", "evaluate_CCPG", "evaluate_FreeGait"),
    *("evaluate_Gait3D", "evaluate_indoor_dataset", "evaluate_real_scene", "evaluate_scoliosis"),
    "evaluate_segmentation",
)


def test_only_evaluations_can_be_chosen(host):
    found = evaluations(host.active)
    lacks = ("HID_submission", "evaluate_FreeGait", "evaluate_scoliosis", "evaluate_segmentation")
    assert sorted(found) == sorted(set(UPSTREAM) - set(lacks if host.root.name == "embedded" else ()))


@pytest.mark.parametrize("cross", [False, True])
def test_what_can_be_evaluated_passes_in_silence(host, cross, caplog, capsys):
    rehearse(host.active, cfgs("evaluate_indoor_dataset", "CASIA-B", cross_view_gallery=cross), CASIA)
    assert not caplog.records and capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("function", "name", "data", "message"),
    [
        ("evaluate_indoor_dataset", "pets-mini", OTHER, r"'pets-mini'.*know.* CASIA-B, OUMVLP, CASIA-E, SUSTech1K"),
        ("evaluate_indoor_dataset", "CASIA-B", OTHER, r"such as 0000/camid0_videoid0/seq0"),
        ("evaluate_real_scene", "pets-mini", OTHER, r"KeyError: 'pets-mini'.*know.* 0001-1000, HID2021"),
        ("evaluate_CCPG", "pets-mini", OTHER, r"know.* CCPG"),
        ("GREW_submission", "CASIA-B", CASIA, r"know.* GREW"),
    ],
)
def test_what_cannot_is_named(host, function, name, data, message):
    with pytest.raises(KpstraError, match=message) as refused:
        rehearse(host.active, cfgs(function, name), data)
    assert "\n" not in str(refused.value) and f"evaluator_cfg.eval_func: {function}" in str(refused.value)


@pytest.mark.parametrize(
    ("function", "name", "data", "ours", "theirs"),
    [
        (
            *("GREW_submission", "GREW"),
            sequences(*itertools.product(map(str, range(9)), ("01", "02", "03"), ("v",))),
            r"GREW_submission: 18 gallery sequences; it needs 20",
            r"\(the gallery has 18 sequences where it needs 20, as it counts so many ranks\)",
        ),
        (
            *("evaluate_indoor_dataset", "SUSTech1K", SUSTECH),
            r"SUSTech1K Clothing, view 000 in 000: 0 probes",
            r"\(there is no probe of the conditions Clothing, Carrying, Umberalla, Uniform, Occlusion, Night in one v",
        ),
        (
            *("evaluate_indoor_dataset", "CASIA-B", sequences(*itertools.product("12", CASIA_TYPES, ("000",)))),
            *[r"\(all sequences are of one view, 000, and it compares different views\)"] * 2,
        ),
    ],
    ids=("small gallery", "conditions", "one view"),
)
def test_what_is_missing_is_said(host, function, name, data, ours, theirs):
    with pytest.raises(KpstraError, match=ours if host.root.name == "embedded" else theirs):
        rehearse(host.active, cfgs(function, name), data)


def test_large_sets_are_looked_at_all_over(host, tmp_path, monkeypatch):
    """Probes whose people come after ten thousand sequences of people in the gallery alone."""
    people = [(f"a{i:05}", "t", "v") for i in range(10_500)]
    people += [(f"p{i}", "t", f"v{j}") for i in range(50) for j in (0, 1)]
    partition = tmp_path / "p.json"
    partition.write_text(json.dumps({"TRAIN_SET": [], "TEST_SET": [], "PROBE_SET": [f"p{i}-t-v0" for i in range(50)]}))
    with probes_from(host.active, partition):
        rehearse(host.active, cfgs("evaluate_Gait3D", "mine"), sequences(*people))
        with pytest.raises(KpstraError, match=r"evaluate_Gait3D cannot evaluate") as refused:
            rehearse(host.active, cfgs("evaluate_Gait3D", "mine"), sequences(*people[:10_500]))
    assert "choose evaluate_Gait3D" not in str(refused.value)


def test_nothing_is_left_behind(opengait, tmp_path, monkeypatch):
    """GREW's submission writes a file, and CCPG's evaluation cuts the views' names."""
    monkeypatch.chdir(tmp_path)
    grew = sequences(*((f"{i}", kind, f"v_{i}") for i in range(30) for kind in ("01", "02", "03")))
    rehearse(opengait, cfgs("GREW_submission", "GREW"), grew)
    assert not list(tmp_path.iterdir())
    with pytest.raises(KpstraError):
        rehearse(opengait, cfgs("evaluate_CCPG", "CCPG"), grew)
    assert grew.views_list[0] == "v_0"


def test_other_features_cannot_be_made_up(opengait):
    rehearse(opengait, cfgs("evaluate_segmentation", "x"), OTHER)


@pytest.mark.parametrize(
    ("function", "key"),
    [("evaluate_Gait3D", "PROBE_SET"), ("evaluate_FreeGait", "PROBE_SET"), ("evaluate_CCGR_MINI", "GALLERY_SET")],
)
def test_probes_are_those_of_the_run_s_partition(opengait, tmp_path, function, key):
    """Whatever fixed path the function reads; the result is the same as Gait3D's."""
    names = ["-".join(record) for record in zip(OTHER.label_list, OTHER.types_list, OTHER.views_list, strict=True)]
    probes = [name for name in names if "camid0" in name]
    listed = probes if key == "PROBE_SET" else [name for name in names if name not in probes]
    partition = tmp_path / "partition.json"
    partition.write_text(f'{{"{key}": {listed}}}'.replace("'", '"'))
    features = np.random.default_rng(0).standard_normal((len(names), 4, 2), np.float32)
    data = {"embeddings": features, "labels": OTHER.label_list, "types": OTHER.types_list, "views": OTHER.views_list}
    with probes_from(opengait, partition):
        rehearse(opengait, cfgs(function, "x"), OTHER)
        found = getattr(opengait.evaluator, function)(data, "x")
        partition.write_text(f'{{"PROBE_SET": {probes}}}'.replace("'", '"'))
        assert found == opengait.evaluator.evaluate_Gait3D(data, "x")
