"""`opengait-ext robustness`: the errors, the host's own numbers at severity 0, resuming, mistakes."""

import json

import numpy as np
import programs
import pytest
from gait_data import EMBEDDED, OPENGAIT, write_data
from web_page import read_page

from opengait_ext.__main__ import PROGRAM, main
from opengait_ext.benchmarks.robustness.crop import SIDES, cut, refit
from opengait_ext.benchmarks.robustness.disturb import disturb, drop_joints
from opengait_ext.data.prepare.silhouettes import middle_column
from plugins.benchmarks.robustness import KINDS, Disturbance
from plugins.benchmarks.walkers import Identity, Sequence, displace, render

NAME = "0005-camid1_videoid0-seq0"


@pytest.fixture(scope="module")
def walker():
    """10 silhouettes of a person, and joints."""
    return render(Identity.sample(3), Sequence.sample(1, 80.0), 10, (64, 64))


@pytest.mark.parametrize("kind", KINDS)
def test_errors_follow_from_seed_and_name(walker, kind):
    what = Disturbance.of(kind, 1.0)
    once, again = disturb(*walker, what, 0, NAME), disturb(*walker, what, 0, NAME)
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(a.shape == b.shape and a.dtype == b.dtype for a, b in zip(once, walker, strict=True))
    for seed, name in ((1, NAME), (0, f"{NAME}1")):
        assert not np.array_equal(disturb(*walker, what, seed, name)[1], once[1])


@pytest.mark.parametrize("kind", KINDS)
def test_silhouettes_are_the_same_without_joints(walker, kind):
    what = Disturbance.of(kind, 1.0, 0.1, 0.3)
    alone, none = disturb(walker[0], None, what, 0, NAME)
    np.testing.assert_array_equal(alone, disturb(*walker, what, 0, NAME)[0])
    assert none is None
    assert np.array_equal(alone, walker[0]) == kind.startswith("joint")


def test_severity_is_the_standard_deviation_and_scales_one_draw(walker):
    names = [f"{i:04d}-a-b" for i in range(300)]
    moves = {}
    for severity in (0.5, 1.0):
        what = Disturbance.of("translation", severity)
        # far from the frame's border, and its median is that of the joints
        moves[severity] = np.array([(disturb(*walker, what, 0, n)[1] - walker[1])[:, 0, :2] for n in names]) / 64
    np.testing.assert_allclose(2 * moves[0.5], moves[1.0], atol=1e-5)
    assert 0.88 < moves[1.0].std() / 0.08 < 1.0  # cut at two deviations
    assert np.abs(moves[1.0]).max() <= 0.16 + 1e-6
    assert moves[1.0].std(1).mean() < 0.5 * moves[1.0].mean(1).std()  # most of it holds for the whole sequence


@pytest.mark.parametrize("side", SIDES)
def test_crop_loses_one_side_and_refits(walker, side):
    """What is left fills the old height again, about its own centre of mass, and the joints go along."""
    image, joints = walker[0][0], walker[1][:1]
    left = cut(image, side, 0.2)
    kept = {"top": np.s_[-20:], "bottom": np.s_[:20], "left": np.s_[:, -20:], "right": np.s_[:, :20]}[side]
    np.testing.assert_array_equal(left[kept], image[kept])
    lost = 1 - left.astype(float).sum() / image.sum()
    assert 0.02 < lost < 0.5
    errors = refit(image, left)
    fitted, moved = displace(left[None], joints, errors[None])
    rows, whole_rows = (np.flatnonzero(x.any(1)) for x in (fitted[0], image))
    assert abs(rows[0] - whole_rows[0]) <= 1 and abs(rows[-1] - whole_rows[-1]) <= 1
    assert abs(middle_column(fitted[0]) - middle_column(image)) <= 1
    nose, ankle = (moved[0, joint, :2] - joints[0, joint, :2] for joint in (0, 15))
    if side == "top":
        assert errors[2] > 1.15 and nose[1] < -10 and abs(ankle[1]) < 3
    if side == "bottom":
        assert errors[2] > 1.15 and ankle[1] > 8 and abs(nose[1]) < 3


