"""Interruption: work is killed at every step that changes a file, and at random moments, and started again.

Nothing that was complete is lost or changed, what is there is whole, the rerun finishes, and on a CPU it ends bit for
bit as uninterrupted work does: prepared files, weights, optimiser and random states, metrics.
"""

import os
import random
import shutil
import signal
from pathlib import Path

import pytest
from fork_server import Ended, ForkServer
from interrupted_work import DATA, GaitTraining, Leaderboard, Prepare, ReidTraining, Work

KIND = "killed and started again"
OPENGAIT = os.environ.get("OPENGAIT_HOME")
WITH_CHECKOUT = pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set: no OpenGait checkout to run")
SAME = "the rerun ends bit for bit as without a kill"


def gait_leaderboard(root: Path) -> Leaderboard:
    training = GaitTraining(root, "embedded")
    row = {"name": "kprpe", "config": "opengait/pets_swingait2d_kprpe"}
    settings = [
        *training.settings,
        "trainer_cfg.sampler.frames_num_fixed=3",
        "trainer_cfg.sampler.frames_skip_num=1",
        f"data_cfg.dataset_partition={root / 'partition.json'}",
    ]
    more = ["--data", str(root / "data"), "--host", "embedded", "--device", "cpu", *settings]
    return Leaderboard(root, training, "opengait_ext", "gait", row, more)


def reid_leaderboard(root: Path) -> Leaderboard:
    training = ReidTraining(root)
    row = {"name": "stra", "config": "reid/pets_mobilenetv2_stra"}
    settings = [
        "data.height=64",
        "data.width=32",
        "train.batch_size=32",
        f"train.max_epoch={training.total}",
        "use_gpu=False",
    ]
    return Leaderboard(root, training, "reid_ext", "reid", row, ["--root", str(DATA), *settings])


WORK = {
    "prepare": Prepare,
    "gait training, untested": lambda root: GaitTraining(root, "embedded", tested=False),
    "reid training, untested": lambda root: ReidTraining(root, tested=False),
    "gait training": lambda root: GaitTraining(root, "embedded"),
    "gait training, 2 workers": lambda root: GaitTraining(root, "embedded", 2),
    "gait training, OpenGait": lambda root: GaitTraining(root, OPENGAIT, 2),
    "reid training": ReidTraining,
    "reid training, 2 workers": lambda root: ReidTraining(root, 2),
    "gait leaderboard": gait_leaderboard,
    "reid leaderboard": reid_leaderboard,
}


def cases(*names):
    marks = {"gait training, OpenGait": WITH_CHECKOUT}
    return [pytest.param(name, id=name, marks=marks.get(name, ())) for name in names]


class Scene:
    """Some work, a server to run it, and how it ends when nothing disturbs it."""

    def __init__(self, name: str, work: Work, root: Path, server: ForkServer) -> None:
        self.name, self.work, self.root, self.server = name, work, root, server
        self.seconds = work.go(server, root / "whole").seconds
        self.expected = work.finish(server, root / "whole")
        self.whole = work.complete(root / "whole")
        assert self.whole

    def stop(self, folder: Path, **kill) -> Ended:
        """Begin or go on, and be killed; nothing complete may be lost, and all that is there must be whole."""
        before = self.work.complete(folder)
        ended = self.work.go(self.server, folder, **kill)
        after = self.work.complete(folder)
        assert before.items() <= after.items() and all(self.whole[name] == value for name, value in after.items())
        return ended

    def check(self, folder: Path, record, count: int = 1) -> None:
        """Finish; the outcome is the undisturbed one."""
        assert self.work.finish(self.server, folder) == self.expected
        shutil.rmtree(folder)  # checkpoints of a hundred runs would fill the disk
        record(f"{KIND}: {self.name}", SAME, count)


@pytest.fixture
def scene(request, tmp_path):
    work = WORK[request.param](tmp_path)
    with ForkServer(*work.modules) as server:
        yield Scene(request.param, work, tmp_path, server)


def every_step(scene, record, where) -> int:
    """Kill in a fresh folder before each step until there are no more; finish each. Return how many."""
    step = 0
    while True:
        step += 1
        folder = scene.root / f"{where}{step}"
        ended = scene.stop(folder, before=step, where=where)
        if ended.returncode == 0:
            return step - 1
        assert ended.killed or (where == "worker" and ended.returncode == 2 and "worker" in ended.said), ended.said[
            -2000:
        ]
        scene.check(folder, record)


@pytest.mark.slow
@pytest.mark.parametrize("scene", cases("prepare"), indirect=True)
def test_kill_before_each_step_of_prepare(scene, record):
    """In the main process and in a worker: every open, mkdir, rename, remove, chmod and fsync."""
    assert every_step(scene, record, "main") > 20
    assert every_step(scene, record, "worker") > 5


@pytest.mark.slow
@pytest.mark.parametrize("scene", cases("gait training, untested", "reid training, untested"), indirect=True)
def test_kill_before_each_step_of_training(scene, record):
    """Logs, TensorBoard files and, step by step, every checkpoint."""
    assert every_step(scene, record, "main") > 20


@pytest.mark.slow
@pytest.mark.parametrize("scene", cases("gait leaderboard", "reid leaderboard"), indirect=True)
def test_kill_before_each_step_of_a_runner(scene, record):
    """Again and again in the same folder, one step later each time; then it is left to finish."""
    folder, step = scene.root / "killed", 1
    while scene.stop(folder, before=step).killed:
        step += 1
    assert step > 8
    scene.check(folder, record, step - 1)


TIMES = {"prepare": 40, "gait leaderboard": 6, "reid leaderboard": 6}
ENDS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: -signal.SIGTERM, signal.SIGINT: 130}


@pytest.mark.slow
@pytest.mark.parametrize("scene", cases(*(name for name in WORK if "untested" not in name)), indirect=True)
def test_kill_at_random_moments(scene, record):
    """The main process, its whole group or one worker, by SIGKILL, SIGTERM or Ctrl-C; in the same folder until done."""
    chance, left = random.Random(scene.name), TIMES.get(scene.name, 10)
    while left > 0:
        folder, stopped, done = scene.root / str(left), 0, False
        while not done and stopped < left:
            sent = chance.choices(list(ENDS), [8, 1, 1])[0]
            where = chance.choice(["main", "group", "worker"]) if sent == signal.SIGKILL else "main"
            earliest = 0.1 if sent == signal.SIGINT else 0  # before, no program has set itself up to hear Ctrl-C
            after = chance.uniform(earliest, 1.1) * scene.seconds
            ended = scene.stop(folder, after=after, sent=sent, where=where)
            assert ended.returncode in ({0, 1, 2} if where == "worker" else {0, ENDS[sent]}), (sent, where, ended.said)
            assert "Traceback" not in ended.said, (sent, where, ended.said)
            stopped += ended.returncode != 0
            done = ended.returncode == 0 if scene.work.once else not scene.work.arguments(folder)
        scene.check(folder, record, stopped)
        left -= max(stopped, 1)
