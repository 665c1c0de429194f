"""Faces as targets of a torchreid run: the numbers of the protocol, from the network's own features."""

import json
import shutil

import numpy as np
import pytest
import torch
from face_files import write_expressions, write_folders, write_records, write_tinyface
from PIL import Image
from reid_data import SMALL
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from plugins.errors import KpstraError
from reid_ext.data.datasets import check_datasets
from reid_ext.data.images import read_image
from reid_ext.data.manager import build_datamanager
from reid_ext.evaluation.accuracy import classify
from reid_ext.evaluation.features import extract_features, mirrored
from reid_ext.evaluation.identification import identify
from reid_ext.evaluation.protocols import PROTOCOLS
from reid_ext.evaluation.templates import pair_scores, template_features, true_accepts
from reid_ext.evaluation.verification import verify
from reid_ext.host import torchreid
from reid_ext.settings.load import load_config
from reid_ext.training.run import run

SIDE = 24
SIZE = (
    f"data.height {SIDE} data.width {SIDE} test.batch_size 3 data.norm_mean [0.5,0.5,0.5] data.norm_std [0.5,0.5,0.5]"
)


class Pixels(nn.Module):
    """Features are some pixels of the image, not the mirrored ones; with keypoints, their x too."""

    def __init__(self, keypoints=False):
        super().__init__()
        self.takes_keypoints, self.classifier, self.loss = keypoints, nn.Linear(12, 7), "softmax"

    def forward(self, images, keypoints=None):
        features = images[:, :, 3, [2, 5, 9, 20]].flatten(1)
        return features if keypoints is None else torch.cat([features, keypoints[:, :, 0]], 1)


class Scaled(Pixels):
    """With a weight that is not the classifier's."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))


for name, kind in (("tiny_pixels", Pixels), ("tiny_scaled", Scaled)):
    getattr(torchreid.models, "__model_factory")[name] = lambda *_, kind=kind, **__: kind()


def loaders(root, target, *opts):
    cfg = load_config("", [*SMALL, *SIZE.split(), "test.evaluate", "True", *opts], str(root), [target], [target])
    check_datasets(cfg)
    built = build_datamanager(cfg).test_loader[target]
    return built["query"], built["gallery"]


def features_of(paths, model):
    """A plain loop: an image and its mirror image, added."""
    rows = []
    for path in paths:
        pixels = torch.tensor(np.asarray(read_image(str(path)))).permute(2, 0, 1)[None] / 127.5 - 1
        rows.append((model(pixels) + model(pixels.flip(-1)))[0].detach().numpy())
    return np.stack(rows)


def noise(path, rng):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(path)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Twelve pairs in a CSV."""
    root, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    rows = ["first,second,same"]
    for i in range(12):
        for which in "ab":
            noise(root / "images" / f"{i}{which}.png", rng)
        rows.append(f"images/{i}a.png,images/{i}b.png,{i % 2}")
    (root / "pairs.csv").write_text("\n".join(rows))
    return root


def test_verification(pairs):
    query, gallery = loaders(pairs, "pairs")
    measured = PROTOCOLS[query.dataset.protocol](Pixels(), query, gallery, "cpu")
    images = [pairs / "images" / f"{i}{which}.png" for i in range(12) for which in "ab"]
    expected = verify(features_of(images, Pixels()), np.arange(12) % 2 == 1)
    np.testing.assert_allclose(measured.scores, expected.scores, atol=1e-5)
    assert measured.metrics["Accuracy"] == expected.accuracy and measured.same.tolist() == expected.same.tolist()