def test_crop_of_nothing_and_of_an_empty_frame(walker):
    np.testing.assert_array_equal(refit(walker[0][0], cut(walker[0][0], "top", 0.0)), [0, 0, 1, 0])
    empty = np.zeros((2, 64, 64), np.uint8)
    images, joints = disturb(empty, walker[1][:2], Disturbance.of("crop", 3.0), 0, NAME)
    assert not images.any() and np.isfinite(joints).all()


def test_a_missing_joint_gets_score_0_and_a_place_between(walker):
    joints = walker[1].copy()
    joints[..., 0] += np.arange(10)[:, None] * 2  # walks to the right
    dropped = drop_joints(joints, 0.5, np.full(17, 0.35), np.linspace(0, 0.999, 17), (64, 64))
    gone = dropped[..., 2] == 0
    assert (gone.sum(0) == 5).all() and gone[2:7].all()
    np.testing.assert_allclose(dropped[2:7, 0, 0], np.interp(range(2, 7), [1, 7], joints[[1, 7], 0, 0]), atol=1e-4)
    np.testing.assert_array_equal(dropped[~gone], joints[~gone])
    assert np.isfinite(drop_joints(joints, 5.0, np.zeros(17), np.zeros(17), (64, 64))).all()


def test_of_few_frames_the_share_of_joints_is_missing(walker):
    """Half of one frame and of three: in the mean over joints."""
    for frames in (1, 3):
        joints = np.repeat(walker[1][:frames], 100, axis=1)
        joints[..., 2] = 1
        chance = np.random.default_rng(0).random((2, 1700))
        gone = drop_joints(joints, 0.5, *chance, (64, 64))[..., 2] == 0
        assert gone.mean() == pytest.approx(0.5, abs=0.04)


def test_silhouettes_in_columns_are_as_good(walker):
    what = Disturbance.of("translation", 1.0)
    columns = np.asfortranarray(walker[0])
    for a, b in zip(disturb(columns, walker[1], what, 0, NAME), disturb(*walker, what, 0, NAME), strict=True):
        np.testing.assert_array_equal(a, b)


def test_settings_may_follow_a_list():
    args = PROGRAM.parser("robustness").parse_args(
        ["--checkpoint", "a.b=c:d", "--seeds", "0", "1", "data_cfg.cache=false", "--severities", "1"]
    )
    assert args.overrides == ["data_cfg.cache=false"] and args.seeds == [0, 1] and args.runs == ["a.b=c:d"]


# All in one process of its own, as hosts' modules are global: weights, the host's tests, sweeps, mistakes.
SCRIPT = """
import contextlib, io, json, sys
from pathlib import Path
import torch
from opengait_ext.benchmarks.speed.scaling import host_models
from opengait_ext.training.launch import Run, launch
from opengait_ext.__main__ import main

work = json.loads(sys.argv[1])
with host_models("cpu") as build:
    for config, file in work["weights"].items():
        model = build(config)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter += (5.0 if "kprpe" in name else 0.02) * torch.randn_like(parameter)
        torch.save({"model": model.state_dict()}, file)
tested = [launch(Run(config, "test", host="embedded", device="cpu", workdir=work["workdir"],
                     overrides=[*work["data"], f"evaluator_cfg.restore_hint={file}"]))
          for config, file in work["weights"].items()]
printed = []
for arguments in work["sweeps"]:
    if arguments[0] == "stop":
        path = Path(arguments[1])
        content = json.loads(path.read_text())
        content["points"] = content["points"][:4]
        content["points"][0]["metrics"]["mAP"] = 12.34
        path.write_text(json.dumps(content))
        continue
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main(["robustness", *arguments])
    printed.append([status, out.getvalue(), err.getvalue()])
print(json.dumps({"tested": tested, "printed": printed}, default=float))
"""
CONFIGS = {"plain": "opengait/pets_swingait2d", "KP-RPE": "opengait/pets_swingait2d_kprpe"}


