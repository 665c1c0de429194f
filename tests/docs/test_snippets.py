"""What the pages tell people to type: Python is run, command lines go through the real parsers, settings exist."""

import re
import shlex

import programs
import pytest
import yaml
from doc_pages import DOCS, PAGES, ROOT, blocks, command_lines

from opengait_ext.__main__ import PROGRAM as GAIT
from plugins.__main__ import PROGRAM as PLUGINS
from plugins.common.settings import flatten, resolve_config
from reid_ext.__main__ import PROGRAM as REID

SPELLED = {
    ("opengait-ext",): GAIT,
    ("reid-ext",): REID,
    ("python", "-m", "opengait_ext"): GAIT,
    ("python", "-m", "reid_ext"): REID,
    ("python", "-m", "plugins"): PLUGINS,
}
WITH_PYTHON = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]
FORMATS = ROOT / "tests" / "data" / "formats"
OTHERS = {"pip", "make", "export", "git"}
KEYS = set(re.findall(r"^\| `([\w.]+)` \|", (DOCS / "settings.md").read_text(encoding="utf-8"), re.MULTILINE))
FREE = ("model_cfg.Backbone", "model_cfg.SeparateBNNecks", "optimizer_cfg", "scheduler_cfg", "loss_cfg")  # the hosts'
OWN = {"my.yaml", "mine.yaml", "CONFIG", "YAML"}  # configurations that the reader makes

# What the reader has at hand where the page's first block begins.
SWIN = """
import torch, torchvision
real = torchvision.models.swin_t
torchvision.models.swin_t = lambda weights=None: real()  # "DEFAULT" is fetched from elsewhere
images, joints, confidence = torch.rand(2, 3, 64, 64), torch.rand(2, 17, 2), torch.ones(2, 17)
"""
BEFORE = {
    "README": SWIN,
    "kprpe": SWIN,
    "gait": """
import numpy as np, torch
from opengait_ext.benchmarks.speed.scaling import host_models
with host_models("cpu", "auto") as build:
    torch.save({"model": build("opengait/swingait2d_kprpe_gait3d").state_dict()}, "x-60000.pt")
silhouettes = np.full((3, 64, 64), 255, np.uint8)
keypoints = np.random.default_rng(0).uniform(20, 40, (3, 17, 3)).astype(np.float32)
""",
    "recordings": """
import pickle, shutil
from pathlib import Path
import numpy as np
shutil.copy("{formats}/alphapose_coco17/alphapose-results.json", ".")
Path("my-pkl/anna/camera1/walk1").mkdir(parents=True)
Path("my-pkl/anna/camera1/walk1/0_sil.pkl").write_bytes(pickle.dumps(np.zeros((5, 64, 64), np.uint8)))
""",
    "opengait-models": """
import torch, torchvision
from types import SimpleNamespace
self = SimpleNamespace(transformer=torchvision.models.swin_t())
x, points, confidence = torch.rand(2, 3, 64, 64), torch.rand(2, 17, 2), torch.ones(2, 17)
""",
    "reid": """
import inspect, torch
from types import SimpleNamespace
from PIL import Image
import reid_ext.training.engines as engines
from reid_ext.host import torchreid
def run(self, **options):
    inspect.signature(torchreid.engine.Engine.run).bind(self, **options)
engines.CheckpointedEngine.run = run
datamanager = SimpleNamespace(train_loader=[], test_loader={}, num_train_pids=751, data_type="image")
optimizer = scheduler = None
""",
    "keypoints": f"""
import shutil
from plugins.keypoints import read, write
from reid_ext.host import torchreid
data = {str(DOCS.parent / "tests" / "data")!r}
shutil.copy(data + "/formats/alphapose_coco17/alphapose-results.json", ".")
write("market.npz", read(data + "/pets-mini/market_keypoints.json", size=(128, 64)))
datamanager = torchreid.data.ImageDataManager(data + "/pets-mini", ["market1501"], workers=0, use_gpu=False)
""",
}
BETWEEN = {  # after the block of this number
    ("reid", 2): """
torch.save({"state_dict": model.state_dict(), "epoch": 100}, "model.pth.tar-100")
for name in ("a.jpg", "b.jpg"):
    Image.new("RGB", (64, 128)).save(name)
"""
}
AFTER = {
    "gait": "assert features.shape == (2, 256, 15)",
    "recordings": "from opengait_ext.data.prepare.poses import read_pose\n"
    "assert read_pose(file)[0].shape == (17, 3) and silhouettes.shape == (5, 64, 64)",
    "opengait-models": "assert outputs.shape == (2, 1000)",
    "reid": "assert features.shape == (2, 512)",
    "keypoints": "assert len(people) == 3 and datamanager.train_loader.dataset[0]['keypoints'].shape == (17, 3)",
}


def commands(page):
    """The programs of a page's command lines: (line, program, the words after it)."""
    lines = command_lines(page)
    if page.stem == "commands":  # written from docstrings, where what is indented may be a table
        lines = (line for line in lines if line.startswith(tuple(" ".join(start) for start in SPELLED)))
    for line in lines:
        for part in re.split(r" && | > \S+", line):
            words = [word for word in shlex.split(part, comments=True) if word != "..."]
            if not words or words[0] in OTHERS:
                continue
            start = next((start for start in SPELLED if tuple(words[: len(start)]) == start), None)
            assert start, f"{page.name}: {line}: no command; mark the block as text"
            yield part, SPELLED[start], words[len(start) :]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_command_lines_parse_and_name_settings_that_there_are(page):
    for line, program, words in commands(page):
        if words[:1] in (["--help"], ["--version"]):
            continue
        command = words.pop(0) if words and words[0] in program.names() else program.default
        args = program.parser(command).parse_args(words)
        folder = "opengait" if program is GAIT else "reid"
        named = getattr(args, "cfgs", "") or getattr(args, "config_file", "") or getattr(args, "name", "")
        if named and named not in OWN:
            assert resolve_config(named, folder).is_file(), line
        for setting in getattr(args, "overrides", []):
            key = setting.partition("=")[0]
            assert key in KEYS or key.startswith(FREE), f"{page.name}: {line}: {key}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_yaml_names_settings_that_there_are(page):
    for block in blocks(page):
        if block.language == "yaml":
            for key in flatten(yaml.safe_load(block.text)):
                assert key in KEYS or key.startswith(FREE), f"{page.name}: {key}"


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.language == "python" for b in blocks(p))], ids=lambda p: p.stem
)
def test_python_runs(page, tmp_path):
    """In the order of the page, in one process, in an empty folder."""
    code = [BEFORE.get(page.stem, "").replace("{formats}", str(FORMATS))]
    for number, block in enumerate((b for b in blocks(page) if b.language == "python"), 1):
        code += [block.text, BETWEEN.get((page.stem, number), "")]
    package = "reid_ext" if page.stem in ("reid", "ranking", "images", "keypoints", "faces") else "opengait_ext"
    programs.run(package, "-c", "\n".join([*code, AFTER.get(page.stem, "")]), cwd=tmp_path)


def test_languages():
    """Every block says what it is, or holds command lines."""
    found = {block.language for page in PAGES for block in blocks(page)}
    assert found <= {"", "bash", "python", "yaml", "text", "bibtex"}