def test_templates(tmp_path):
    rng, names = np.random.default_rng(0), [f"{i}.png" for i in range(8)]
    for name in names:
        noise(tmp_path / "ijbc" / "loose_crop" / name, rng)
    templates, medias, scores = [7, 7, 7, 9, 9, 11, 11, 12], [1, 1, 2, 3, 4, 5, 5, 6], rng.random(8).round(3)
    first, second, label = [7, 7, 9, 11], [9, 11, 12, 12], [1, 0, 0, 1]
    meta = tmp_path / "ijbc" / "meta"
    meta.mkdir()

    def write(kind, rows):
        (meta / f"ijbc_{kind}.txt").write_text("\n".join(" ".join(map(str, row)) for row in rows))

    write("face_tid_mid", zip(names, templates, medias, strict=True))
    write("template_pair_label", zip(first, second, label, strict=True))
    write("name_5pts_score", [[name, *range(10, 20), score] for name, score in zip(names, scores, strict=True)][::-1])
    query, gallery = loaders(tmp_path, "ijbc", "data.keypoints", str(meta / "ijbc_name_5pts_score.txt"))
    model = Pixels()
    measured = PROTOCOLS[query.dataset.protocol](model, query, gallery, "cpu")
    features = features_of([tmp_path / "ijbc" / "loose_crop" / name for name in names], model)
    numbers, found = template_features(features, np.array(templates), np.array(medias), scores)
    expected = pair_scores(numbers, found, np.array(first), np.array(second))
    np.testing.assert_allclose(measured.scores, expected, atol=1e-5)
    accepted = true_accepts(expected, np.array(label) == 1)
    assert measured.metrics == {f"TAR@{rate:g}": share for rate, share in accepted.items()}
    for name, text, message in (
        ("face_tid_mid", "gone.png 1 1", r"5pts_score\.txt: no line for gone\.png"),
        ("face_tid_mid", "0.png 1", r"tid_mid\.txt: 2 values in a line: expected lines of 3"),
        ("face_tid_mid", "0.png a 1", r"tid_mid\.txt: .*expected numbers"),
        ("template_pair_label", "1 2 5", r"pair_label\.txt: the last number of a line is 1"),
        ("template_pair_label", "1 2 x", r"pair_label\.txt: .*expected lines of 3"),
    ):
        before = (meta / f"ijbc_{name}.txt").read_text()
        write(name, [text.split()])
        with pytest.raises(KpstraError, match=message):
            loaders(tmp_path, "ijbc")
        (meta / f"ijbc_{name}.txt").write_text(before)
    (tmp_path / "ijbc" / "loose_crop" / "3.png").unlink()
    with pytest.raises(KpstraError, match=r"tid_mid\.txt: 3\.png: not in .*loose_crop"):
        loaders(tmp_path, "ijbc")


def test_identification(tmp_path):
    write_tinyface(tmp_path / "tiny")
    rng = np.random.default_rng(0)
    files = {part: sorted((tmp_path / "tiny" / "Testing_Set" / part).iterdir()) for part in PARTS}
    for path in (path for part in files.values() for path in part):
        noise(path, rng)
    query, gallery = loaders(tmp_path, "tiny")
    measured = PROTOCOLS[query.dataset.protocol](Pixels(), query, gallery, "cpu")
    probes, others = files["Probe"], files["Gallery_Match"] + files["Gallery_Distractor"]
    expected = identify(
        features_of(probes, Pixels()), np.arange(3), features_of(others, Pixels()), np.array([0, 1, 2, -1, -1])
    )
    assert measured.metrics == {f"Rank-{k}": share for k, share in expected.items()}


PARTS = ("Probe", "Gallery_Match", "Gallery_Distractor")


def test_accuracy_is_that_of_ten_crops(tmp_path):
    """Corners and middle of the image at 48/44 of its size, and their mirror images, by hand."""
    write_expressions(tmp_path / "fer" / "fer2013.csv")
    table, rng = tmp_path / "fer" / "fer2013.csv", np.random.default_rng(0)
    head, *rows = (line.split(",") for line in table.read_text().splitlines())
    rows = [[label, " ".join(map(str, rng.integers(0, 256, 2304))), usage] for label, _, usage in rows]
    table.write_text("\n".join(map(",".join, [head, *rows])))
    query, gallery = loaders(tmp_path, "fer", "data.height", "44", "data.width", "44")
    model = Pixels().eval()
    logits = classify(model, query, "cpu")
    for row, (path, *_) in enumerate(query.dataset.data):
        pixels = torch.tensor(np.asarray(read_image(path))).permute(2, 0, 1)[None] / 127.5 - 1
        crops = [pixels[..., y : y + 44, x : x + 44] for y, x in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))]
        expected = sum(model.classifier(model(crop)) for part in crops for crop in (part, part.flip(-1))) / 10
        np.testing.assert_allclose(logits[row], expected[0].detach().numpy(), atol=1e-5)
    measured = PROTOCOLS[query.dataset.protocol](model, query, gallery, "cpu")
    right = logits.argmax(1) == np.tile(np.arange(7), 2)
    assert measured.metrics == {"PublicTest": right[:7].mean(), "PrivateTest": right[7:].mean()}
    model.classifier = nn.Linear(5, 7)
    with pytest.raises(KpstraError, match="its classifier does not take its test features of 12 numbers"):
        classify(model, query, "cpu")
    with pytest.raises(KpstraError, match="Pixels takes keypoints, and ten crops have none"):
        classify(Pixels(keypoints=True), query, "cpu")


