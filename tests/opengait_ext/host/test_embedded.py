"""The embedded host by itself: checkpoints, summaries, and what it says when something is wrong."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

pytest_plugins = ["host_folders"]


@pytest.fixture
def data_cfg(tmp_path):
    """Two identities with two sequences each, in training and in test."""
    for i in ("a", "b", "c", "d"):
        for view in ("v0", "v1"):
            folder = tmp_path / "data" / i / "t" / view
            folder.mkdir(parents=True)
            (folder / "0_sil.pkl").write_bytes(pickle.dumps(np.full((5, 64, 64), ord(i), np.uint8)))
    partition = tmp_path / "partition.json"
    partition.write_text(json.dumps({"TRAIN_SET": ["a", "b"], "TEST_SET": ["c", "d"]}))
    return {
        "dataset_name": "Toy",
        "dataset_root": str(tmp_path / "data"),
        "dataset_partition": str(partition),
        "num_workers": 0,
    }


@pytest.fixture
def cfgs(embedded, data_cfg, tmp_path, monkeypatch):
    """A small DeepGaitV2, to be run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    cfgs = yaml.safe_load((embedded.root / "configs" / "default.yaml").read_text())
    backbone = {"mode": "2d", "in_channels": 1, "layers": [1, 1, 1, 1], "channels": [4, 4, 4, 4]}
    loss = {"log_prefix": "softmax", "type": "CrossEntropyLoss"}
    cfgs.update(data_cfg=data_cfg, loss_cfg=[cfgs["loss_cfg"], loss])
    cfgs["model_cfg"] = {"model": "DeepGaitV2", "Backbone": backbone, "SeparateBNNecks": {"class_num": 2}}
    cfgs["trainer_cfg"].update(save_name="run", total_iter=2, save_iter=2, log_iter=1)
    cfgs["trainer_cfg"]["sampler"].update(batch_size=[2, 2], frames_num_fixed=3)
    embedded("utils").get_msg_mgr().init_manager("output/Toy/DeepGaitV2/run", False, 1)
    return cfgs


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_resuming(embedded, cfgs):
    """A run goes on from its checkpoint: weights, optimiser, schedule and iteration; float16 means nothing on a CPU."""
    assert cfgs["trainer_cfg"]["enable_float16"]
    cls = embedded("modeling.models.deepgaitv2").DeepGaitV2
    first = cls(cfgs, True)
    cls.run_train(first)
    path = Path("output/Toy/DeepGaitV2/run/checkpoints/run-00002.pt")
    assert list(path.parent.iterdir()) == [path]
    cfgs["trainer_cfg"]["restore_hint"] = 2
    again = cls(cfgs, True)
    assert again.iteration == 2 and again.scheduler.last_epoch == 2
    assert same(again.state_dict(), first.state_dict())
    key = next(iter(first.optimizer.state_dict()["state"]))
    momentum = [model.optimizer.state_dict()["state"][key]["momentum_buffer"] for model in (first, again)]
    assert torch.equal(*momentum)
    cfgs["trainer_cfg"].update(restore_hint=str(path), optimizer_reset=True, scheduler_reset=True)
    anew = cls(cfgs, True)
    assert anew.iteration == 0 and anew.scheduler.last_epoch == 0 and not anew.optimizer.state_dict()["state"]
    assert same(anew.state_dict(), first.state_dict())
    cfgs["evaluator_cfg"].update(restore_hint=2, save_name="run")
    tester = cls(cfgs, False)
    assert not tester.training and same(tester.state_dict(), first.state_dict())
    with pytest.raises(ValueError, match="batch_size: 4: a test takes one sequence"):
        cls.run_test(tester)
    cfgs["evaluator_cfg"]["sampler"]["batch_size"] = 1
    cfgs["evaluator_cfg"]["eval_func"] = "HID_submission"
    with pytest.raises(ValueError, match="'HID_submission' is not in"):
        cls.run_test(tester)
    features = tester.inference(0)["embeddings"]
    assert features.shape == (4, 4, 16) and np.allclose(features[0], features[1])


def test_fixed_batch_norm(embedded, cfgs):
    model = embedded("modeling.models.deepgaitv2").DeepGaitV2(cfgs, True)
    model.fix_BN()
    kinds = {(type(m).__name__, m.training) for m in model.modules() if not list(m.children())}
    assert {name for name, training in kinds if not training} == {"BatchNorm1d", "BatchNorm2d"}


