"""Recipes of data sets beside Gait3D: OpenGait's depth, iterations and samplers there; one start for both networks."""

from pathlib import Path

import pytest
from host_folders import checkout

from opengait_ext.settings.load import recipe
from opengait_ext.training.checkpoints import checkpoint_path
from opengait_ext.training.record import output_folder
from plugins.common.settings import flatten, read_yaml

OWN = {  # data set -> OpenGait's SwinGait there, if it has one
    "grew": "swingait3D_B1442C2_GREW",
    "oumvlp": None,
    "casiab": None,
    "sustech1k": "swingait3D_B1122C2_SUSTech1K",
    "ccpg": "swingait3D_B1122C2_CCPG",
}
SAME = (
    *("data_cfg.dataset_name", "data_cfg.test_dataset_name", "data_cfg.dataset_partition"),
    *("trainer_cfg.total_iter", "trainer_cfg.sampler.batch_size", "trainer_cfg.sampler.frames_num_fixed"),
    *("trainer_cfg.sampler.sample_type", "trainer_cfg.sampler.frames_skip_num", "trainer_cfg.sampler.type"),
    *("model_cfg.SeparateBNNecks.class_num", "evaluator_cfg.eval_func", "evaluator_cfg.sampler.frames_all_limit"),
)
OF_SWIN = "trainer_cfg.T_max_iter", "model_cfg.Backbone.layers", "optimizer_cfg.lr", "optimizer_cfg.weight_decay"
OF_TRUNK = "model_cfg.Backbone.layers", "scheduler_cfg.milestones", "optimizer_cfg.lr"


def differences(mine, theirs, keys):
    ours, upstream = flatten(recipe(mine)), flatten(read_yaml(theirs))
    upstream.setdefault("evaluator_cfg.eval_func", "evaluate_indoor_dataset")  # of OpenGait's default.yaml
    return {key: (ours[key], upstream[key]) for key in keys if ours[key] != upstream[key]}


@pytest.mark.parametrize("name", OWN)
def test_depth_iterations_and_samplers_are_opengait_s(name):
    configs = checkout() / "configs"
    trunk = configs / "deepgaitv2" / f"DeepGaitV2_{name}.yaml"
    assert not differences(f"deepgaitv2_2d_{name}", trunk, (*SAME, *OF_TRUNK))
    if OWN[name]:
        swin = configs / "swingait" / f"{OWN[name]}.yaml"
        assert not differences(f"swingait2d_{name}", swin, (*SAME, *OF_SWIN))
    else:
        assert not differences(f"swingait2d_{name}", trunk, SAME)
        trainer = recipe(f"swingait2d_{name}")["trainer_cfg"]
        assert trainer["T_max_iter"] == trainer["total_iter"]


@pytest.mark.parametrize("name", OWN)
def test_both_networks_start_from_the_trunk_and_differ_in_the_joints_alone(name):
    trunk, plain, kprpe = (recipe(f"{kind}_{name}") for kind in ("deepgaitv2_2d", "swingait2d", "swingait2d_kprpe"))
    last = trunk["trainer_cfg"]["total_iter"]
    start = checkpoint_path(output_folder(trunk, training=True), trunk["trainer_cfg"]["save_name"], last)
    assert Path(plain["trainer_cfg"]["restore_hint"]) == Path(kprpe["trainer_cfg"]["restore_hint"]) == start
    one, other = flatten(plain), flatten(kprpe)
    differ = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    joints = ("kprpe.", "transform", "save_name", "data_in_use", "model_cfg.model")
    assert all(any(part in key for part in joints) for key in differ)
    steps = [step["type"] for step in kprpe["trainer_cfg"]["joint_transform"]]
    assert steps == [step["type"] for step in plain["trainer_cfg"]["transform"][0]["trf_cfg"]]
