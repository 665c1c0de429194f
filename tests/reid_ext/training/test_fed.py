"""Engines whose model takes keypoints: those of the batch, in training and in tests, for every loss."""

from types import SimpleNamespace

import keypoint_network
import pytest
import torch
from keypoint_network import NAME, TinyKeypoints
from reid_data import arguments
from torch import nn

from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.host import torchreid
from reid_ext.models.networks import DiversityOutputs
from reid_ext.training.engines import ENGINES
from reid_ext.training.results import read_results

keypoint_network.register()
DATA = SimpleNamespace(train_loader=[], test_loader={}, num_train_pids=4, sources=[])


class TinyDiverse(DiversityOutputs, TinyKeypoints):
    """One with a diversity loss too."""

    def forward(self, images, keypoints):
        outputs = TinyKeypoints.forward(self, images, keypoints)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return (*outputs, images.mean((1, 2, 3)) * 0 + 1) if self.return_diversity else outputs[0]


@pytest.mark.parametrize("data_type", ["image", "video"])
@pytest.mark.parametrize("loss", ["softmax", "triplet"])
@pytest.mark.parametrize("diverse", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_every_engine_gives_the_batch_s_keypoints(data_type, loss, diverse, wrapped):
    network = (TinyDiverse if diverse else TinyKeypoints)(4, loss)
    model = nn.DataParallel(network) if wrapped else network
    optimizer = torchreid.optim.build_optimizer(network, optim="sgd", lr=0.1)
    engine = ENGINES[data_type, loss][diverse](DATA, model, optimizer=optimizer, use_gpu=False)
    frames = (3,) if data_type == "video" else ()
    batch = {"img": torch.rand(4, *frames, 3, 16, 8), "keypoints": torch.rand(4, *frames, 17, 3)}
    batch |= {"pid": torch.tensor([0, 0, 1, 1]), "camid": torch.zeros(4), "impath": list("abcd")}
    before = network.joints.weight.clone()
    engine.set_model_mode("train")
    engine.forward_backward(batch)
    assert torch.equal(network.seen[1], batch["keypoints"].flatten(0, -3)) and (network.joints.weight != before).any()
    engine.set_model_mode("eval")
    network.return_diversity = False
    images, *_ = engine.parse_data_for_eval({**batch, "keypoints": batch["keypoints"] + 1})
    assert engine.extract_features(images).shape == (4, 8)
    assert torch.equal(network.seen[1], batch["keypoints"].flatten(0, -3) + 1)
    del batch["keypoints"]
    for parse in (engine.parse_data_for_train, engine.parse_data_for_eval):
        with pytest.raises(KpstraError, match=r"takes keypoints, and these data have none; set data\.keypoints FILE"):
            parse(batch)


@pytest.fixture
def command(market_root, tmp_path):
    def command(*opts):
        options = ("model.name", NAME, "train.max_epoch", "1", "train.batch_size", "16", *opts)
        return main(arguments(market_root, tmp_path / "log", *options))

    return command


@pytest.mark.parametrize("loss", ["softmax", "triplet"])
def test_a_run_trains_and_tests_on_keypoints(command, market_root, tmp_path, loss, capsys):
    given = ("data.keypoints", str(market_root / "market_keypoints.json"), "loss.name", loss)
    sampler = ("sampler.train_sampler", "RandomIdentitySampler") if loss == "triplet" else ()
    assert command(*given, *sampler) == 0
    first = list(read_results(tmp_path / "log").values())[-1].metrics
    weights = str(tmp_path / "log" / "model" / "model.pth.tar-1")
    assert command(*given, "test.evaluate", "True", "model.load_weights", weights) == 0
    assert list(read_results(tmp_path / "log").values())[-1].metrics == first
    assert "tiny_keypoints: 448 parameters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "missing"),
    [((), "sources"), (("data.keypoints_sources",), "targets"), (("data.keypoints_targets",), "sources")],
)
def test_a_model_that_takes_keypoints_needs_them(command, market_root, tmp_path, given, missing, capsys):
    path = str(market_root / "market_keypoints.json")
    assert command(*(part for key in given for part in (key, path))) == 2
    said = capsys.readouterr().err
    assert f"takes keypoints: set data.keypoints FILE (or data.keypoints_{missing})" in said
    assert not (tmp_path / "log").exists()


def test_a_file_that_is_not_there(command, capsys):
    assert command("data.keypoints", "gone.npz") == 2
    assert "data.keypoints (sources, targets): gone.npz: no such file or folder" in capsys.readouterr().err


def test_a_resumed_run_ends_with_the_same_weights(command, market_root, tmp_path):
    """Two epochs with flips and crops at once, and one after the other."""
    given = (
        "data.keypoints",
        str(market_root / "market_keypoints.json"),
        "data.transforms",
        "['random_flip','random_crop']",
    )
    checkpoint = tmp_path / "log" / "model" / "model.pth.tar-2"
    assert command(*given, "train.max_epoch", "2") == 0
    whole = torch.load(checkpoint)["state_dict"]
    checkpoint.unlink()
    assert command(*given, "train.max_epoch", "2", "model.resume", str(checkpoint.with_suffix(".tar-1"))) == 0
    for name, value in torch.load(checkpoint)["state_dict"].items():
        assert torch.equal(value, whole[name]), name
