"""A training step of our runs waits for the device no more often than the host's own with a plain SwinGait-2D."""

from unittest.mock import patch

import pytest
from gait_models import TINY
from gait_waits import KPRPE, PLAIN, STEPS
from waits import Waits

pytest_plugins = ["host_folders", "gait_models"]
SETTINGS = (*TINY, *STEPS, "trainer_cfg.total_iter=3", "trainer_cfg.enable_float16=false", "data_cfg.num_workers=0")
NETWORKS = {
    "plain": (PLAIN, "data_cfg.data_in_use=[true, false]"),
    "KP-RPE": (KPRPE,),
    "with scores": (KPRPE, "model_cfg.kprpe.confidence=true"),
    "second order": (KPRPE, "model_cfg.kprpe.formulation=second_order", "model_cfg.kprpe.grid=image"),
    "nonlinear, standardised": (KPRPE, "model_cfg.kprpe.formulation=nonlinear", "model_cfg.kprpe.standardised=true"),
    "rotary": (KPRPE, "model_cfg.kprpe.formulation=none", "model_cfg.kprpe.rotary=body"),
    "control": (KPRPE, "model_cfg.kprpe.keypoints=constant"),
    "recomputed": (KPRPE, "model_cfg.transformer={embed_dim: 16, num_heads: [2, 4], checkpoint: true}"),
}


class Loading:
    """The loader of a run, which marks in ``waits`` where each of its batches is given."""

    def __init__(self, loader, waits):
        self.loader, self.waits, self.marks = loader, waits, []

    def __iter__(self):
        batches = iter(self.loader)
        while True:
            with self.waits.elsewhere():
                batch = next(batches)
            self.marks.append(len(self.waits.found))
            yield batch


def waits_of(model):
    """What the second step of three waits for: the first builds what is remembered, the last saves."""
    room = "opengait_ext.training.pretreatment"
    with patch(f"{room}.uses_cuda", lambda: True), Waits() as waits:
        model.train_loader = loading = Loading(model.train_loader, waits)
        type(model).run_train(model)
    assert len(loading.marks) == model.iteration == 3
    return waits.found[loading.marks[1] : loading.marks[2]]


def assert_no_wait_beyond_the_hosts(build, networks):
    host = waits_of(build(*NETWORKS["plain"], *SETTINGS, hosted=False))
    for name in networks:
        config, *settings = NETWORKS[name]
        found = waits_of(build(config, *SETTINGS, *settings))
        assert len(found) <= len(host), (name, found, host)


@pytest.mark.parametrize("host", ["embedded"], indirect=True)
def test_no_wait_beyond_the_hosts(host, build):
    """The host reads the loss, and its parts for the log."""
    assert_no_wait_beyond_the_hosts(build, ["KP-RPE", "second order", "nonlinear, standardised", "rotary"])


@pytest.mark.slow
def test_no_wait_beyond_either_hosts(build):
    """All networks, in both hosts."""
    assert_no_wait_beyond_the_hosts(build, NETWORKS)
