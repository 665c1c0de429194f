"""Runs of transformers with keypoints: the mean pose, no decay for KP-RPE, resumed exactly, exported, extracted."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from reid_data import arguments
from torch import nn

import reid_ext
from reid_ext.__main__ import main
from reid_ext.data.keypoints import CropKeypoints
from reid_ext.extractor import FeatureExtractor
from reid_ext.host import torchreid
from reid_ext.models import backbones
from reid_ext.models.options import building
from reid_ext.training.checkpoints import load_checkpoint
from reid_ext.training.export import export
from reid_ext.training.poses import exempt_from_decay, fit_pose
from reid_ext.training.results import read_results

reid_ext.register()
NAME = "vit_tiny_patch16_kprpe"
KPRPE = {"formulation": "nonlinear", "standardised": True}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Two layers: class tokens have no place, so that joints reach them in the second."""
    monkeypatch.setitem(backbones.BACKBONES, "vit_tiny_patch16", ("vit_tiny_patch16_224", {"depth": 2}))


@pytest.fixture
def command(market_root, tmp_path):
    def command(folder, *opts):
        kprpe = [part for key, value in KPRPE.items() for part in (f"kprpe.{key}", str(value))]
        keypoints = str(market_root / "market_keypoints.json")
        options = ("model.name", NAME, "data.keypoints", keypoints, *kprpe, "train.batch_size", "32", *opts)
        return main(arguments(market_root, tmp_path / folder, *options))

    return command


def metrics(folder):
    return list(read_results(folder).values())[-1].metrics


@pytest.mark.parametrize("loss", [pytest.param("softmax", marks=pytest.mark.slow), "triplet"])
def test_a_resumed_run_is_the_whole_one(command, tmp_path, loss, capsys):
    """Bit by bit, also the mean pose; and a test of its weights measures the same."""
    sampler = ("sampler.train_sampler", "RandomIdentitySampler", "sampler.num_instances", "8")
    sampler += ("loss.triplet.weight_x", "1.0")
    more = ("loss.name", loss, *(sampler if loss == "triplet" else ()))
    assert command("whole", "train.max_epoch", "2", *more) == 0
    assert "Mean pose of 129 training images" in capsys.readouterr().out
    assert command("parts", "train.max_epoch", "1", *more) == 0
    first = str(tmp_path / "parts" / "model" / "model.pth.tar-1")
    assert command("parts", "train.max_epoch", "2", "model.resume", first, *more) == 0
    paths = [tmp_path / folder / "model" / "model.pth.tar-2" for folder in ("whole", "parts")]
    whole, parts = (load_checkpoint(path)["state_dict"] for path in paths)
    assert whole.keys() == parts.keys()
    assert [name for name, value in whole.items() if not torch.equal(value, parts[name])] == []
    assert whole["backbone.blocks.0.attn.kprpe.pose.count"] == 129
    measured = metrics(tmp_path / "whole")
    assert command("test", "test.evaluate", "True", "model.load_weights", str(paths[0]), *more) == 0
    assert metrics(tmp_path / "test") == measured


@pytest.fixture
def weights(tmp_path):
    with building((64, 32), KPRPE):
        model = torchreid.models.build_model(NAME, 3, pretrained=False, use_gpu=False)
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, std=5.0 if ".kprpe." in name else 0.1)  # joints are to matter
    model.fit_pose(torch.rand(5, 17, 2), torch.ones(5, 17))
    torch.save({"state_dict": model.state_dict()}, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


@pytest.mark.slow
def test_export_and_extractor(weights, market_root, tmp_path):
    """ONNX with keypoints as its second input gives the extractor's features, for joints in the crop's pixels."""
    import onnxruntime

    crop = sorted((market_root / "market1501" / "Market-1501-v15.09.15" / "query").glob("*.jpg"))[0]
    width, height = Image.open(crop).size
    joints = np.random.default_rng(0).random((17, 3)) * (width, height, 1)
    extractor = FeatureExtractor(NAME, weights, (64, 32), device="cpu", kprpe=KPRPE)
    expected = extractor(crop, joints).numpy()
    assert export(NAME, weights, tmp_path / "x.onnx", 64, 32, KPRPE) < 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "x.onnx"), providers=["CPUExecutionProvider"])
    assert [(given.name, given.shape[1:]) for given in session.get_inputs()] == [
        ("images", [3, 64, 32]),
        ("keypoints", [17, 3]),
    ]
    _, transform = torchreid.data.transforms.build_transforms(64, 32, transforms=None)
    image = transform(Image.open(crop).convert("RGB"))[None].numpy()
    scale = np.array([32 / width, 64 / height])
    joints[:, :2] = (joints[:, :2] + 0.5) * scale - 0.5
    found = session.run(None, {"images": image, "keypoints": joints[None].astype(np.float32)})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert np.abs(extractor(crop, joints * 0.5).numpy() - expected).max() > 1e-3 * np.abs(expected).max()


def test_the_mean_pose_is_that_of_the_training_images(tmp_path):
    """In shares of each image's own size, weighted by scores; images without joints do not count."""
    sizes, people = [(40, 80), (64, 128), (30, 60)], {}
    chance = np.random.default_rng(0)
    for i, size in enumerate(sizes):
        Image.new("RGB", size).save(tmp_path / f"{i}.png")
        joints = chance.random((17, 3)) * (*size, 1)
        people[str(tmp_path / f"{i}.png")] = joints if i < 2 else np.zeros((17, 3))
    dataset = SimpleNamespace(data=[(path, 0, 0) for path in people], keypoints=CropKeypoints(people))
    with building((64, 32), {"keypoints": "constant"}):
        model = torchreid.models.build_model("vit_tiny_patch16_heatmaps", 3, pretrained=False, use_gpu=False)
    fit_pose(model, SimpleNamespace(train_loader=SimpleNamespace(dataset=dataset)))
    joints = np.stack([*people.values()][:2])
    points = (joints[..., :2] + 0.5) / np.array(sizes[:2])[:, None]
    weights = joints[..., 2:]
    expected = (points * weights).sum(0) / weights.sum(0)
    np.testing.assert_allclose(model.pose.mean, expected, rtol=1e-5)
    assert int(model.pose.count) == 2


def test_kprpe_takes_no_weight_decay():
    """Its group keeps the rate and all else; every parameter is in one group; other models stay as they are."""
    with building((64, 32)):
        model, plain = (
            torchreid.models.build_model(name, 3, pretrained=False, use_gpu=False)
            for name in (NAME, "vit_tiny_patch16")
        )
    settings = {"optim": "sgd", "lr": 0.1, "weight_decay": 0.5}
    staged = {"staged_lr": True, "new_layers": ["classifier"], "base_lr_mult": 0.01}
    for more, rate in (({}, 0.1), (staged, 0.001)):
        optimizer = torchreid.optim.build_optimizer(model, **settings, **more)
        exempt_from_decay(optimizer, nn.DataParallel(model))
        exempt = [group for group in optimizer.param_groups if group["weight_decay"] == 0]
        assert [(g["lr"], {id(p) for p in g["params"]}) for g in exempt] == [
            (rate, {id(p) for n, p in model.named_parameters() if ".kprpe." in n})
        ]
        listed = [id(p) for group in optimizer.param_groups for p in group["params"]]
        assert sorted(listed) == sorted(id(p) for p in model.parameters())
    optimizer = torchreid.optim.build_optimizer(plain, **settings)
    exempt_from_decay(optimizer, plain)
    assert len(optimizer.param_groups) == 1