def test_classes_are_not_tested_with_a_classifier_of_chance(tmp_path):
    """A file of ten people's classifier, for seven expressions."""
    write_expressions(tmp_path / "fer" / "fer2013.csv")
    weights, network = tmp_path / "weights.pt", Scaled()
    network.classifier = nn.Linear(12, 10)
    torch.save(network.state_dict(), weights)
    opts = f"model.name tiny_scaled test.evaluate True model.load_weights {weights}"
    with pytest.raises(
        KpstraError, match=r"weights\.pt: classifier\.weight.* are not in it, .*fer tests the classifier"
    ):
        run(load_config("", [*SMALL, *opts.split()], str(tmp_path), ["fer"], ["fer"]))


def test_keypoints_are_mirrored_with_their_image(pairs, tmp_path):
    points = torch.tensor([[[2.0, 3, 1], [20, 3, 1], [11, 9, 0.5], [0, 0, 0], [15, 15, 1]]])
    expected = torch.tensor([[[3.0, 3, 1], [21, 3, 1], [12, 9, 0.5], [8, 15, 1], [0, 0, 0]]])
    assert torch.equal(mirrored(points, SIDE), expected)
    lines = [f"{i}{which}.png 2 3 20 3 11 9 9 15 15 15 1" for i in range(12) for which in "ab"]
    (tmp_path / "points.txt").write_text("\n".join(lines))
    query, _ = loaders(pairs, "pairs", "data.keypoints", str(tmp_path / "points.txt"))
    features = extract_features(Pixels(keypoints=True), query, "cpu")
    assert (features[:, 12:] == [2 + 3, 20 + 21, 11 + 12, 9 + 8, 15 + 14]).all()
    query, _ = loaders(pairs, "pairs")
    with pytest.raises(KpstraError, match="takes keypoints, and these data have none"):
        extract_features(Pixels(keypoints=True), query, "cpu")


def test_features_that_are_not_finite(pairs):
    model = Pixels()
    model.forward = lambda images: images.flatten(1) * torch.nan
    with pytest.raises(KpstraError, match=r"0a\.png: the network's feature is not finite"):
        extract_features(model, loaders(pairs, "pairs")[0], "cpu")


@pytest.fixture
def root(pairs, tmp_path):
    """Records, pairs and identity folders."""
    shutil.copytree(pairs, tmp_path / "data")
    write_records(tmp_path / "data" / "ms1m")
    write_folders(tmp_path / "data" / "people", people=2, images=2)
    return tmp_path / "data"


def arguments(root, output, *opts):
    size = ["data.height", "64", "data.width", "32", "test.ranks", "[1]", "data.save_dir", str(output)]
    return load_config("", [*SMALL, *size, *opts], str(root), ["ms1m"], ["pairs", "people"])


def test_a_run_tests_pairs_and_ranks(root, tmp_path, capsys):
    """One table for both, and a ROC picture."""
    output = tmp_path / "log"
    opts = "model.name tiny_pixels test.evaluate True model.partial_weights True"
    run(arguments(root, output, *opts.split()))
    results = json.loads((output / "test.results.json").read_text())["metrics"]
    assert results["pairs"].keys() == {"Accuracy", "Deviation"} and results["people"].keys() == {"mAP", "Rank-1"}
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["data", "set", "Accuracy", "Deviation", "mAP", "Rank-1"] in table
    assert Image.open(output / "roc_pairs.png").width > 100


@pytest.mark.slow
def test_a_run_trains_on_records(root, tmp_path):
    """Scalars of the protocol are there for TensorBoard."""
    output = tmp_path / "log"
    run(arguments(root, output, "train.batch_size", "4", "train.max_epoch", "1"))
    events = EventAccumulator(str(output)).Reload()
    accuracy = json.loads((output / "train.results.json").read_text())["metrics"]["pairs"]["Accuracy"]
    assert events.Scalars("Test/pairs/Accuracy")[-1].value == pytest.approx(accuracy)
