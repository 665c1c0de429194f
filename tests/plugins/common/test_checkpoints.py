"""Checkpoints: read without running code, damage named, and weights that fit."""

import pytest
import torch
from torch import nn

from plugins.common.checkpoints import fit, read
from plugins.errors import KpstraError


class Thing:
    """No plain type."""


@pytest.fixture
def path(tmp_path):
    torch.save({"model": nn.Linear(40, 50).state_dict()}, tmp_path / "a.pt")
    return tmp_path / "a.pt"


def refused(path):
    with pytest.raises(KpstraError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_read(path):
    assert read(path)["model"]["weight"].shape == (50, 40)


def test_missing_files_name_those_that_are_there(path):
    assert refused(path.with_name("b.pt")) == "no such checkpoint file; there are a.pt"
    assert refused(path.with_name("b.pth")) == "no such checkpoint file"


@pytest.mark.parametrize("place", [0.2, 0.4, 0.6])
def test_a_changed_byte(path, place):
    """torch itself reads a file with changed weights without a word."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    assert refused(path).startswith("damaged, cut short or not a checkpoint")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_cut_short(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert refused(path).startswith("damaged, cut short or not a checkpoint")


def test_code_and_other_things_in_a_file(path):
    torch.save({"a": Thing()}, path)
    assert "refused, because it holds" in refused(path) and "Thing where only tensors" in refused(path)
    with torch.serialization.safe_globals([]):
        assert isinstance(read(path, allowed=[Thing])["a"], Thing)
    torch.save([1], path)
    assert refused(path) == "holds a list, expected a checkpoint or a state dict"


def test_files_that_may_not_be_read(path, monkeypatch):
    def deny(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(torch, "load", deny)
    assert refused(path) == "cannot be read: Permission denied"


def test_fit():
    target = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 4)).state_dict()
    weights = {
        "module.0.weight": torch.ones(3, 2),
        "1.bias": torch.ones(3),
        "2.weight": torch.ones(5, 3),
        "x": target["0.bias"],
    }
    report = fit(weights, target, "a.pt")
    assert set(report.weights) == {"0.weight", "1.bias"}
    assert (list(report.reshaped), report.unknown, report.left_out) == (["2.weight"], ["x"], ["2.weight", "x"])
    assert report.kept == ["0.bias", "1.weight", "1.running_mean", "1.running_var", "2.weight", "2.bias"]
    assert report.summary() == (
        "a.pt: 2 of the model's 8 tensors loaded\n"
        "  1 left out, of another shape: 2.weight (5, 3) here (4, 3)\n"
        "  1 left out, not in this model: x\n"
        "  6 not in the file, kept as they were: 0.bias, 1.weight, 1.running_mean, 1.running_var, 2.weight, 2.bias"
    )


def test_nothing_fits():
    with pytest.raises(
        KpstraError, match=r"a.pt: no tensor fits the model .*the file has x, the model weight, bias: is"
    ):
        fit({"x": torch.ones(1)}, nn.Linear(1, 2).state_dict(), "a.pt")
