"""Settings: OpenGait's own configurations load, and what OpenGait passes over in them is said."""

import logging
from functools import cache

import pytest
import yaml
from host_folders import checkout, load_host

from opengait_ext.host.active import model_class
from opengait_ext.settings.load import load_settings, read_settings, resolve_paths
from plugins.common.settings import read_yaml
from plugins.errors import KpstraError

pytest_plugins = ["host_folders"]
NO_RUN = "pretreatment_heatmap"  # the settings of datasets/pretreatment_heatmap.py
PACKAGES = {"BigGait": "imageio", "BiggerGait": "imageio", "FoundationGait": "lightly"}  # what their models import
DEEPGAIT = "opengait/deepgaitv2_2d_gait3d"


@pytest.fixture(scope="module")
def upstream(group):
    """A checkout of OpenGait."""
    with load_host(checkout()) as host:
        yield host.active


@pytest.fixture(scope="module")
def load(upstream):
    """Settings and doubts of a configuration in it, by name."""

    @cache
    def load(name):
        (path,) = (upstream.root / "configs").rglob(f"{name}.yaml")
        return path, *read_settings(upstream, str(path), [])

    return load


@pytest.fixture(scope="module")
def names(upstream):
    return sorted({path.stem for path in (upstream.root / "configs").rglob("*.yaml")} - {NO_RUN})


@pytest.mark.slow
def test_every_configuration_of_opengait_loads(load, names):
    """With what it says, passed on where no class or section is known to take it."""
    assert len(names) > 100
    for path, settings, _ in map(load, names):
        for section, given in read_yaml(path).items():
            taken = settings[section]
            assert taken == given if isinstance(given, list) else _merged(given, taken), f"{path}: {section}"


def _merged(given, taken):
    return all(_merged(v, taken[k]) if isinstance(v, dict) else taken[k] == v for k, v in given.items())


@pytest.mark.parametrize(
    ("name", "doubt"),
    [
        ("skeletongait++_GREW", "loss_cfg.0.loss_term_weights: unknown key (did you mean 'loss_term_weight'?)"),
        ("gaitgraph1_phase1", "data_cfg.frame_threshold: unknown key"),
        ("gaitgraph1_phase1_GREW", "trf_cfg.0.probability: MirrorPoses has no such argument (did you mean 'prob'?)"),
        ("gaitbase_ccpg", "transform.0.img_w: BaseSilCuttingTransform has no such argument"),
        ("gln_phase1", "trainer_cfg.fix_layers: unknown key"),
    ],
)
def test_what_opengait_passes_over_is_said(load, name, doubt):
    _, _, (said,) = load(name)
    assert f"{name}.yaml: passed on to the host, which leaves out what it does not know: " in said and doubt in said


@pytest.mark.parametrize("name", ["gaitset_OUMVLP", "phase2_e2e", "gaitssb/finetune_grew", "gaitbase_hid"])
def test_what_opengait_takes_is_not_doubted(load, name):
    """A warm start from two checkpoints, the ranking's `rerank`, and most of all."""
    assert "rerank" not in "".join(load(name)[2])
    assert not load(name)[2] or name == "gaitbase_hid"


def test_several_data_sets_are_loaded_and_not_run(upstream, load):
    _, settings, _ = load("pretrain_foundationgait_0.03B")
    assert len(settings["data_cfg"]) == 12 and settings["data_cfg"][0]["self_supervised"]
    with pytest.raises(KpstraError, match=r"data_cfg: 12 data sets: a run here has one"):
        resolve_paths(settings, upstream, "train")


def test_the_settings_of_a_script_are_none_of_a_run(load):
    with pytest.raises(KpstraError, match=r"none of its keys is a section of a run .coco18tococo17_args, "):
        load(NO_RUN)


@pytest.mark.slow
def test_every_model_is_found_or_its_package_is_named(upstream, load, names):
    for path, settings, _ in map(load, names):
        name = settings["model_cfg"]["model"]
        try:
            assert model_class(upstream, name).__name__ == name
        except KpstraError as error:
            needed = next(package for family, package in PACKAGES.items() if name.startswith(family))
            assert f"{name!r}: No module named {needed!r}; install that package" in str(error), path


def test_one_s_own_configuration_of_a_host_s_model(host, tmp_path, caplog):
    """A key that nobody knows is a warning there; typed on the command line, or for a model of ours, it is an error."""
    given = read_yaml("configs/opengait/deepgaitv2_2d_gait3d.yaml")
    given["data_cfg"]["frame_threshold"], given["optimizer_cfg"]["weight_deca"] = 5, 1
    (mine := tmp_path / "mine.yaml").write_text(yaml.safe_dump(given))
    with caplog.at_level(logging.WARNING):
        settings = load_settings(host.active, str(mine), ["data_cfg.frame_threshold=6"])
    assert settings["data_cfg"]["frame_threshold"] == 6
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == (
        f"{mine}: passed on to the host, which leaves out what it does not know: data_cfg.frame_threshold: unknown "
        "key; optimizer_cfg.weight_deca: unknown key (did you mean 'weight_decay'?)"
    )
    with pytest.raises(KpstraError, match=r"command line: data_cfg.frame_threshold: unknown key"):
        load_settings(host.active, DEEPGAIT, ["data_cfg.frame_threshold=6"])
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump({**given, "model_cfg": {"model": "SwinGait2D"}}))
    with pytest.raises(KpstraError, match=r"ours\.yaml: (data_cfg.frame_threshold|model_cfg: )"):
        load_settings(host.active, str(tmp_path / "ours.yaml"), [])


@pytest.mark.parametrize("hint", ["[]", "[3]", "{a: 1}"])
def test_wrong_lists(host, hint):
    with pytest.raises(KpstraError, match=r"trainer_cfg.restore_hint: "):
        load_settings(host.active, DEEPGAIT, [f"trainer_cfg.restore_hint={hint}"])
    with pytest.raises(KpstraError, match=r"evaluator_cfg.restore_hint: "):
        load_settings(host.active, DEEPGAIT, ["evaluator_cfg.restore_hint=[a.pt, b.pt]"])
    with pytest.raises(KpstraError, match=r"data_cfg: .*: expected keys and values, or a list of such"):
        load_settings(host.active, DEEPGAIT, ["data_cfg=[3]"])
