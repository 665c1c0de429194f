"""Evaluations and whole runs of the embedded host against OpenGait's, where a checkout is at hand."""

import copy

import numpy as np
import pytest
import torch
import yaml
from host_parity import BACKBONE, NECKS, assert_same

pytest_plugins = ["host_folders"]


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_evaluation(both, gait_data, tmp_path, monkeypatch, metric):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    names = [(f"{i:04d}", f"camid{c}", "seq0") for i in range(6, 12) for c in range(2)]
    labels, types, views = map(list, zip(*names, strict=True))
    features = rng.normal(size=(12, 5, 3)).astype(np.float32)
    data = {"embeddings": features, "labels": labels, "types": types, "views": views}
    ours, theirs = both(lambda host: host("evaluation.evaluator").evaluate_Gait3D(data, "Gait3D", metric))
    assert ours == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("model", ["SwinGait", "DeepGaitV2"])
def test_a_whole_run(both, gait_data, tmp_path, monkeypatch, model):
    """Three iterations with a test and checkpoints: same weights, optimiser, learning rates, log and results."""
    cfgs = yaml.safe_load((both.embedded / "configs" / "default.yaml").read_text())
    transform = [
        {
            "type": "Compose",
            "trf_cfg": [
                {"type": "RandomPerspective", "prob": 0.5},
                {"type": "BaseSilCuttingTransform"},
                {"type": "RandomRotate"},
            ],
        }
    ]
    cfgs["data_cfg"] = {**gait_data, "test_dataset_name": "Gait3D", "data_in_use": [True, False, False]}
    cfgs["model_cfg"] = {
        "model": model,
        "Backbone": {**BACKBONE, "mode": "2d"},
        "bin_num": [15],
        "SeparateBNNecks": {**NECKS, "class_num": 6},
    }
    cfgs["loss_cfg"] = [
        {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2},
        {"type": "CrossEntropyLoss", "log_prefix": "softmax", "log_accuracy": True},
    ]
    cfgs["optimizer_cfg"] = {"solver": "AdamW", "lr": 3e-4, "weight_decay": 0.02}
    cfgs["trainer_cfg"].update(
        total_iter=3,
        save_iter=3,
        log_iter=1,
        with_test=True,
        T_max_iter=2,
        fix_BN=False,
        transform=transform,
        sampler={
            "type": "TripletSampler",
            "sample_type": "fixed_unordered",
            "batch_size": [3, 2],
            "frames_num_fixed": 4,
        },
    )
    cfgs["evaluator_cfg"].update(eval_func="evaluate_Gait3D", restore_hint=3, save_name="run")
    cfgs["evaluator_cfg"]["sampler"]["batch_size"] = 1
    cfgs["trainer_cfg"]["save_name"] = "run"
    roots = iter(("embedded", "opengait"))

    def compute(host):
        folder = tmp_path / next(roots)
        (folder / "datasets").parent.mkdir()
        (folder / "datasets").symlink_to(tmp_path / "datasets")
        monkeypatch.chdir(folder)
        utils = host("utils")
        cls = getattr(host(f"modeling.models.{model.lower()}"), model)
        manager = utils.get_msg_mgr()
        manager.init_manager(f"output/Gait3D/{model}/run", True, 1, 0)
        utils.init_seeds(0)
        trained = cls(copy.deepcopy(cfgs), True)
        cls.run_train(trained)
        manager.writer.close()
        files = sorted(str(p.relative_to(folder).parent) for p in (folder / "output").rglob("*") if p.is_file())
        log = next((folder / "output").rglob("*.txt")).read_text().splitlines()
        log = [line.split("Cost")[1].split("s, ", 1)[1] for line in log if "Iteration" in line]
        saved = torch.load(f"output/Gait3D/{model}/run/checkpoints/run-00003.pt", weights_only=True)
        rates = [group["lr"] for group in trained.optimizer.param_groups]
        state = {key: value.clone() for key, value in trained.state_dict().items()}
        return {"files": files, "log": log, "saved": saved, "rates": rates, "state": state}

    ours, theirs = both(compute)
    assert ours["files"] == theirs["files"]
    assert len(ours["log"]) == 3
    for line, their_line in zip(ours["log"], theirs["log"], strict=True):
        fields, their_fields = (dict(field.split("=") for field in text.split(", ")) for text in (line, their_line))
        assert {k: float(v) for k, v in fields.items()} == pytest.approx(
            {k: float(v) for k, v in their_fields.items()}, abs=2e-4
        )
    assert_same(ours["rates"], theirs["rates"])
    assert_same(ours["saved"]["model"], theirs["saved"]["model"], exactly=False)
    assert ours["saved"].keys() == theirs["saved"].keys()
    assert ours["saved"]["scheduler"] == theirs["saved"]["scheduler"]
    assert ours["saved"]["optimizer"]["param_groups"] == theirs["saved"]["optimizer"]["param_groups"]
    assert_same(ours["state"], theirs["state"], exactly=False)
