"""The stand-in's evaluations: OpenGait's numbers, from a file without a checkout, and beside one."""

import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from gait_protocols import CASIA_B, CCPG, EVALUATIONS, GALLERY_SET, PEOPLE, features

from opengait_ext.host.patches import probes_from

pytest_plugins = ["host_folders"]
EXPECTED = json.loads((Path(__file__).parents[2] / "golden" / "gait_evaluations.json").read_text())  # of 0efafd4
SUBMITTED = [("probe", "03", f"p{i}") for i in range(3)] + [(f"{i:05d}", "02", f"g{i}") for i in range(21)]


@pytest.fixture
def evaluate(host, tmp_path, monkeypatch):
    """A function that computes one of :data:`EVALUATIONS` in each host."""
    monkeypatch.chdir(tmp_path)
    Path("partition.json").write_text(json.dumps({"GALLERY_SET": GALLERY_SET}))

    def results(name):
        function, dataset, sequences, options = EVALUATIONS[name]
        with probes_from(host.active, "partition.json"), np.errstate(all="raise"):
            found = getattr(host("evaluation.evaluator"), function)(features(sequences), dataset, **options)
        return {key.removeprefix("scalar/test_accuracy/"): np.asarray(value).tolist() for key, value in found.items()}

    return results


@pytest.mark.parametrize("name", EVALUATIONS)
def test_the_numbers(evaluate, name):
    found, wanted = evaluate(name), EXPECTED[name]
    assert list(found) == list(wanted)
    for key, value in found.items():
        assert value == pytest.approx(wanted[key], abs=1e-5) if np.ndim(value) == 0 else value == wanted[key], key
    numbers = np.concatenate([np.ravel(value) for value in wanted.values()])
    assert numbers.min() < 90 and numbers.max() > 20  # the example decides something


def test_casia_b_by_a_loop(embedded):
    """NM in each gallery of nm-01 to nm-04 in another view, the mean over probes, then views."""
    data = features(EVALUATIONS["CASIA-B"][2])
    rows = list(zip(data["embeddings"], data["labels"], data["types"], data["views"], strict=True))
    rates = []
    for seen in ("000", "090", "180"):
        for other in {"000", "090", "180"} - {seen}:
            right = []
            for x, label, kind, view in rows:
                if kind in ("nm-05", "nm-06") and view == seen:
                    gallery = [row for row in rows if row[2] in CASIA_B[:4] and row[3] == other]
                    nearest = min(gallery, key=lambda row: np.linalg.norm(x - row[0], axis=0).mean())
                    right.append(nearest[1] == label)
            rates.append(100 * np.mean(right))
    found = embedded("evaluation.evaluator").evaluate_indoor_dataset(data, "CASIA-B")
    assert found["scalar/test_accuracy/NM@R1"] == pytest.approx(np.mean(rates), abs=0.01)


def test_grew_s_submission(both, tmp_path, monkeypatch):
    """The same file from both hosts."""
    monkeypatch.chdir(tmp_path)

    def written(host):
        evaluator = host("evaluation.evaluator")
        evaluator.GREW_submission(features(SUBMITTED), "GREW")
        (path,) = Path("GREW_result").glob("*.csv")
        text = path.read_text()
        path.unlink()
        return text

    ours, theirs = both(written)
    assert ours == theirs and len(ours.splitlines()) == 4 and ours.startswith("videoId,rank1,rank2,")


def test_ccpg_s_gallery_of_all_views(both, capsys):
    """What it logs: rank-1, mAP and mINP without the same person in the same view."""
    data = EVALUATIONS["CCPG"][2]

    def logged(host):
        evaluator, lines = host("evaluation.evaluator"), []
        with patch.object(evaluator, "get_msg_mgr") as messages:
            messages.return_value.log_info.side_effect = lambda line: lines.append(str(line))
            evaluator.evaluate_CCPG(features(data), "CCPG")
        return "\n".join(lines)

    ours, theirs = both(logged)
    lines = [line for line in theirs.splitlines() if line.startswith("CL:")][:3]
    for column, condition in enumerate(("CL", "UP", "DN", "BG")):
        wanted = ", ".join(line.split()[1::2][column].rstrip(",") for line in lines)
        assert f"{condition}: rank-1" in ours and f"rank-1, mAP, mINP {wanted}" in ours


@pytest.mark.parametrize(
    ("function", "dataset", "sequences", "reason"),
    [
        ("evaluate_indoor_dataset", "Gait3D", EVALUATIONS["CASIA-B"][2], "Gait3D: not one of CASIA-B, OUMVLP"),
        ("evaluate_indoor_dataset", "CASIA-B", [(i, "nm-05", "000") for i in PEOPLE], "6 probes and 0 gallery"),
        ("evaluate_indoor_dataset", "SUSTech1K", [("1", "00-nm", "0"), ("1", "01-nm", "0")], "a probe and 5 gallery"),
        ("evaluate_real_scene", "GREW", [("1", "01", "a"), ("1", "02", "b")], "a probe and 20 gallery sequences"),
        ("evaluate_CCPG", "CCPG", [(i, kind, "0_1") for i in PEOPLE for kind in CCPG[:3]], "CCPG CL, view 0 in 0"),
        ("evaluate_CCPG", "CCPG", [(i, kind, "0_1") for i in PEOPLE for kind in CCPG], "CCPG: one view, 0;"),
        ("GREW_submission", "GREW", [("1", "03", "a")], "0 gallery sequences; it needs 20"),
    ],
)
def test_what_is_missing_is_said(embedded, function, dataset, sequences, reason):
    with pytest.raises((KeyError, ValueError), match=reason):
        getattr(embedded("evaluation.evaluator"), function)(features(sequences), dataset)