@pytest.mark.parametrize("shape", [(3, 1, 8, 6), (10, 3, 8, 6), (3, 8, 6), (8, 6)])
def test_pictures(embedded, tmp_path, shape, monkeypatch):
    """Pictures of any number reach TensorBoard, stretched to the whole range."""
    manager, seen = embedded("utils").get_msg_mgr(), []
    manager.init_manager(str(tmp_path), False, 1)
    add = manager.writer.add_images

    def add_and_see(name, x, step):
        seen.append((name, x))
        add(name, x, step)

    monkeypatch.setattr(manager.writer, "add_images", add_and_see)
    manager.write_to_tensorboard({"image/x": torch.rand(shape) * 7 + 3, "scalar/y": torch.ones(2), "other/z": 1})
    manager.writer.close()
    ((name, picture),) = seen
    assert name == "x" and picture.shape == (1,) * (4 - len(shape)) + shape
    assert picture.amin() == 0 and picture.amax() == 1
    assert any((tmp_path / "summary").iterdir())


def sample(host, data_cfg, **settings):
    return host("data.collate_fn").CollateFn(["a"], {"sample_type": "fixed_ordered", **settings})


def broken(host, data_cfg, name, array):
    folder = Path(data_cfg["dataset_root"]) / "c" / "t" / "v0"
    (folder / name).write_bytes(pickle.dumps(array))
    return host("data.dataset").DataSet(data_cfg, training=False)[0]


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (
            lambda host, cfg: sample(host, cfg, sample_type="fixed-ordered"),
            "sample_type: 'fixed-ordered': expected one of",
        ),
        (
            lambda host, cfg: sample(host, cfg, frames_num_fixed=3),
            "frames_skip_num: missing; sample_type fixed_ordered",
        ),
        (lambda host, cfg: broken(host, cfg, "1_more.npy", []), "1_more.npy: not a .pkl file"),
        (lambda host, cfg: broken(host, cfg, "1_more.pkl", [1, 2]), "1_more.pkl: 2 frames, but .*0_sil.pkl has 5"),
        (lambda host, cfg: broken(host, cfg, "0_sil.pkl", []), "0_sil.pkl: no frames"),
        (
            lambda host, cfg: host("data.transform").get_transform({"type": "Blur"}),
            "type 'Blur' is not in data.transform",
        ),
        (lambda host, cfg: host("data.transform").get_transform("Blur"), "'Blur': expected a mapping"),
        (lambda host, cfg: host("data.transform").RandomPerspective(1)(np.ones((1, 64, 32))), "32 columns; it needs"),
        (lambda host, cfg: host("data.sampler").TripletSampler([], 4), "batch_size 4: expected"),
        (lambda host, cfg: host("evaluation.metric").cuda_dist(None, None, "cosine"), "metric: 'cosine' is neither"),
        (
            lambda host, cfg: host("evaluation.metric").evaluate_rank(np.ones((1, 2)), np.array([1]), np.array([2, 3])),
            "none of the 1 probes",
        ),
        (
            lambda host, cfg: host("modeling.loss_aggregator").LossAggregator({"type": "Focal", "log_prefix": "x"}),
            "'Focal' is not in modeling.losses",
        ),
        (lambda host, cfg: host("modeling.loss_aggregator").LossAggregator([])({"a": {}}), "training_feat.a: no loss"),
        (
            lambda host, cfg: host("modeling.losses").TripletLoss(0.2)(
                embeddings=torch.rand(3, 2, 1), labels=torch.tensor([0, 0, 1])
            ),
            "every identity needs equally many",
        ),
        (
            lambda host, cfg: host("modeling.window_transformer").SwinTransformer3D(downsample=[2, 1]),
            "downsample: .2, 1",
        ),
    ],
)
def test_errors(embedded, data_cfg, cause, message):
    with pytest.raises(ValueError, match=message):
        cause(embedded, data_cfg)


def test_modalities_without_transform(embedded, cfgs):
    model = embedded("modeling.models.deepgaitv2").DeepGaitV2(cfgs, True)
    with pytest.raises(ValueError, match="2 modalities in the input, but 1 transforms"):
        model.inputs_pretreament(([[], []], [], [], [], None))
