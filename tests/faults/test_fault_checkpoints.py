"""Checkpoints of both hosts that are cut, damaged, or hold something else in one place."""

import copy
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from opengait_ext.training.checkpoints import read_checkpoint
from plugins.common.checkpoints import load_optimizer, part_of
from plugins.errors import KpstraError
from reid_ext.training import checkpoints as checkpoint
from reid_ext.training.resume import resume
from reid_ext.training.rng import preserved_rng

BYTES = "checkpoints: truncated, empty, bytes changed"
VALUES = "checkpoints with one value of another type, shape, missing or NaN"
NAMED = "error names the file"
OTHERS = [
    None,
    3,
    -1,
    2.5,
    float("nan"),
    "x",
    [],
    {},
    [1],
    {"a": 1},
    torch.zeros(2),
    torch.full((4, 3), torch.nan),
    True,
    "DELETED",
]


def build():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    model(torch.rand(5, 3)).sum().backward()
    return model, optimizer, scheduler


def saved():
    model, optimizer, scheduler = build()
    optimizer.step()
    return checkpoint.training_state(model, optimizer, scheduler, 3, 0.5)


STATE = saved()
GAIT = {"model": STATE["state_dict"], "optimizer": STATE["optimizer"], "scheduler": STATE["scheduler"], "iteration": 3}


def paths(node, path=()):
    if path:
        yield path
    if isinstance(node, dict) or (isinstance(node, list) and len(node) < 20):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from paths(value, (*path, key))


def changed(state, path, value):
    state = copy.deepcopy(state)
    node = state
    for key in path[:-1]:
        node = node[key]
    if isinstance(value, str) and value == "DELETED":
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return state


def train_on(model, optimizer, scheduler):
    """What was restored without an error must serve: one more step, and numbers that are finite."""
    model(torch.rand(5, 3)).sum().backward()
    optimizer.step()
    scheduler.step()
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    random.random()
    np.random.rand()
    torch.rand(1)


def resume_reid(path):
    parts = build()
    resume(path, *parts)
    train_on(*parts)


def resume_gait(path):
    """As :class:`opengait_ext.training.hosted.Hosted` restores."""
    model, optimizer, scheduler = build()
    state = read_checkpoint(str(path), torch.device("cpu"))
    with part_of(path, "model"):
        model.load_state_dict(state["model"])
    if "optimizer" in state:
        with part_of(path, "optimizer"):
            load_optimizer(optimizer, state["optimizer"])
    train_on(model, optimizer, scheduler)


RESUME = {"torchreid": (resume_reid, STATE), "OpenGait": (resume_gait, GAIT)}


def outcome(resume, path):
    try:
        with preserved_rng():
            resume(path)
    except KpstraError as error:
        assert str(error).startswith((f"{path}: ", f"restore_hint: {path}: ")) and "\n" not in str(error)
        return NAMED
    return "resumed: what was changed is not needed, or as good"


@pytest.mark.parametrize("host", RESUME)
@given(data=st.data())
def test_one_value_changed(tmp_path, record, host, data):
    resume, state = RESUME[host]
    where = data.draw(st.sampled_from(list(paths(state))), "where")
    path = tmp_path / "prüf.pt"
    torch.save(changed(state, where, data.draw(st.sampled_from(OTHERS), "value")), path)
    record(VALUES, outcome(resume, path))


@pytest.mark.parametrize("host", RESUME)
@given(
    share=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=4),
)
def test_damaged_files(tmp_path, record, host, share, changes):
    resume, state = RESUME[host]
    path = tmp_path / "prüf.pt"
    torch.save(state, path)
    content = bytearray(path.read_bytes())
    for at, change in changes:
        content[int(at * len(content))] ^= change
    path.write_bytes(content if share > 0.5 else content[: int(2 * share * len(content))])
    record(BYTES, outcome(resume, path))


@pytest.mark.parametrize("host", RESUME)
@given(at=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_what_is_read_is_what_was_written(tmp_path, record, host, at, change):
    """One byte changed anywhere: the same weights, or an error; torch alone reads other numbers from every fourth."""
    path = tmp_path / "prüf.pt"
    torch.save(RESUME[host][1], path)
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= change
    path.write_bytes(content)
    try:
        if host == "torchreid":
            weights = checkpoint.load_checkpoint(path)["state_dict"]
        else:
            weights = read_checkpoint(str(path), torch.device("cpu"))["model"]
    except KpstraError:
        record(BYTES, NAMED)
        return
    assert weights.keys() == STATE["state_dict"].keys()
    assert all(torch.equal(weights[key], value) for key, value in STATE["state_dict"].items())
    record(BYTES, "read: the very numbers that were written")


@pytest.mark.parametrize("key", ["maximize", "amsgrad", "capturable"])
def test_settings_of_the_step_are_not_taken_from_a_file(key):
    """maximize: true would train away from the minimum without a word."""
    _, optimizer, _ = build()
    state = optimizer.state_dict()
    state["param_groups"][0][key] = True
    with pytest.raises(ValueError, match=f"{key} is True, expected such as False"):
        load_optimizer(optimizer, state)
