"""KP-RPE's ViT for faces in a whole run: landmarks of a file, AdaFace, a test, and going on from a checkpoint."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from reid_data import arguments

from plugins.keypoints.compact import write
from reid_ext.__main__ import main
from reid_ext.models import factory
from reid_ext.models.faces import FaceViT, transformers
from reid_ext.training.results import read_results

NAME = "vit_small_face_kprpe"
SMALL = {"patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2, "mlp_ratio": 2, "feature_dim": 16}


@pytest.fixture
def run(monkeypatch, market_root, tmp_path):
    monkeypatch.setitem(factory.OURS, NAME, partial(transformers.KPRPEFaceTransformer, build=partial(FaceViT, **SMALL)))
    chance = np.random.default_rng(0)
    images = sorted(Path(market_root, "market1501").rglob("*.jpg"))
    size = np.array([64, 128, 1])
    write(tmp_path / "five.npz", {str(image): chance.random((5, 3)) * size for image in images})
    settings = {
        "model.name": NAME,
        "data.keypoints": tmp_path / "five.npz",
        "data.height": 32,
        "data.width": 32,
        "train.batch_size": 16,
        "train.lr": 0.01,
        "loss.name": "adaface",
        "kprpe.formulation": "second_order",
        "kprpe.standardised": True,
    }

    def run(folder, *opts):
        given = [str(part) for pair in settings.items() for part in pair]
        assert main(arguments(market_root, tmp_path / folder, *given, *opts)) == 0
        return tmp_path / folder

    return run


@pytest.mark.slow
def test_it_trains_resumes_and_is_tested(run):
    whole = run("whole", "train.max_epoch", "2")
    cut = run("cut", "train.max_epoch", "1")
    run("cut", "train.max_epoch", "2", "model.resume", str(cut / "model" / "model.pth.tar-1"))
    first = torch.load(cut / "model" / "model.pth.tar-1")["state_dict"]
    weights, again = (torch.load(folder / "model" / "model.pth.tar-2")["state_dict"] for folder in (whole, cut))
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    for name in (
        "network.trunk.blocks.1.attn.kprpe.table_weight",
        "classifier.head.weight",
        "classifier.head.batch_mean",
    ):
        assert not torch.equal(first[name], weights[name])  # trained
    assert weights["network.trunk.blocks.0.attn.kprpe.pose.count"] > 0  # the mean pose of the training images
    measured = list(read_results(whole).values())[-1].metrics
    tested = run("whole", "test.evaluate", "True", "model.load_weights", str(whole / "model" / "model.pth.tar-2"))
    assert list(read_results(tested).values())[-1].metrics == measured
