"""`opengait-ext export`: outputs in onnxruntime equal the network's for any batch and number of frames."""

import programs
import pytest

from plugins.common.settings import resolve_config

onnxruntime = pytest.importorskip("onnxruntime")

# In a process of its own, as hosts' modules are global.
SCRIPT = """
import sys
import numpy as np, onnxruntime, torch
from opengait_ext.benchmarks.speed.scaling import host_models
from opengait_ext.__main__ import main
from opengait_ext.training.export import Embeddings, example

config, folder, *options = sys.argv[1:]
size = (128, 88) if "--size" in options else (64, 44)
with host_models("cpu") as build:
    model = build(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter += (2.0 if "kprpe" in name else 0.02) * torch.randn_like(parameter)
torch.save({"model": model.state_dict()}, f"{folder}/x.pt")
files = ["--checkpoint", f"{folder}/x.pt", "--output", f"{folder}/x.onnx"]
assert main(["export", "--cfgs", config, *files, *options]) == 0
session = onnxruntime.InferenceSession(f"{folder}/x.onnx")
names = [one.name for one in session.get_inputs()]
print(names, [one.shape for one in session.get_inputs()], [one.name for one in session.get_outputs()])
for sequences, frames in ((1, 4), (4, 4)) if "--frames" in options else ((1, 8), (4, 2)):
    given = example(model, sequences, frames, size)
    assert list(given) == names
    with torch.no_grad():
        wanted = Embeddings(model)(*given.values()).numpy()
    found, = session.run(None, {name: value.numpy() for name, value in given.items()})
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()
    if "keypoints" in given:
        given["keypoints"] = given["keypoints"].roll(1, 2)
        other, = session.run(None, {name: value.numpy() for name, value in given.items()})
        assert np.abs(other - found).max() > 1e-2 * np.abs(found).max()
"""


def exported(folder, config, *options):
    process = programs.run("opengait_ext", "-c", SCRIPT, str(config), str(folder), *options)
    assert {path.suffix for path in folder.iterdir()} == {".onnx", ".pt"}
    return process.stdout


@pytest.mark.slow
@pytest.mark.parametrize("config", ["pets_swingait2d", "pets_swingait2d_kprpe", "walkers_deepgaitv2_kprpe"])
def test_exported(tmp_path, config):
    printed = exported(tmp_path, f"opengait/{config}")
    assert "['batch', 'frames', 64, 44]" in printed and "['embeddings']" in printed


@pytest.mark.slow
def test_windows_over_time_have_a_fixed_number_of_frames(tmp_path, tmp_path_factory):
    config = tmp_path_factory.mktemp("config") / "x.yaml"
    text = resolve_config("opengait/pets_swingait2d_kprpe").read_text()
    config.write_text(text.replace("model: SwinGait2DKPRPE", "model: SwinGait3DKPRPE").replace("mode: 2d", "mode: p3d"))
    assert "['batch', 4, 64, 44]" in exported(tmp_path, config, "--frames", "4")


@pytest.mark.slow
def test_silhouettes_of_another_size(tmp_path, tmp_path_factory):
    config = tmp_path_factory.mktemp("config") / "x.yaml"
    text = resolve_config("opengait/walkers_deepgaitv2_kprpe").read_text()
    config.write_text(text.replace("kprpe:", "kprpe:\n    feature_size: [32, 22]"))
    assert "['batch', 'frames', 128, 88]" in exported(tmp_path, config, "--size", "128", "88")


def test_mistakes(tmp_path):
    gone, output = str(tmp_path / "gone.pt"), str(tmp_path / "x.onnx")
    arguments = ("--cfgs", "opengait/pets_swingait2d", "--checkpoint", gone, "--output", output)
    process = programs.run("opengait_ext", "-m", "opengait_ext", "export", *arguments, expect=2)
    assert not list(tmp_path.iterdir())
    assert process.stderr.startswith("opengait-ext export: error: ") and "no such checkpoint" in process.stderr