def weights(root, label):
    return str(root / f"{label}.pt")


def data_of(root):
    return [f"data_cfg.dataset_root={root / 'data'}", f"data_cfg.dataset_partition={root / 'partition.json'}"]


def arguments(root, *more, folder="out"):
    named = [f"{label}={config}:{weights(root, label)}" for label, config in CONFIGS.items()]
    runs = [text for name in named for text in ("--checkpoint", name)]
    return [*runs, "--host", EMBEDDED, "--device", "cpu", "--output", str(root / folder), *data_of(root), *more]


def numbers(folder):
    content = json.loads((folder / "robustness.json").read_text())
    return {(p["run"], p["error"], p["severity"], p["seed"]): p["metrics"] for p in content["points"]}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Small data, weights of both networks, and what the script printed."""
    root = write_data(tmp_path_factory.mktemp("gait"), frames=4)
    setting = {"host": "embedded", "probes_only": True, "joint_noise": 0.0, "joint_dropout": 0.0}
    for folder, files in (
        ("begun", {"settings.json": setting, "robustness.json": {}}),
        ("foreign", {"robustness.json": None}),
    ):
        (root / folder).mkdir()
        for name, content in files.items():
            (root / folder / name).write_text(json.dumps(content))
    kprpe = weights(root, "KP-RPE")
    sweeps = [
        arguments(root, "--errors", "translation", "crop", "--severities", "0", "1"),
        ["stop", str(root / "out" / "robustness.json")],
        arguments(root, "--errors", "crop", "translation", "--severities", "1"),
        arguments(root, "--checkpoint", "x=opengait/pets_swingait2d:gone.pt", folder="new"),
        arguments(root, "--checkpoint", f"x=opengait/pets_swingait2:{kprpe}", folder="new"),
        arguments(root, "--checkpoint", f"x=opengait/pets_swingait2d:{kprpe}", folder="new"),
        arguments(root, folder="begun"),
        arguments(root, folder="foreign"),
        arguments(root, folder="partition.json"),
        [*arguments(root)[2:], "--checkpoint", f"plain=opengait/pets_swingait2d_kprpe:{kprpe}"],
    ]
    work = {
        "weights": {config: weights(root, label) for label, config in CONFIGS.items()},
        "data": data_of(root),
        "workdir": str(root / "run"),
        "sweeps": sweeps,
    }
    process = programs.run("opengait_ext", "-c", SCRIPT, json.dumps(work))
    return root, json.loads(process.stdout.splitlines()[-1])


@pytest.mark.slow
def test_severity_0_is_the_host_s_test(done):
    root, result = done
    found = numbers(root / "out")
    assert len(found) == 2 * 3
    for label, tested in zip(CONFIGS, result["tested"], strict=True):
        aligned = found[label, "none", 0.0, 0]
        tested = {name.rpartition("/")[2]: value for name, value in tested.items()}
        changed = {"mAP": 12.34} if label == "plain" else {}  # by the script
        assert aligned == {**tested, **changed} and len(tested) == 5
        assert found[label, "translation", 1.0, 0] != aligned != found[label, "crop", 1.0, 0]


@pytest.mark.slow
def test_what_is_finished_is_not_tested_again(done):
    """Two of six points were taken out and a number changed by hand: the two come back, the number stays."""
    root, result = done
    (first, out, _), (again, later, _) = result["printed"][:2]
    assert first == again == 0
    rows = [line for line in out.splitlines() if "person" in line or "height" in line]
    assert len(rows) == 2 and all(row in later for row in rows)
    assert "| none | 0 | " in out and "12.34" in later and "12.34" not in out
    assert (root / "out" / "robustness.png").read_bytes().startswith(b"\x89PNG")
    assert (root / "out" / "robustness.md").read_text().startswith("| error | severity | Rank-1, plain |")


@pytest.mark.slow
def test_the_page_of_a_sweep(done):
    """The table of the Markdown file, the curves, and both commands that measured."""
    root, _ = done
    page = read_page(root / "out" / "robustness.html")
    lines = (root / "out" / "robustness.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert page.tables["results"] == [[rows[0], *rows[2:]]] and len(rows) == 5
    assert len(page.pictures) == 1 and len(page.pre) == 2
    assert all(line.startswith("opengait-ext robustness --checkpoint plain=") for line in page.pre)
    differing = {key: values for key, *values in page.tables["settings"][0]}
    assert differing["checkpoint"] == ["plain.pt", "KP-RPE.pt"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (2, "gone.pt: no such checkpoint"),
        (3, "opengait/pets_swingait2: no such configuration"),
        (4, "not a checkpoint of SwinGait2D"),
        (5, "was begun with probes_only True, not False"),
        (6, "holds 'robustness.json' and no settings.json; give a new or empty folder"),
        (7, "partition.json: is a file; give a folder"),
        (8, "run 'plain': was begun with checkpoint 'plain.pt', not 'KP-RPE.pt'"),
    ],
)
def test_mistakes_in_files(done, number, message):
    status, _, err = done[1]["printed"][number]
    assert status == 2 and err.splitlines()[-1].startswith("opengait-ext robustness: error: ") and message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--errors", "shear"], "--errors: 'shear' is not one of translation, scale"),
        (["--severities", "-1"], "--severities: -1.0: expected a number from 0"),
        (["--severities", "nan"], "--severities: nan: expected a number from 0"),
        (["--joint-noise", "-1"], "--joint-noise: -1.0: expected a number from 0"),
        (["--seeds", "-1"], "--seeds -1"),
        (["--checkpoint", "x"], "--checkpoint x: expected NAME=CONFIG:FILE"),
        (["--checkpoint", "plain=a:b"], "checkpoints of one name are different trainings of one configuration"),
    ],
)
def test_mistakes_in_options(tmp_path, capsys, options, message):
    assert main(["robustness", *arguments(tmp_path), *options]) == 2
    err = capsys.readouterr().err
    assert err.startswith("opengait-ext robustness: error: ") and message in err and err.count("\n") == 1


def sweep(root, folder, *more, host=EMBEDDED, processes=1):
    command = ("-m", "opengait_ext", "robustness", *arguments(root, folder=folder), "--host", host, *more)
    programs.run("opengait_ext", *command, processes=processes)
    return numbers(root / folder)


@pytest.mark.slow
@pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set: no OpenGait checkout to run")
def test_hosts_processes_and_workers_agree(done):
    root, options = done[0], ["--errors", "together", "joint-noise", "--severities", "1", "--seeds", "0", "1"]
    one = sweep(root, "one", *options, "--joint-dropout", "0.2")
    two = sweep(root, "two", *options, "--joint-dropout", "0.2", processes=2)
    checkout = sweep(root, "checkout", *options, "--joint-dropout", "0.2", host=OPENGAIT)
    assert one.keys() == two.keys() == checkout.keys() and len(one) == 2 * 5
    for key, values in one.items():
        assert values == pytest.approx(two[key], abs=1e-3) and values == pytest.approx(checkout[key], abs=1e-2)
    assert one["plain", "none", 0.0, 0] == one["plain", "joint-noise", 1.0, 0]  # it has no joints
    assert one["KP-RPE", "none", 0.0, 0] != one["KP-RPE", "joint-noise", 1.0, 0]
    assert one == sweep(root, "workers", *options, "--joint-dropout", "0.2", "data_cfg.num_workers=2")
    probes = sweep(root, "probes", *options, "--probes-only")
    assert probes["plain", "together", 1.0, 0] != one["plain", "together", 1.0, 0]
