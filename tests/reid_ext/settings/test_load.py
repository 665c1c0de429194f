"""The schema is torchreid's, and every mistake in it is one message with file, key and value."""

import importlib.util
import os
from pathlib import Path

import pytest
import torch

from plugins.benchmarks.leaderboard import read_table
from plugins.common.settings import flatten, read_yaml
from plugins.errors import KpstraError
from reid_ext.host import torchreid
from reid_ext.models.build import build_model, check_stra, note_normalisation
from reid_ext.models.factory import MODAL, input_of, with_joints
from reid_ext.models.transformers import TRANSFORMERS, KPRPETransformer
from reid_ext.settings import load as config
from reid_ext.settings import schema
from reid_ext.settings.load import get_default_config, load_config
from reid_ext.training.margins import MARGINS

CONFIGS = Path(__file__).parents[3] / "configs" / "reid"
SHIPPED = sorted(
    path
    for path in CONFIGS.glob("*.yaml")
    if path.stem.startswith(("mobilenet", "resnet", "se_")) and "_face" not in path.stem
)
FACES = sorted(path for path in CONFIGS.glob("*.yaml") if "_face" in path.stem or path.stem.startswith("fer_"))


@pytest.fixture(scope="module")
def upstream():
    home = os.environ.get("TORCHREID_HOME")
    path = Path(home or "", "scripts", "default_config.py")
    if not home or not path.is_file():
        pytest.skip("TORCHREID_HOME names no torchreid checkout with scripts/default_config.py")
    spec = importlib.util.spec_from_file_location("upstream_default_config", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_schema_is_upstreams(upstream):
    ours = flatten(get_default_config())
    theirs = flatten(upstream.get_default_config())
    added = {key for key in ours if key not in theirs}
    shape = {f"stra.{key}" for key in ("groups", "kernel_size", "ratio", "gate")}
    stra = {"stra.weight_d", "stra.pretrained_path", "stra.pretrained_last_stage", *shape}
    keypoints = {"data.keypoints", "data.keypoints_sources", "data.keypoints_targets"}
    kprpe = {f"kprpe.{key}" for key in KPRPETransformer.settings}
    margins = {f"loss.{name}.{key}" for name in MARGINS for key in ("margin", "scale")}
    adaface = {"loss.adaface.h", "loss.adaface.t_alpha"}
    own = {"use_gpu", "model.partial_weights", "train.save_freq", "train.warmup_epoch"}
    affine = {f"data.affine.{key}" for key in ("scale", "degrees", "turn_prob", "shift")}
    assert added == {*own, *stra, *kprpe, *keypoints, *margins, *adaface, *affine}
    assert {key: ours[key] for key in theirs} == theirs


def test_host_arguments_are_upstreams(upstream):
    cfg = get_default_config()
    # a value of its own for every key, so that a swapped pair shows
    for i, key in enumerate(flatten(cfg)):
        section, _, name = key.rpartition(".")
        node = cfg
        for part in filter(None, section.split(".")):
            node = node[part]
        node[name] = i
    cfg.data.type = "image"
    assert config.datamanager_kwargs(cfg) == upstream.imagedata_kwargs(cfg)
    assert config.optimizer_kwargs(cfg) == upstream.optimizer_kwargs(cfg)
    assert config.scheduler_kwargs(cfg) == upstream.lr_scheduler_kwargs(cfg)
    assert config.engine_run_kwargs(cfg) == upstream.engine_run_kwargs(cfg)
    cfg.data.type = "video"
    assert config.datamanager_kwargs(cfg) == upstream.videodata_kwargs(cfg)


def test_choices_are_the_hosts():
    assert set(schema.CHOICES["train.optim"]) == {*torchreid.optim.optimizer.AVAI_OPTIMS, "adamw"}
    assert set(schema.CHOICES["train.lr_scheduler"]) == set(torchreid.optim.lr_scheduler.AVAI_SCH)
    assert set(schema.SAMPLERS) == set(torchreid.data.sampler.AVAI_SAMPLERS)


def test_later_sources_win(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("data: {root: a, height: 64}\ntrain: {lr: 3e-4, gamma: 1}\n")
    cfg = load_config(str(path), ["train.lr", "0.1", "data.transforms", "['random_crop']"], root="b", sources=["viper"])
    assert (cfg.data.root, cfg.data.height, cfg.train.lr, cfg.train.gamma) == ("b", 64, 0.1, 1.0)
    assert (cfg.data.sources, cfg.data.targets, cfg.data.transforms) == (["viper"], ["market1501"], ["random_crop"])
    assert isinstance(cfg.train.gamma, float)


def test_a_margin_of_a_loss_that_is_not_chosen():
    with pytest.raises(KpstraError, match=r"^loss\.adaface\.margin: has no effect under loss\.name softmax; "):
        load_config(opts=["loss.adaface.margin", "0.9"])
    cfg = load_config(opts=["loss.adaface.margin", "0.9", "loss.name", "adaface", "loss.cosface.scale", "64"])
    assert (cfg.loss.name, cfg.loss.adaface.margin) == ("adaface", 0.9)


@pytest.mark.parametrize(
    ("model", "key", "value"),
    [
        ("resnet50_fc512", "weight_d", "7"),
        ("resnet50_fc512", "pretrained_path", "here.pth"),
        ("resnet50_fc512", "gate", "softmax"),
        ("resnet50_fc512", "pretrained_last_stage", "False"),
        ("resnet50_conv", "pretrained_last_stage", "False"),
        ("vit_small_patch16", "pretrained_last_stage", "False"),
    ],
)
def test_settings_of_stra_without_an_effect(model, key, value):
    cfg = load_config(opts=["model.name", model, f"stra.{key}", value])
    with pytest.raises(KpstraError, match=rf"^stra\.{key}: has no effect on {model}; leave it out, or choose"):
        check_stra(cfg)


def test_shipped_settings_of_stra_have_an_effect():
    """Of configurations and rows; the weight of the diversity loss may stand in what a network shares with another."""
    for path in CONFIGS.glob("*.yaml"):
        check_stra(load_config(str(path)))
    for path in CONFIGS.parent.glob("leaderboard*.yaml"):
        if "reid" in read_yaml(path):
            for row in read_table(str(path), "reid").rows:
                if row.config is not None:
                    check_stra(load_config(row.config, [text for k, v in row.set.items() for text in (k, str(v))]))
    for opts in (
        ["model.name", "resnet50_face", "stra.weight_d", "0.1"],
        ["model.name", "swin_tiny_modes", "stra.weight_d", "7", "stra.pretrained_path", "here.pth"],
        ["model.name", "mobilenetv2_x1_0_stra_local", "stra.weight_d", "0", "stra.pretrained_last_stage", "False"],
    ):
        check_stra(load_config(opts=opts))


def test_a_list_that_a_file_empties_takes_items_again(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("data: {transforms: []}")
    assert load_config(str(path)).data.transforms == []
    assert load_config(str(path), transforms=["random_crop"]).data.transforms == ["random_crop"]
    assert load_config(str(path), ["data.transforms", "['random_erase']"]).data.transforms == ["random_erase"]


@pytest.mark.parametrize(
    ("opts", "parts"),
    [
        (["train.bath_size", "8"], ["train.bath_size", "'8'", "did you mean 'train.batch_size'"]),
        (["lr", "0.1"], ["lr", "did you mean 'train.lr'"]),
        (["train", "3"], ["train", "section", "train.lr"]),
        (["train.lr", "fast"], ["train.lr", "'fast'", "float"]),
        (["data.workers", "1.5"], ["data.workers", "int"]),
        (["model.pretrained", "1"], ["model.pretrained", "bool"]),
        (["data.sources", "market1501"], ["data.sources", "list", "['market1501']"]),
        (["data.norm_mean", "[1, 2, 'x']"], ["data.norm_mean", "'x'"]),
        (["train.lr"], ["train.lr", "need a value"]),
        (["train.lr", "1", "--root", "x"], ["--root", "options come before"]),
        (["loss.name", "tripllet"], ["loss.name", "'tripllet'", "softmax, triplet", "did you mean 'triplet'"]),
        (["data.type", "images"], ["data.type", "'images'", "image, video"]),
        (["data.transforms", "['random_flop']"], ["data.transforms", "'random_flop'", "random_flip"]),
        (["train.batch_size", "0"], ["train.batch_size", "1 or more"]),
        (["test.ranks", "[]"], ["test.ranks", "1 or more"]),
        (["test.ranks", "[1, 60]"], ["test.ranks", "60", "50"]),
        (["data.targets", "[]"], ["data.targets", "at least one"]),
        (["test.visrank", "True"], ["test.visrank", "test.evaluate True"]),
        (["test.rerank", "True"], ["test.rerank", "test.evaluate True"]),
        (["loss.name", "triplet", "loss.triplet.weight_t", "0"], ["loss.triplet.weight_t", "both 0"]),
        (["data.sources", "['market1501', 'market1501']"], ["data.sources", "the same data set twice"]),
        (["data.type", "video", "video.sample_method", "all"], ["video.sample_method: all", "train.batch_size"]),
        (["loss.name", "triplet", "train.fixbase_epoch", "2"], ["train.fixbase_epoch", "weight_x"]),
    ],
)
def test_mistakes_on_the_command_line(opts, parts):
    with pytest.raises(KpstraError) as error:
        load_config(opts=opts)
    assert all(part in str(error.value) for part in parts), error.value


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("train: {lrr: 1}", ["train.lrr", "1", "did you mean 'train.lr'"]),
        ("stra: {weight: {d: 1}}", ["stra.weight", "did you mean 'stra.weight_d'"]),
        ("loss: softmax", ["loss", "'softmax'", "loss.name"]),
        ("loss: {name: tripllet}", ["loss.name", "'tripllet'", "triplet"]),
        ("data: {height: tall}", ["data.height", "'tall'", "int"]),
        ("train: {lr: [", ["not readable as YAML", "line 1"]),
        ("- a\n- b", ["expected sections"]),
        ("# nothing\n", ["is empty; expected sections such as `model:`"]),
        ("data_cfg: {dataset_name: x}", ["data_cfg: a section of OpenGait's configurations; give one of torchreid's"]),
    ],
)
def test_mistakes_in_a_file_name_it(tmp_path, text, parts):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(KpstraError) as error:
        load_config(str(path))
    assert all(part in str(error.value) for part in [str(path), *parts]), error.value
    assert "\n" not in str(error.value)


def test_unknown_configuration_names_the_nearest():
    with pytest.raises(KpstraError, match="resnet50_stra"):
        load_config("configs/reid/resnet50_strra.yaml")


def test_text_stays_text():
    assert load_config(opts=["data.save_dir", "2024"]).data.save_dir == "2024"
    assert load_config(opts=["model.name", "'resnet50'"]).model.name == "resnet50"


def test_defaults_are_not_shared():
    get_default_config().data.sources.append("viper")
    assert get_default_config().data.sources == ["market1501"]


def test_use_gpu_without_a_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert load_config().use_gpu is False
    with pytest.raises(KpstraError, match="use_gpu"):
        load_config(opts=["use_gpu", "True"])


def test_every_row_of_the_tables_has_a_configuration():
    baselines = {"resnet50_fc512", "se_resnet50_fc512"}
    from reid_ext.models.factory import MODELS

    rows = read_table("leaderboard", "reid").rows
    set_by_rows = {row.set["model.name"] for row in rows if "model.name" in row.set}
    assert {path.stem for path in SHIPPED} == (set(MODELS) | baselines) - set_by_rows


def test_rows_with_joints_are_networks_of_the_factory():
    """Each merges and checks, with its keypoints, and stands beside its plain network; KP-RPE beside the static one."""
    rows = read_table("leaderboard_keypoints", "reid").rows
    for row in rows:
        cfg = load_config(row.config, [text for pair in row.set.items() for text in pair])
        if cfg.model.name in MODAL:
            alone = row.name.endswith("_constant")
            assert cfg.kprpe.keypoints == ("constant" if alone else "given") and not cfg.data.keypoints
            assert row.control == (row.name.replace("modes_constant", "static") if alone else f"{row.name}_constant")
            continue
        assert cfg.model.name in TRANSFORMERS and cfg.data.keypoints and cfg.loss.name == "triplet"
        kind = row.name.rpartition("_")[2]
        beside = {"plain": None, "kprpe": "static"}.get(kind, "plain")
        assert row.control == (beside and row.name.replace(kind, beside))
        assert cfg.model.name == row.name.removesuffix("_plain")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configuration_is_the_papers_recipe(path):
    cfg = load_config(f"configs/reid/{path.name}")
    assert (cfg.model.name, cfg.data.save_dir) == (path.stem, f"log/{path.stem}")
    assert set(cfg.data.transforms) == {"random_flip", "random_crop", "random_erase"}
    assert (cfg.data.height, cfg.data.width, cfg.data.sources, cfg.data.targets) == (
        256,
        128,
        ["market1501"],
        ["market1501"],
    )
    train = cfg.train
    assert (train.optim, train.lr, train.weight_decay, train.batch_size) == ("adam", 3e-4, 5e-4, 32)
    assert (train.lr_scheduler, train.stepsize, train.gamma, train.max_epoch) == ("single_step", [20], 0.2, 100)
    assert train.fixbase_epoch == 8
    assert (cfg.loss.name, cfg.loss.softmax.label_smooth, cfg.stra.weight_d) == ("softmax", True, 1.0)
    assert (cfg.test.normalize_feature, cfg.test.dist_metric, cfg.test.rerank) == (True, "euclidean", False)
    defaults = flatten(get_default_config())
    written = list(config._leaves(read_yaml(path), get_default_config()))
    assert [key for key, value in written if defaults[key] == value] == []  # nothing repeated


@pytest.mark.parametrize("path", FACES, ids=lambda path: path.stem)
def test_recipes_of_faces_have_the_images_of_their_networks(path, capsys):
    """Size and normalisation; nothing repeated; no network of ImageNet's weights."""
    cfg = load_config(f"configs/reid/{path.name}")
    images = input_of(cfg.model.name)
    assert (cfg.model.name, cfg.data.save_dir) == (path.stem, f"log/{path.stem}")
    assert (cfg.data.height, cfg.data.width) == images.size and not cfg.model.pretrained
    assert bool(cfg.data.keypoints) == with_joints(cfg.model.name)
    note_normalisation(cfg)
    assert not capsys.readouterr().out
    cfg.data.norm_mean = [0.4, 0.4, 0.4]
    note_normalisation(cfg)
    assert "Note: data.norm_mean [0.4, 0.4, 0.4]" in capsys.readouterr().out
    defaults = flatten(get_default_config())
    written = list(config._leaves(read_yaml(path), get_default_config()))
    assert [key for key, value in written if defaults[key] == value] == []


def test_the_rate_of_the_expressions_recipe_is_the_published_one():
    """0.01 x 0.9^((e - 80) // 5) after epoch 80, counted from 0."""
    cfg = load_config("reid/fer_resnet_stra.yaml")
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], cfg.train.lr)
    scheduler = torchreid.optim.build_lr_scheduler(optimizer, **config.scheduler_kwargs(cfg))
    optimizer.step()
    for epoch in range(cfg.train.max_epoch):
        expected = 0.01 * 0.9 ** ((epoch - 80) // 5 if epoch > 80 else 0)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-9)
        scheduler.step()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("data.affine.scale", "[]", "two numbers, the smaller one first"),
        ("data.split_id", "-1", "0 or more"),  # torchreid would take the last split
    ],
)
def test_values_that_the_host_would_take_otherwise(key, value, said):
    with pytest.raises(KpstraError, match=rf"{key}: .*: expected {said}"):
        load_config(opts=[key, value])


def test_a_checkpoint_that_replaces_all_weights_needs_none_of_imagenet_s():
    """In a test and in a resumed run; a wide MobileNetV2's cannot be had by a program."""
    wide = ["model.name", "mobilenetv2_x1_4_stra", "model.pretrained", "True", "data.height", "64", "data.width", "32"]
    for opts in (["test.evaluate", "True", "model.load_weights", "x.pth"], ["model.resume", "x.pth"]):
        build_model(load_config(opts=[*wide, *opts]), 3)
    for opts in ([], ["test.evaluate", "True", "model.load_weights", "x.pth", "model.partial_weights", "True"]):
        with pytest.raises(KpstraError, match="cannot be downloaded by a program"):
            build_model(load_config(opts=[*wide, *opts]), 3)
