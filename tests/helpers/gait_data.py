"""A made-up data set in OpenGait's layout, and running the command line on it."""

import json
import os
import pickle
import re
import sys
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import numpy as np
import programs

EMBEDDED = "embedded"
OPENGAIT = os.environ.get("OPENGAIT_HOME")
SIDES = np.array([1, *[1, -1] * 8])  # the person's left, on the right seen from the front


def write_data(root: Path, frames: int = 12) -> Path:
    """Write 4 training and 4 test identities of 4 sequences each, and partition.json beside them; return the folder."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64]
    for identity in range(8):
        for view in range(4):
            silhouettes, keypoints = [], []
            for t in range(frames + view):
                width = 9 + identity + 2 * np.sin(t / 2 + view)
                silhouettes.append((((rows - 32) / 31) ** 2 + ((columns - 32) / width) ** 2 < 1) * np.uint8(255))
                across = np.abs(rng.uniform(-0.5, 0.5, 17)) * SIDES
                joints = np.stack([32 + width * across, np.linspace(3, 60, 17), np.ones(17)], 1)
                keypoints.append(joints)
            folder = root / "data" / f"{identity:04d}" / f"camid{view}_videoid0" / "seq0"
            folder.mkdir(parents=True)
            for name, array in (("0_sil", np.stack(silhouettes)), ("1_keypoints", np.float32(keypoints))):
                (folder / f"{name}.pkl").write_bytes(pickle.dumps(array))
    ids = [f"{i:04d}" for i in range(8)]
    partition = {"TRAIN_SET": ids[:4], "TEST_SET": ids[4:], "PROBE_SET": [f"{i}-camid0_videoid0-seq0" for i in ids[4:]]}
    (root / "partition.json").write_text(json.dumps(partition))
    return root


def command(
    root: Path, *arguments: str, config="opengait/pets_swingait2d_kprpe", host=EMBEDDED, workdir="run"
) -> list[str]:
    """The command line ``python -m opengait_ext`` on :func:`write_data`'s data."""
    options = {"--cfgs": config, "--host": host, "--device": "cpu", "--workdir": str(root / workdir)}
    return [
        *(sys.executable, "-W", "ignore", "-m", "opengait_ext"),
        *(word for option in options.items() for word in option),
        f"data_cfg.dataset_root={root / 'data'}",
        f"data_cfg.dataset_partition={root / 'partition.json'}",
        "trainer_cfg.log_iter=1",
        "trainer_cfg.sampler.frames_num_fixed=3",
        "trainer_cfg.sampler.frames_skip_num=1",
        *arguments,
    ]


def run(root: Path, *arguments: str, expect: int = 0, processes: int = 1, **options) -> CompletedProcess:
    """Run :func:`command` in a process of its own, or several; check its exit status."""
    line = command(root, *arguments, **options)
    return programs.run("opengait_ext", *line[1:], expect=expect, processes=processes)


def losses(done: CompletedProcess) -> list[tuple[float, ...]]:
    """The losses of each logged iteration."""
    found = re.findall(r"triplet_loss=([\d.]+).*?softmax_loss=([\d.]+)", done.stderr + done.stdout, re.DOTALL)
    return [tuple(map(float, pair)) for pair in found]


def metrics(done: CompletedProcess) -> dict[str, float]:
    """The metrics that a test logged as a table."""
    found = re.findall(r"^  ([\w-]+) +([\d.]+)$", done.stderr + done.stdout, re.MULTILINE)
    return {name: float(value) for name, value in found}


def checkpoint(root, iteration: int, model="SwinGait2DKPRPE", name="SwinGait2D_KPRPE_small", workdir="run") -> Path:
    """The path of a checkpoint of :func:`run`."""
    folder = root / workdir / "output" / "pets-mini" / model / name / "checkpoints"
    return folder / f"{name}-{iteration:05d}.pt"


def dataset(tmp_path, lengths=(3, 3), data_in_use=None):
    """A stand-in of the host's DataSet with one sequence of two modalities, listed in the wrong order."""
    paths = []
    for name, length in zip(("0_sil", "1_keypoints"), lengths, strict=True):
        path = tmp_path / f"{name}.pkl"
        path.write_bytes(pickle.dumps(np.full((length, 2), len(paths))))
        paths.append(str(path))

    class DataSet(SimpleNamespace):
        def __len__(self):
            return len(self.seqs_info)

    return DataSet(seqs_info=[["id", "type", "view", paths[::-1]]], data_in_use=data_in_use, label_list=["id"])
