"""Fixtures that load host folders, one at a time as their top-level names are the same. A plugin of the host tests."""

import importlib
import json
import logging
import os
import pickle
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import distributed, nn

from opengait_ext.host.active import activate
from opengait_ext.host.find import find_host

EMBEDDED = Path(__file__).parents[2] / "opengait_ext" / "host" / "embedded"
TOP_LEVEL = ("modeling", "data", "utils", "evaluation")


def checkout() -> Path:
    """The root of the OpenGait checkout to compare with; skips where there is none."""
    home = os.environ.get("OPENGAIT_HOME")
    if not home:
        pytest.skip("OPENGAIT_HOME does not point at a checkout of OpenGait")
    return Path(home).resolve()


class LoadedHost:
    """A host folder whose modules can be imported; ``active`` is what a session gives."""

    def __init__(self, root: Path) -> None:
        self.root, self.active = root, activate(find_host(str(root)))

    def __call__(self, name: str) -> ModuleType:
        return importlib.import_module(name)


def _take_modules() -> dict:
    names = [name for name in sys.modules if name.split(".")[0] in TOP_LEVEL]
    return {name: sys.modules.pop(name) for name in names}


def _to(move):
    def cpu(argument):
        is_device = isinstance(argument, (str, torch.device)) and torch.device(argument).type == "cuda"
        return torch.device("cpu") if is_device else argument

    return lambda self, *args, **kwargs: move(self, *map(cpu, args), **{k: cpu(v) for k, v in kwargs.items()})


@contextmanager
def load_host(root: Path):
    """Put a host folder on the path, alone, on the CPU, without its list of all models."""
    elsewhere = _take_modules()
    with ExitStack() as stack:
        stack.enter_context(patch.object(sys, "path", [str(root / "opengait"), *sys.path]))
        for owner, name, value in (
            (torch.Tensor, "cuda", lambda self, *args, **kwargs: self),
            (nn.Module, "cuda", lambda self, *args, **kwargs: self),
            (nn.Module, "to", _to(nn.Module.to)),
            (torch.cuda, "set_device", lambda device: None),
        ):
            stack.enter_context(patch.object(owner, name, value))
        try:
            loaded = LoadedHost(root)
            assert Path(loaded("utils").__file__).is_relative_to(root)
            loaded.active.messages.init_logger("", False)
            yield loaded
        finally:
            _take_modules()
            sys.modules.update(elsewhere)
            for handler in list(logging.getLogger("opengait").handlers):
                logging.getLogger("opengait").removeHandler(handler)
                handler.close()


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    """A process group of one process."""
    started = not distributed.is_initialized()
    if started:
        store = tmp_path_factory.mktemp("group") / "store"
        distributed.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield
    if started:
        distributed.destroy_process_group()


@pytest.fixture(params=["embedded", "opengait"])
def host(request, group):
    """Each host folder in turn."""
    with load_host(EMBEDDED if request.param == "embedded" else checkout()) as loaded:
        yield loaded


@pytest.fixture
def embedded(group):
    """The embedded host."""
    with load_host(EMBEDDED) as loaded:
        yield loaded


@pytest.fixture
def both(group):
    """A function that computes the same on the embedded host and on OpenGait, and returns both results."""

    def compute_on_both(compute):
        results = []
        for root in (EMBEDDED, checkout()):
            with load_host(root) as loaded:
                results.append(compute(loaded))
        return results

    compute_on_both.embedded = EMBEDDED
    return compute_on_both


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
