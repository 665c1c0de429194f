"""What the interruption tests kill and start again: a command line, what it has completed, and what it ends with."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import torch
import yaml
from fork_server import Ended, ForkServer
from gait_data import command, write_data
from programs import MODULES
from reid_data import SMALL

DATA = Path(__file__).parents[1] / "data" / "pets-mini"


class Work:
    """Work in a folder; ``modules`` are those that its processes need."""

    modules: tuple[str, ...]

    def __init__(self, root: Path) -> None:
        self.root = root

    def arguments(self, folder: Path) -> tuple[str, ...]:
        """Return the arguments of the Python that begins, or goes on; empty if all is done."""
        raise NotImplementedError

    def complete(self, folder: Path) -> dict[str, object]:
        """Return what is complete, by name, comparable with ``==``; raises if anything there is not whole."""
        raise NotImplementedError

    def outcome(self, folder: Path) -> object:
        """Return what finished work leaves."""
        return self.complete(folder)

    def go(self, server: ForkServer, folder: Path, **kill) -> Ended:
        """Begin or go on."""
        return server.run(*self.arguments(folder), folder=folder, **kill)

    def finish(self, server: ForkServer, folder: Path) -> object:
        """Go on until all is done; return the outcome."""
        while self.arguments(folder):
            ended = self.go(server, folder)
            assert ended.returncode == 0, ended.said[-3000:]
            if self.once:
                break
        assert not list(folder.rglob(".partial*"))
        # a part of a file stays until the file is next written: of one at most, and only beside the whole one
        assert [
            p.with_name(p.name[1:].rpartition(".")[0].rpartition(".")[0]).is_file() for p in folder.rglob(".*.tmp")
        ] in ([], [True])
        return self.outcome(folder)

    once = True  # the command says itself that there is nothing to do


class Prepare(Work):
    """``opengait-ext prepare`` of 4 sequences by 2 processes."""

    modules = ("opengait_ext.__main__", "opengait_ext.data.prepare")

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        for kind in ("2D_Silhouettes", "2D_Poses"):
            shutil.copytree(DATA / "gait_raw" / kind / "0001", root / kind / "0001")

    def arguments(self, folder: Path) -> tuple[str, ...]:
        folders = {"--silhouettes": "2D_Silhouettes", "--poses": "2D_Poses"}
        raw = [word for option, kind in folders.items() for word in (option, str(self.root / kind))]
        return ("-m", "opengait_ext", "prepare", *raw, "--output", str(folder), "--workers", "2")

    def complete(self, folder: Path) -> dict[str, object]:
        found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("[!.]*/*/*/*")}
        assert all(name.replace("0_sil", "1_keypoints") in found for name in found)
        return found

    def outcome(self, folder: Path) -> object:
        finished = {json.loads(line).get("sequence") for line in (folder / "prepare.jsonl").read_text().splitlines()}
        return self.complete(folder), (folder / "prepare_report.json").read_text(), finished


class GaitTraining(Work):
    """``python -m opengait_ext``: a checkpoint after each of 3 iterations; ``tested``: then a test."""

    modules = MODULES["opengait_ext"]
    total, once = 3, False

    def __init__(self, root: Path, host: str, workers: int = 0, tested: bool = True) -> None:
        super().__init__(write_data(root, frames=4))
        self.settings = [
            f"trainer_cfg.total_iter={self.total}",
            "trainer_cfg.save_iter=1",
            "trainer_cfg.T_max_iter=3",
            "trainer_cfg.sampler.batch_size=[2, 2]",
        ]
        self.workers, self.host, self.tested = workers, host, tested

    def checkpoints(self, folder: Path) -> dict[int, Path]:
        return {int(path.stem[-5:]): path for path in sorted(folder.glob("output/*/*/*/checkpoints/*.pt"))}

    def arguments(self, folder: Path) -> tuple[str, ...]:
        done = max(self.checkpoints(folder), default=0)
        more = ["--iter", str(done)] if done else []
        if done == self.total:
            if self.metrics(folder) or not self.tested:
                return ()
            more += ["--phase", "test"]
        line = command(
            self.root,
            *self.settings,
            f"data_cfg.num_workers={self.workers}",
            "--log_to_file",
            *more,
            host=self.host,
            workdir=folder.name,
        )
        return tuple(line[1:])

    def complete(self, folder: Path) -> dict[str, object]:
        found = {}
        for number, path in self.checkpoints(folder).items():
            assert torch.load(path, weights_only=True)["iteration"] == number
            found[str(number)] = path.read_bytes()
        return found

    def metrics(self, folder: Path) -> list[str]:
        logs = [path.read_text() for path in sorted(folder.glob("output/*/*/*/logs/*.txt"))]
        return next((found for log in logs if (found := re.findall(r"test_accuracy/[\w-]+': \S+", log))), [])

    def outcome(self, folder: Path) -> object:
        return self.complete(folder), self.metrics(folder)


class ReidTraining(Work):
    """``python -m reid_ext``: a checkpoint after each of 2 epochs, and a test, of which training has one in it."""

    modules = MODULES["reid_ext"]
    total, once = 2, False

    def __init__(self, root: Path, workers: int = 0, tested: bool = True) -> None:
        super().__init__(root)
        self.tested = tested
        small = (*SMALL, "train.max_epoch", str(self.total), "train.batch_size", "32", "data.workers", str(workers))
        self.options = (*small, "data.transforms", "['random_flip', 'random_erase']")

    def checkpoints(self, folder: Path) -> dict[int, Path]:
        return {int(path.name.rpartition("-")[2]): path for path in folder.glob("model/model.pth.tar-*")}

    def arguments(self, folder: Path) -> tuple[str, ...]:
        done = self.checkpoints(folder)
        last = max(done, default=0)
        if last == self.total and (self.metrics(folder) or not self.tested):
            return ()
        more = ["model.resume", str(done[last])] if last else []
        if last == self.total:
            more = ["test.evaluate", "True", "model.load_weights", str(done[last])]
        return ("-m", "reid_ext", "--root", str(DATA), *self.options, "data.save_dir", str(folder), *more)

    def complete(self, folder: Path) -> dict[str, object]:
        return {
            str(epoch): plain(torch.load(path, weights_only=True)) for epoch, path in self.checkpoints(folder).items()
        }

    def metrics(self, folder: Path) -> list[str]:
        text = "".join(path.read_text() for path in sorted(folder.glob("*.log-*")))
        found = re.findall(r"^((?:mAP|Rank-\d+) *: .+%)\n", text, re.MULTILINE)
        return found[:5] if len(found) >= 5 and self.tested else []


class Leaderboard(Work):
    """A leaderboard's runner: one row, two seeds, each a process of its own that the runner starts."""

    seeds = ("0", "1")

    def __init__(self, root: Path, training: Work, package: str, section: str, row: dict, more: list[str]) -> None:
        super().__init__(root)
        self.training, self.package = training, package
        self.modules = (f"{package}.benchmarks.leaderboard", *training.modules)
        self.section, self.row, self.more = section, row, more
        table = {section: {"title": section, "metrics": {"mAP": "mAP"}, "rows": [row]}}
        (root / f"{section}.yaml").write_text(yaml.dump(table))

    def arguments(self, folder: Path) -> tuple[str, ...]:
        table = str(self.root / f"{self.section}.yaml")
        options = ("--table", table, "--results", str(folder), "--seeds", *self.seeds, *self.more)
        return ("-m", self.package, "leaderboard", "run", *options)

    def runs(self, folder: Path) -> dict[str, Path]:
        return {seed: folder / self.section / self.row["name"] / f"seed{seed}" for seed in self.seeds}

    def complete(self, folder: Path) -> dict[str, object]:
        return {
            f"{seed}, {name}": value
            for seed, run in self.runs(folder).items()
            for name, value in self.training.complete(run).items()
        }

    def outcome(self, folder: Path) -> object:
        return self.complete(folder), [self.training.metrics(run) for run in self.runs(folder).values()]


def plain(state: object) -> object:
    """Return a checkpoint as comparable values: bytes for tensors; without ``rank1``, which a later test adds."""
    if isinstance(state, torch.Tensor):
        return str(state.dtype), tuple(state.shape), state.numpy().tobytes()
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items() if key != "rank1"}
    return [plain(value) for value in state] if isinstance(state, (list, tuple)) else state
