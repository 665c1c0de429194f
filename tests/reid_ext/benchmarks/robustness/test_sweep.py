"""`reid-ext robustness`: the engine's own numbers at severity 0, what moves them, resuming, mistakes."""

import json

import keypoint_network
import pytest
import torch
from keypoint_network import NAME, TinyKeypoints
from torch import nn
from web_page import read_page

from reid_ext.__main__ import main
from reid_ext.host import torchreid
from reid_ext.training.results import read_results

keypoint_network.register()
COLOURS = "tiny_colours"
RECIPE = """
model: {{name: {name}, pretrained: false}}
data: {{root: {root}, keypoints: {root}/market_keypoints.json, height: 32, width: 16, workers: 0, save_dir: {log}}}
test: {{ranks: [1, 5]}}
use_gpu: false
"""


class TinyColours(nn.Module):
    """Colours of the image's parts; it takes no keypoints."""

    def __init__(self, num_classes, loss="softmax", **_):
        super().__init__()
        self.loss, self.classifier = loss, nn.Linear(3, num_classes)

    def forward(self, images):
        v = nn.functional.adaptive_avg_pool2d(images, (4, 2)).flatten(1)
        return self.classifier(v[:, :3]) if self.training else v


getattr(torchreid.models, "__model_factory")[COLOURS] = lambda num_classes, *_, **__: TinyColours(num_classes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("robustness")


@pytest.fixture(scope="module")
def recipes(folder, request):
    """Recipe and weights of both networks, by label, and their own tests' metrics in percent."""
    root = request.path.parents[3] / "data" / "pets-mini"
    found = {}
    for label, name, network in (("joints", NAME, TinyKeypoints(4)), ("colours", COLOURS, TinyColours(4))):
        recipe, weights, log = (folder / f"{label}{end}" for end in (".yaml", ".pt", ""))
        recipe.write_text(RECIPE.format(name=name, root=root, log=log))
        torch.save(network.state_dict(), weights)
        assert main(["--config-file", str(recipe), "test.evaluate=True", f"model.load_weights={weights}"]) == 0
        metrics = list(read_results(log).values())[-1].metrics["market1501"]
        found[label] = (recipe, weights, {name: round(100 * value, 4) for name, value in metrics.items()})
    return found


def sweep(recipes, output, *options):
    given = [f"{label}={recipe}:{weights}" for label, (recipe, weights, _) in recipes.items()]
    runs = [part for text in given for part in ("--checkpoint", text)]
    return main(["robustness", *runs, "--output", str(output), *options])


def numbers(output):
    content = json.loads((output / "robustness.json").read_text())
    return {(p["run"], p["error"], p["severity"]): p["metrics"] for p in content["points"]}


@pytest.fixture(scope="module")
def done(recipes, folder):
    """The folder of a sweep."""
    assert sweep(recipes, folder / "out", "--errors", "crop", "joint-noise", "--severities", "0", "1") == 0
    return folder / "out"


def test_severity_0_is_the_engine_s_test(done, recipes):
    found = numbers(done)
    assert len(found) == 2 * 3
    for label, (_, _, tested) in recipes.items():
        assert found[label, "none", 0.0] == tested and list(tested) == ["mAP", "Rank-1", "Rank-5"]
        assert found[label, "crop", 1.0] != tested
    assert found["colours", "joint-noise", 1.0] == found["colours", "none", 0.0]  # it sees no joints
    assert found["joints", "joint-noise", 1.0] != found["joints", "none", 0.0]


def test_table_picture_and_page(done):
    lines = (done / "robustness.md").read_text().splitlines()
    assert lines[0] == "| error | severity | Rank-1, joints | Rank-1, colours | mAP, joints | mAP, colours |"
    assert lines[3].startswith("| crop | 15 % of the crop | ") and "Queries and gallery misaligned" in lines[-1]
    assert (done / "robustness.png").read_bytes().startswith(b"\x89PNG")
    page = read_page(done / "robustness.html")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert page.tables["results"] == [[rows[0], *rows[2:]]]
    assert all(line.startswith("reid-ext robustness --checkpoint joints=") for line in page.pre)
    differing = {key: values for key, *values in page.tables["settings"][0]}
    assert differing["model.name"] == [NAME, COLOURS]


def test_what_is_finished_is_not_tested_again(done, recipes, capsys):
    """One of six points is taken out and a number changed by hand: the one comes back, the number stays."""
    before, path = numbers(done), done / "robustness.json"
    content = json.loads(path.read_text())
    content["points"][0]["metrics"]["mAP"] = 12.34
    del content["points"][-1]
    path.write_text(json.dumps(content))
    assert sweep(recipes, done, "--errors", "crop", "joint-noise", "--severities", "1") == 0
    assert "| none | 0 | " in (said := capsys.readouterr().out) and "12.34" in said
    before["joints", "none", 0.0]["mAP"] = 12.34
    assert numbers(done) == before


def test_other_keypoints_in_the_same_file_are_refused(done, recipes, folder, capsys, request):
    """The recipe names the shipped joints; a copy that was changed since is other data."""
    joints = folder / "joints.json"
    joints.write_bytes((request.path.parents[3] / "data" / "pets-mini" / "market_keypoints.json").read_bytes())
    options = ("--errors", "joint-noise", "--severities", "1", f"data.keypoints={joints}")
    assert sweep(recipes, folder / "changing", *options) == 0
    before = numbers(folder / "changing")
    joints.write_text(joints.read_text() + "\n")
    capsys.readouterr()
    assert sweep(recipes, folder / "changing", *options) == 2
    assert "was begun with files.keypoints '" in capsys.readouterr().err and numbers(folder / "changing") == before


def test_queries_alone_and_the_joints_with_the_box(done, recipes, folder):
    """Other numbers than with the gallery; joints get worse beside the box, at the given size."""
    errors = ("--errors", "crop", "--severities", "1")
    assert sweep(recipes, folder / "queries", *errors, "--queries-only", "--joint-noise", "0.2") == 0
    found, both = numbers(folder / "queries"), numbers(done)
    for label in recipes:
        assert found[label, "crop", 1.0] != both[label, "crop", 1.0]
    assert "Queries misaligned" in (folder / "queries" / "robustness.md").read_text()


@pytest.mark.slow
def test_workers_agree(done, recipes, folder):
    errors = ("--errors", "crop", "joint-noise", "--severities", "1", "data.workers=2")
    assert sweep(recipes, folder / "workers", *errors) == 0
    found = numbers(folder / "workers")
    assert all(found[key] == value for key, value in numbers(done).items() if key[1] != "none")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--errors", "shear"], "--errors: 'shear' is not one of translation, scale"),
        (["--severities", "nan"], "--severities: nan: expected a number from 0"),
        (["--checkpoint", "x"], "--checkpoint x: expected NAME=CONFIG:FILE"),
        (["--checkpoint", "x=reid/pets_vit_tiny_kprpe:gone.pt"], "--checkpoint x: gone.pt: no such"),
        (["--checkpoint", "x=reid/none:gone.pt"], "reid/none: no such configuration"),
        (["data.type", "video"], "data.type: video: robustness tests crops"),
        (["--queries-only"], "was begun with queries_only False, not True"),
        (["data.height", "64"], "run 'joints': was begun with data.height 32, not 64"),
    ],
)
def test_mistakes(done, recipes, capsys, options, message):
    assert sweep(recipes, done, *options) == 2
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith("reid-ext robustness: error: ") and message in err
