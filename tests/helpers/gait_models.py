"""The models of opengait_ext built inside each host folder, and batches for them. A plugin of the host tests."""

import importlib
import sys

import pytest
import torch
from gait_data import write_data

from opengait_ext.models import MODELS
from opengait_ext.settings.load import load_settings, resolve_paths
from opengait_ext.training.session import adapt

OURS = tuple(
    f"opengait_ext.{name}" for name in (*(f"models.{m}" for m in ("blocks", "rates", *MODELS.values())), "hosted")
)
SMALL = (
    "model_cfg.Backbone.layers=[1,1,2,2]",
    "model_cfg.Backbone.channels=[8,16]",
    "model_cfg.SeparateBNNecks={in_channels: 16, class_num: 4, parts_num: 16}",
)
START = ("trainer_cfg.restore_hint=0", "trainer_cfg.sampler.batch_size=[4, 4]")
TINY = (*SMALL, "model_cfg.transformer={embed_dim: 16, num_heads: [2, 4]}")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("gait"), frames=6)


@pytest.fixture
def build(host, data, tmp_path, monkeypatch):
    """A function that builds the model of a configuration as a run does, or as the host alone would."""
    importlib.import_module("modeling.base_model")
    importlib.import_module("evaluation.evaluator")
    for name in OURS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.chdir(tmp_path)
    host("utils").get_msg_mgr().init_manager("output", False, 1)
    folder = host.active

    def model(config, *overrides, training=True, seed=0, hosted=True):
        paths = f"data_cfg.dataset_root={data / 'data'}", f"data_cfg.dataset_partition={data / 'partition.json'}"
        settings = load_settings(folder, config, (*paths, *START, *overrides))
        resolve_paths(settings, folder, "train")
        adapt(settings, "cpu")
        room, name = ("training.hosted", "hosted_class") if hosted else ("host.active", "model_class")
        choose = getattr(importlib.import_module(f"opengait_ext.{room}"), name)
        torch.manual_seed(seed)
        return choose(folder, settings["model_cfg"]["model"])(settings, training)

    yield model
    for name in OURS:
        sys.modules.pop(name, None)


def inputs(n=2, s=3, joints=True, seed=0):
    """What a host's inputs_pretreament gives a model."""
    chance = torch.Generator().manual_seed(seed)
    silhouettes = torch.rand(n, s, 64, 44, generator=chance)
    keypoints = torch.rand(n, s, 17, 3, generator=chance) * torch.tensor([43.0, 63.0, 1.0])
    modalities = [silhouettes, keypoints] if joints else [silhouettes]
    return modalities, torch.arange(n), ["seq"] * n, ["view"] * n, None


def embeddings(model, batch, training=False):
    model.train(training)
    for block in model.modules():
        block.training = training
    return model(batch)["inference_feat"]["embeddings"]
