"""A wheel works outside the checkout: every program, its configurations and its demo."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from opengait_ext.__main__ import PROGRAM as GAIT
from plugins.__main__ import PROGRAM as PLUGINS
from plugins.common.version import VERSION
from reid_ext.__main__ import PROGRAM as REID

ROOT = Path(__file__).parents[1]
SOURCES = ("plugins", "opengait_ext", "reid_ext", "configs", "setup.py", "pyproject.toml", "README.md", "LICENSE")
pytestmark = pytest.mark.slow
MODULES = {GAIT: "opengait_ext", REID: "reid_ext", PLUGINS: "plugins"}
GAIT_DEMO = ["--host", "embedded", "--device", "cpu", "trainer_cfg.total_iter=2", "evaluator_cfg.restore_hint=2"]
REID_DEMO = ["train.max_epoch", "1", "data.height", "64", "data.width", "32", "use_gpu", "False"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")
    for name in SOURCES:  # setuptools builds in the folder that it is given
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(source)], check=True, timeout=300)
    (built,) = folder.glob("kpstra-*.whl")
    return built


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Run a program of the wheel, unpacked, in a folder that is no checkout."""
    site, elsewhere = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)

    def run(program, *words):
        environment = {**os.environ, "PYTHONPATH": str(site)}
        command = [sys.executable, "-m", MODULES[program], *words]
        done = subprocess.run(command, env=environment, cwd=elsewhere, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_name_and_entry_points(wheel):
    assert wheel.name == f"kpstra-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        points = archive.read(f"kpstra-{VERSION}.dist-info/entry_points.txt").decode()
        held = archive.namelist()
    assert "opengait-ext = opengait_ext.__main__:main" in points and "reid-ext = reid_ext.__main__:main" in points
    recipes = {f"kpstra_configs/{path.relative_to(ROOT / 'configs')}" for path in ROOT.glob("configs/**/*.yaml")}
    assert recipes <= {*held} and not [name for name in held if name.startswith("tests/")]
    assert "plugins/benchmarks/report/page.html" in held  # the template of reports


@pytest.mark.parametrize("program", MODULES, ids=lambda program: program.name)
def test_help_and_version(run, program):
    assert run(program, "--version") == f"{program.name}, kpstra {VERSION}\n"
    assert "commands:" in run(program, "--help")


def test_configurations_are_found(run):
    assert "SwinGait2DKPRPE" in run(GAIT, "config", "swingait2d_kprpe_gait3d", "--host", "embedded")
    assert "resnet50_stra" in run(REID, "config", "resnet50_stra")
    assert "kprpe" in run(PLUGINS)


def test_demos(run):
    assert "2 iterations, host embedded" in run(GAIT, "demo", *GAIT_DEMO)
    assert "== StRA in torchreid" in run(REID, "demo", *REID_DEMO)
