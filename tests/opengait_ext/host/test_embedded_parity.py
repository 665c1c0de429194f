"""The embedded host against OpenGait itself, where a checkout is at hand: same seed, same everything."""

import copy
import json
import pickle
import random
import sys

import numpy as np
import pytest
import torch
import yaml
from torch import nn

pytest_plugins = ["host_folders"]
BACKBONE = {"in_channels": 1, "layers": [1, 1, 1, 1], "channels": [8, 12, 16, 20]}
NECKS = {"in_channels": 256, "class_num": 5, "parts_num": 16}
RANDOM = [
    {"type": "RandomHorizontalFlip"},
    {"type": "RandomErasing"},
    {"type": "RandomErasing", "per_frame": True},
    {"type": "RandomRotate"},
    {"type": "RandomPerspective"},
    {"type": "RandomAffine"},
    {
        "type": "Compose",
        "trf_cfg": [
            {"type": "RandomPerspective", "prob": 0.7},
            {"type": "BaseSilTransform"},
            {"type": "RandomHorizontalFlip", "prob": 0.7},
            {"type": "RandomRotate", "prob": 0.7},
        ],
    },
]


def seed(number):
    """Seed everything that a host draws from."""
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def assert_same(a, b, exactly=True):
    """Compare nested results, numbers to 1e-5 unless ``exactly``."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key], exactly)
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y, exactly)
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, **({"atol": 0, "rtol": 0} if exactly else {"atol": 1e-5, "rtol": 1e-5}))
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, float):
        assert a == pytest.approx(b, abs=1e-6)
    else:
        assert a == b


def network(cls, model_cfg):
    """A model without loaders, losses and optimiser."""
    model = cls.__new__(cls)
    nn.Module.__init__(model)
    model.T_max_iter, model.iteration, model.optimizer = 10, 0, torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    model.optimizer.param_groups[0]["initial_lr"] = 1.0
    seed(3)
    model.build_network(model_cfg)
    model.init_parameters()
    return model


def outputs(model, frames=4):
    """State, and outputs in training (with its randomness) and, of two sequences of unequal length, in evaluation."""
    state = copy.deepcopy(model.state_dict())
    sils, labels = torch.rand(3, frames, 64, 44), torch.arange(3)
    model.train()
    seed(4)
    trained = model(([sils], labels, None, None, None))
    loss = trained["training_feat"]["softmax"]["logits"].square().mean()
    loss.backward()
    model.eval()
    with torch.no_grad():
        tested = model(([sils[:1]], labels[:1], None, None, torch.tensor([[frames - 3, 3]])))
    return state, [trained, tested, {name: p.grad for name, p in model.named_parameters()}]


@pytest.mark.parametrize("frames", [4, 7])
def test_swingait(both, frames):
    cfg = {"Backbone": BACKBONE, "SeparateBNNecks": NECKS, "bin_num": [15]}
    (state, out), (their_state, their_out) = both(
        lambda host: outputs(network(host("modeling.models.swingait").SwinGait, cfg), frames)
    )
    assert_same(state, their_state)
    assert_same(out, their_out, exactly=False)


@pytest.mark.parametrize("mode", ["2d", "p3d", "3d"])
def test_deepgaitv2(both, mode):
    cfg = {"Backbone": {**BACKBONE, "mode": mode}, "SeparateBNNecks": NECKS, "use_emb2": mode == "2d"}
    (state, out), (their_state, their_out) = both(
        lambda host: outputs(network(host("modeling.models.deepgaitv2").DeepGaitV2, cfg))
    )
    assert_same(state, their_state)
    assert_same(out, their_out, exactly=False)


def test_window_functions(both):
    """The mask of shifted windows, windows of small features, and the initialiser."""

    def compute(host):
        swin = host("modeling.models.swingait")
        found = []
        for window, shift in (((3, 3, 5), (1, 1, 2)), ((1, 3, 5), (0, 1, 2)), ((2, 4, 4), (0, 0, 0))):
            size = tuple(3 * side for side in window)
            found.append(swin.compute_mask(*size, window, shift, torch.device("cpu")))
            found.append(swin.get_window_size((2, 3, 9), window, shift))
            windows = swin.window_partition(torch.arange(2.0 * 27 * np.prod(window)).view(2, *size, 1), window)
            found += [windows, swin.window_reverse(windows, window, 2, *size)]
        seed(0)
        return [*found, swin.trunc_normal_(torch.empty(999)), swin.trunc_normal_(torch.empty(99), 0.5, 0.02, -1.0, 0.5)]

    assert_same(*both(compute))


@pytest.mark.parametrize("window", [[1, 3, 5], [3, 3, 5], [2, 7, 7]])
@pytest.mark.parametrize("frames", [1, 5])
def test_shifted_windows_of_any_size(both, window, frames):
    def compute(host):
        seed(0)
        net = host("modeling.models.swingait").SwinTransformer3D(
            patch_size=[2, 2, 2],
            in_chans=3,
            embed_dim=16,
            depths=[2],
            num_heads=[2],
            window_size=window,
            drop_path_rate=0.3,
            drop_rate=0.1,
            patch_norm=True,
            downsample=[0],
        )
        net.norm = nn.Identity()
        for parameter in net.parameters():
            nn.init.normal_(parameter, 0, 0.3)
        x = torch.randn(2, 3, frames, 21, 13)
        net.train()
        return net(x)

    assert_same(*both(compute), exactly=False)


@pytest.fixture
def gait_data(tmp_path):
    """A ``data_cfg``: six training and six test identities with two or more sequences of three modalities."""
    rng = np.random.default_rng(0)
    ids = [f"{i:04d}" for i in range(12)]
    for i in ids:
        for camera in range(2):
            for sequence in range(2 if i == "0003" else 1):
                folder = tmp_path / "data" / i / f"camid{camera}" / f"seq{sequence}"
                folder.mkdir(parents=True)
                frames = int(rng.integers(3, 12))
                for name, shape in (("0_sil", (64, 64)), ("1_keypoints", (17, 3)), ("2_more", (2,))):
                    array = rng.integers(0, 256, (frames, *shape)).astype(np.uint8)
                    (folder / f"{name}.pkl").write_bytes(pickle.dumps(array))
    (tmp_path / "data" / "0001" / "camid0" / "empty").mkdir()
    probe_set = [f"{i}-camid0-seq0" for i in ids[6:8]]
    partition = {"TRAIN_SET": [*ids[:6], "9999"], "TEST_SET": ids[6:], "PROBE_SET": probe_set}
    probes = tmp_path / "datasets" / "Gait3D" / "Gait3D.json"
    probes.parent.mkdir(parents=True)
    probes.write_text(json.dumps(partition))
    return {
        "dataset_name": "Gait3D",
        "dataset_root": str(tmp_path / "data"),
        "dataset_partition": str(probes),
        "num_workers": 0,
    }


SAMPLE_TYPES = [
    f"{length}_{order}" for length in ("fixed", "unfixed", "all") for order in ("ordered", "unordered", "allordered")
]


@pytest.mark.parametrize("sample_type", SAMPLE_TYPES)
@pytest.mark.parametrize("in_use", [None, [True, True, False], [1, 0]])
def test_samples(both, gait_data, sample_type, in_use):
    sampler = {
        "sample_type": sample_type,
        "frames_num_fixed": 6,
        "frames_num_min": 2,
        "frames_num_max": 9,
        "frames_skip_num": 3,
        "frames_all_limit": 5,
    }
    data_cfg = {**gait_data, "cache": in_use is None, **({"data_in_use": in_use} if in_use else {})}

    def compute(host):
        dataset = host("data.dataset").DataSet(data_cfg, training=True)
        samplers, collate = host("data.sampler"), host("data.collate_fn").CollateFn(dataset.label_set, sampler)
        seed(5)
        drawn = [[dataset.label_list, dataset.types_set, dataset.views_set, dataset.indices_dict]]
        for instance in (
            samplers.TripletSampler(dataset, [3, 2], True),
            samplers.TripletSampler(dataset, [2, 3]),
            samplers.TripletSampler(dataset, [7, 1]),
            samplers.CommonSampler(dataset, 5, False),
            samplers.InferenceSampler(dataset, 1),
            samplers.InferenceSampler(dataset, 4),
        ):
            batches = [indices for _, indices in zip(range(3), instance, strict=False)]
            drawn.append([len(instance), batches, *(collate([dataset[i] for i in batch]) for batch in batches)])
        test = host("data.dataset").DataSet(data_cfg, training=False)
        return [drawn, test.label_list, len(test[0][0]), test[0][1], torch.rand(1), np.random.rand()]

    assert_same(*both(compute))


@pytest.mark.parametrize("config", RANDOM, ids=lambda config: config["type"])
def test_random_transforms(both, config):
    def compute(host):
        transform = host("data.transform").get_transform(config)
        found = []
        for number in range(20):
            seq = np.random.default_rng(number).integers(0, 256, (3, 64, 44)).astype(np.uint8)
            seed(number)
            found.append(np.ascontiguousarray(transform(seq)))
            if config["type"] != "RandomErasing":  # which takes no channels
                colour = np.random.default_rng(number).random((2, number % 2 * 2 + 1, 64, 44))
                found.append(np.ascontiguousarray(transform(colour)))
        return found

    assert_same(*both(compute))


def test_plain_transforms(both):
    configs = [
        None,
        {"type": "NoOperation"},
        {"type": "BaseSilTransform"},
        {"type": "BaseSilTransform", "divsor": 7.0},
        {"type": "BaseSilTransform", "img_shape": [1, 64, 64]},
        {"type": "BaseSilCuttingTransform"},
        {"type": "BaseSilCuttingTransform", "cutting": 0},
        {"type": "BaseSilCuttingTransform", "cutting": 3},
    ]
    seq = np.random.default_rng(0).integers(0, 256, (3, 64, 64)).astype(np.uint8)
    assert_same(*both(lambda host: [host("data.transform").get_transform([config])[0](seq) for config in configs]))


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


def test_default_configuration(both):
    """The same keys and values."""

    def compute(host):
        return yaml.safe_load((host.root / "configs" / "default.yaml").read_text())

    ours, theirs = both(compute)
    assert ours == theirs


def test_names(both):
    """Every public helper of ours is OpenGait's, but the one for devices; what nothing here calls is left out."""
    ours, theirs = both(lambda host: {name for name in vars(host("utils")) if not name.startswith("_")})
    assert ours - theirs == {"run_device", "DDPPassthrough"}
    unused = {"is_str", "is_int", "is_int_list", "is_array", "config_loader"}
    assert theirs - ours == {"handler", "Ntuple", *unused}
    assert "modeling" not in sys.modules
