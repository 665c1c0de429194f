"""`reid-ext alignment`: accuracy over the way to the aligned face, for a network that sees places alone."""

import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from plugins.keypoints import write
from plugins.landmarks.align import TEMPLATE
from reid_ext.__main__ import main
from reid_ext.host import torchreid
from reid_ext.training.results import read_results

SIDE = 28
RECIPE = """
model: {{name: tiny_places, pretrained: false}}
data:
  {{root: {root}, sources: [pairs], targets: [pairs], keypoints: {root}/points.npz, height: {side}, width: {side},
    workers: 0, save_dir: {root}/log, norm_mean: [0.5, 0.5, 0.5], norm_std: [0.5, 0.5, 0.5]}}
use_gpu: false
"""


class TinyPlaces(nn.Module):
    """Features are colours at places of the image; it takes no keypoints."""

    def __init__(self, num_classes):
        super().__init__()
        self.loss, self.classifier = "softmax", nn.Linear(48, num_classes)
        self.scale = nn.Parameter(torch.ones(48))

    def forward(self, images):
        middle = images[:, :, 6:-6, 6:-6]
        colours = nn.functional.adaptive_avg_pool2d(middle - middle.mean((2, 3), keepdim=True), 4)
        features = self.scale * colours.flatten(1)
        return self.classifier(features) if self.training else features


getattr(torchreid.models, "__model_factory")["tiny_places"] = lambda num_classes, *_, **__: TinyPlaces(num_classes)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Pairs of coloured faces, turned, scaled and shifted at random, with exact landmarks."""
    root, rng = tmp_path_factory.mktemp("faces"), np.random.default_rng(0)
    (root / "images").mkdir()
    landmarks, rows = {}, ["first,second,same"]
    template = (TEMPLATE.numpy() + 0.5) * 32 / 112 - 0.5
    for pair in range(20):
        looks = [
            cv2.resize(rng.integers(0, 256, (6, 6, 3), np.uint8), (32, 32), interpolation=cv2.INTER_CUBIC)
            for _ in range(2)
        ]
        for which in range(2):
            matrix = cv2.getRotationMatrix2D((15.5, 15.5), rng.uniform(-40, 40), rng.uniform(0.9, 1.2))
            matrix[:, 2] += rng.uniform(-3, 3, 2)
            look = looks[which if pair % 2 == 0 else 0]
            name = f"{pair}{'ab'[which]}.png"
            Image.fromarray(cv2.warpAffine(look, matrix, (32, 32))).save(root / "images" / name)
            points = template @ matrix[:, :2].T + matrix[:, 2]
            landmarks[f"images/{name}"] = np.column_stack([points, np.ones(5)])
        rows.append(f"images/{pair}a.png,images/{pair}b.png,{pair % 2}")
    (root / "pairs.csv").write_text("\n".join(rows))
    write(root / "points.npz", landmarks)
    (root / "recipe.yaml").write_text(RECIPE.format(root=root, side=SIDE))
    torch.save(TinyPlaces(2).state_dict(), root / "weights.pt")
    return root


def run(root, *words):
    return main(["alignment", "--checkpoint", f"places={root}/recipe.yaml:{root}/weights.pt", *words])


def test_the_curve_rises_to_the_aligned_face(root, capsys):
    output = root / "out"
    assert run(root, "--steps", "3", "--output", str(output), "--metrics", "Accuracy") == 0
    out = capsys.readouterr().out
    points = json.loads((output / "alignment.json").read_text())["points"]
    curve = {point["severity"]: point["metrics"]["Accuracy"] for point in points}
    assert [*curve] == [0.0, 0.5, 1.0] and curve[1.0] == 100.0 and curve[0.0] < 95
    assert f"| detected | {curve[0.0]:.2f} |" in out and "| aligned | 100.00 |" in out
    assert Image.open(output / "alignment.png").width > 100
    written = (output / "alignment.json").read_text()
    assert run(root, "--steps", "3", "--output", str(output), "--metrics", "Accuracy") == 0
    assert (output / "alignment.json").read_text() == written  # nothing is tested twice


def test_the_detected_end_is_the_ordinary_test(root, tmp_path, monkeypatch):
    """But for the way in which pixels are interpolated: here, no crop is resized."""
    monkeypatch.chdir(tmp_path)
    size = ["data.height=32", "data.width=32"]
    assert run(root, "--steps", "2", *size) == 0
    found = json.loads((tmp_path / "alignment" / "alignment.json").read_text())["points"][0]["metrics"]
    test = ["test.evaluate=True", f"model.load_weights={root}/weights.pt", f"data.save_dir={tmp_path}/log"]
    assert main(["--config-file", f"{root}/recipe.yaml", *size, *test]) == 0
    measured = next(iter(read_results(tmp_path / "log").values())).metrics["pairs"]
    assert found == {name: round(100 * value, 4) for name, value in measured.items()}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "1"], "--steps 1: expected 2 or more"),
        (["--steps", "2", "data.width=20"], "--checkpoint places: data.height 28, data.width 20: expected square ones"),
        (["--steps", "2", "data.keypoints="], "data.keypoints: alignment needs a face's five landmarks"),
        (["--steps", "2", "--metrics", "Acuracy"], "--metrics: 'Acuracy' is not one of Accuracy"),
    ],
)
def test_mistakes(root, tmp_path, capsys, words, message):
    assert run(root, "--output", str(tmp_path / "out"), *words) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
