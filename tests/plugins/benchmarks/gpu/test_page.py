"""The page of what was measured on a GPU, and what it says where there is none."""

import json

import pytest
import torch

from plugins.__main__ import main
from plugins.benchmarks.gpu.page import JSON, PAGE, TITLES, write_page
from plugins.errors import KpstraError

CARD = {"card": "A", "driver": "1", "torch": "2"}


def row(name, images_per_second, **setting):
    phase = {
        "images per second": images_per_second,
        "seconds": 1.0,
        "over": {"median": 1.25, "min": 1.0, "max": 1.5},
        "rounds": 3,
        "peak bytes": 7_000_000,
    }
    return {"network": name, "images": 2, **setting, "forward": phase, "train step": phase}


def test_tables_of_one_setting_stand_on_one_page(tmp_path):
    write_page(tmp_path, CARD, {"transformers": [row("ViT-S", 123.4, precision="float32")]})
    write_page(tmp_path, CARD, {"networks": [row("resnet", 56.0, layout="contiguous")]})
    page = (tmp_path / PAGE).read_text()
    assert "Measured on: card A, driver 1, torch 2." in page
    assert "| ViT-S | 2 | float32 | 123 | 1.250 (1.000 to 1.500) | 7 | 123 |" in page
    assert "| resnet | 2 | contiguous | 56 |" in page
    assert page.count("not measured") == len(TITLES) - 2
    assert set(json.loads((tmp_path / JSON).read_text())["tables"]) == {"transformers", "networks"}


def test_what_the_time_was_too_short_for_is_said(tmp_path):
    """Until the table is measured whole."""
    write_page(tmp_path, CARD, {"transformers": [row("ViT-S", 1.0)]}, {"transformers": (1, 8)})
    said = "1 of 8 parts were measured in the time there was: `python -m plugins bench gpu` measures all."
    assert said in (tmp_path / PAGE).read_text()
    write_page(tmp_path, CARD, {"transformers": [row("ViT-S", 1.0)]}, {"transformers": (8, 8)})
    assert "in the time there was" not in (tmp_path / PAGE).read_text()


def test_a_table_of_trainings_has_its_own_columns(tmp_path):
    write_page(tmp_path, CARD, {"walkers": [{"network": "plain", "iterations": 300, "mAP": 56.5}]})
    assert "| network | iterations | mAP |\n|---|---|---|\n| plain | 300 | 56.5 |" in (tmp_path / PAGE).read_text()


def test_another_card_begins_anew(tmp_path):
    write_page(tmp_path, CARD, {"transformers": [row("ViT-S", 1.0)]})
    write_page(tmp_path, {**CARD, "card": "B"}, {"networks": [row("resnet", 1.0)]})
    page = (tmp_path / PAGE).read_text()
    assert "card B" in page and "ViT-S" not in page


def test_without_a_device_nothing_is_claimed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["bench", "gpu", "--folder", str(tmp_path)]) != 0
    said = capsys.readouterr()
    assert said.err.strip() == "python -m plugins bench: error: bench gpu: torch finds no CUDA device here: " + (
        "nothing is measured, and the page says so"
    )
    page = (tmp_path / PAGE).read_text()
    assert page.count("not measured") == 1 + len(TITLES)


def test_a_page_that_was_measured_elsewhere_is_kept_without_a_device(tmp_path, monkeypatch):
    write_page(tmp_path, CARD, {"transformers": [row("ViT-S", 1.0)]})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["bench", "gpu", "--folder", str(tmp_path)]) != 0
    assert "| ViT-S |" in (tmp_path / PAGE).read_text()


@pytest.mark.parametrize("content", ["[]", "{}", "{"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / JSON).write_text(content)
    with pytest.raises(KpstraError, match=JSON):
        write_page(tmp_path, CARD, {})
