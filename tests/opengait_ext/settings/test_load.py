"""Settings: every shipped configuration in each host, overrides, and mistakes that are named."""

import importlib
from pathlib import Path

import pytest
import yaml

from opengait_ext.settings.load import load_settings, resolve_paths
from plugins.benchmarks.leaderboard import read_table
from plugins.common.settings import read_yaml
from plugins.errors import KpstraError
from plugins.kprpe import KPRPEConfig

pytest_plugins = ["host_folders"]
CONFIGS = sorted((Path(__file__).parents[3] / "configs" / "opengait").glob("*.yaml"))
KPRPE = "opengait/swingait2d_kprpe_gait3d"


@pytest.fixture
def load(host):
    """load_settings in each host."""
    importlib.import_module("modeling.base_model")
    folder = host.active
    return lambda config, *overrides, restore=0: load_settings(folder, str(config), overrides, restore)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations(load, path):
    """Each loads, keeps what it says, and is filled up with the host's defaults."""
    settings, given = load(path), read_yaml(path)
    assert settings["trainer_cfg"]["save_name"] == given["trainer_cfg"]["save_name"]
    assert settings["evaluator_cfg"]["metric"] == "euc" and "cross_view_gallery" in settings["evaluator_cfg"]
    assert settings["trainer_cfg"]["save_name"] == settings["evaluator_cfg"]["save_name"]
    assert settings["evaluator_cfg"]["restore_hint"] == settings["trainer_cfg"]["total_iter"]
    if "kprpe" in given["model_cfg"]:
        KPRPEConfig.of({key: value for key, value in given["model_cfg"]["kprpe"].items() if key != "confidence"})
        assert given["data_cfg"]["data_in_use"] == [True, True] and given["trainer_cfg"]["joint_transform"]


@pytest.mark.parametrize("table", ["leaderboard", "leaderboard_walkers"])
def test_the_rows_that_set_something(load, table):
    """One row for each of the paper's formulations and grids, named so; the settings take what every row sets."""
    rows = [row for row in read_table(table, "gait").rows if row.config and "swingait2d_kprpe" in row.config]
    beyond = {"standardised", "keypoints", "rotary"}
    further = [row for row in rows if beyond & {key.split(".")[-1] for key in row.set}]
    for row in further:  # the forms with interaction: of the image's frame
        kprpe = load(row.config, *row.overrides())["model_cfg"]["kprpe"]
        assert KPRPEConfig.of({k: v for k, v in kprpe.items() if k != "confidence"}).windows_grid == "image"
    rows = [row for row in rows if row not in further]
    seen = set()
    for row in rows:
        kprpe = load(row.config, *row.overrides())["model_cfg"]["kprpe"]
        chosen = (kprpe["formulation"], kprpe["grid"])
        assert not row.set or row.name.endswith("_".join(chosen))
        seen.add(chosen)
    wanted = {(f, g) for f in ("absolute", "relative", "multihead") for g in ("window", "image")}
    controls = {("static", "window"), *([("static", "image")] if "walkers" in table else [])}
    assert seen == wanted | controls and len(seen) == len(rows)


def test_overrides(load):
    """Sections, list items by number, new branches; the value is YAML."""
    overrides = (
        "data_cfg.dataset_root=/a b",
        "loss_cfg.0.margin=0.5",
        "trainer_cfg.sampler.batch_size.1=2",
        "model_cfg.transformer.embed_dim=64",
        "trainer_cfg.joint_transform.0.prob=1",
    )
    settings = load(KPRPE, *overrides, restore=7)
    assert settings["data_cfg"]["dataset_root"] == "/a b" and settings["loss_cfg"][0]["margin"] == 0.5
    assert settings["trainer_cfg"]["sampler"]["batch_size"] == [32, 2]
    assert settings["model_cfg"]["transformer"] == {"embed_dim": 64}
    assert settings["trainer_cfg"]["joint_transform"][0] == {"type": "RandomPerspective", "prob": 1}
    assert settings["trainer_cfg"]["restore_hint"] == settings["evaluator_cfg"]["restore_hint"] == 7


def test_a_run_of_a_warm_start_goes_on_with_its_optimiser(load):
    """--iter and a whole-number restore_hint name the run's own checkpoint; what is given beside them counts."""
    keys = ("optimizer_reset", "scheduler_reset", "restore_ckpt_strict")

    def restored(*overrides, restore=0):
        trainer = load(KPRPE, *overrides, restore=restore)["trainer_cfg"]
        return tuple(trainer[key] for key in keys)

    warm = (True, False, False)
    assert restored() == restored("trainer_cfg.restore_hint=B.pt") == restored("trainer_cfg.restore_hint=0") == warm
    assert restored(restore=20000) == restored("trainer_cfg.restore_hint=20000") == (False, False, True)
    assert restored("trainer_cfg.optimizer_reset=true", restore=20000) == (True, False, True)
    assert restored("trainer_cfg.restore_ckpt_strict=false", restore=20000) == (False, False, False)


MISTAKES = {
    "data_cfg.dataset_rot=a": r"command line: data_cfg.dataset_rot: unknown key .*'dataset_root'",
    "dat_cfg.dataset_root=a": r"dat_cfg: unknown key \(did you mean 'data_cfg'\?\)",
    "model.name=osnet": "model: a section of torchreid's configurations; give one of OpenGait's",
    "data_cfg.dataset_root": "'data_cfg.dataset_root': expected section.key=value",
    "data_cfg.dataset_root=[": "data_cfg.dataset_root: '\\[' is not YAML",
    "data_cfg.dataset_root.a=1": "data_cfg.dataset_root.a: data_cfg.dataset_root is .*, no section",
    "loss_cfg.5.margin=1": "loss_cfg.5.margin: '5': expected a number from 0 to 1",
    "trainer_cfg.sampler.frames=3": "trainer_cfg.sampler.frames: unknown key",
    "trainer_cfg.log_iter=0": "trainer_cfg.log_iter: 0: expected a whole number of at least 1",
    "trainer_cfg.seed=-1": "trainer_cfg.seed: -1: expected a whole number of at least 0",
    "evaluator_cfg.eval_func=evaluate_Gait3d": r"evaluate_Gait3d.*did you mean 'evaluate_Gait3D'",
    "optimizer_cfg.solver=AdamV": "optimizer_cfg.solver: 'AdamV'.*did you mean 'Adam",
    "optimizer_cfg.weight_deca=1": "optimizer_cfg.weight_deca: unknown key",
    "trainer_cfg.transform=[{type: BaseSilTransfrm}]": "transform.0.type: 'BaseSilTransfrm'.*'BaseSilTransform'",
    "trainer_cfg.transform=[{type: BaseSilTransform, div: 1}]": "BaseSilTransform has no such argument",
    "trainer_cfg.joint_transform=[{type: Rotate}]": "trainer_cfg.joint_transform.0.type: 'Rotate' is not one of",
    "loss_cfg=[{type: TripletLos}]": "loss_cfg.0.type: 'TripletLos'.*'TripletLoss'",
    "loss_cfg=[{type: TripletLoss, margn: 1, log_prefix: triplet}]": "loss_cfg.0.margn: unknown key.*'margin'",
}


@pytest.mark.parametrize("override", MISTAKES)
def test_mistakes_on_the_command_line(load, override):
    with pytest.raises(KpstraError, match=MISTAKES[override]):
        load(KPRPE, override)


@pytest.mark.parametrize(
    "override",
    [
        "model_cfg.kprpe=3",
        "model_cfg.transformer=3",
        "trainer_cfg.sampler=3",
        "trainer_cfg=3",
        "data_cfg=null",
        "loss_cfg=3",
        "loss_cfg=[3]",
        "model_cfg=null",
        "trainer_cfg.transform=3",
        "evaluator_cfg.sampler=null",
        "scheduler_cfg=3",
        "trainer_cfg.joint_transform=3",
        "data_cfg.data_in_use=3",
    ],
)
def test_wrong_types(load, override):
    """Never another exception than the one that is shown to the user."""
    with pytest.raises(KpstraError, match=override.partition("=")[0].rpartition(".")[2]):
        load(KPRPE, override)


@pytest.mark.parametrize("content", [b"", b"a: [", b"[1, 2]", b"\xff\xfe", b"data_cfg: 3\n", b"model_cgf: {}\n"])
def test_broken_files(load, tmp_path, content):
    """The file is named."""
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(KpstraError, match=r"broken\.yaml: "):
        load(path)


def test_missing_file(load):
    with pytest.raises(KpstraError, match="swingait2d_kprpe_gait3"):
        load("opengait/swingait2d_kprpe_gait3")


def test_paths(load, host, tmp_path, monkeypatch):
    """Relative paths are those of the working directory; OpenGait's partitions are also found in its folder."""
    monkeypatch.chdir(tmp_path)
    folder = host.active
    settings = load(KPRPE, "data_cfg.dataset_root=data", "data_cfg.dataset_partition=part.json")
    with pytest.raises(KpstraError, match=r"data_cfg.dataset_root: 'data': no such folder"):
        resolve_paths(settings, folder, "test")
    (tmp_path / "data").mkdir()
    with pytest.raises(KpstraError, match=r"data_cfg.dataset_partition: 'part\.json': no such file"):
        resolve_paths(settings, folder, "test")
    (tmp_path / "part.json").write_text("{}")
    assert resolve_paths(settings, folder, "test") == tmp_path / "part.json"
    assert settings["data_cfg"]["dataset_root"] == str(tmp_path / "data")
    with pytest.raises(KpstraError, match=r"restore_hint: .*no such checkpoint.*deepgaitv2_2d_gait3d"):
        resolve_paths(settings, folder, "train")
    if folder.kind == "opengait":
        settings = load(KPRPE, "data_cfg.dataset_root=data")
        assert resolve_paths(settings, folder, "test") == folder.root / "datasets" / "Gait3D" / "Gait3D.json"


def test_yaml_is_loaded_safely(load, tmp_path):
    """No objects are built from a configuration."""
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.dump({"data_cfg": {"dataset_root": Path("a")}}))
    with pytest.raises(KpstraError, match=r"bad\.yaml: not readable as YAML"):
        load(path)
