"""docs/settings.md is what the schema says, and every key has a meaning."""

import shutil
from pathlib import Path

import pytest

from plugins.common.reference import SETTINGS, write
from plugins.errors import KpstraError
from reid_ext.__main__ import PROGRAM
from reid_ext.settings import reference
from reid_ext.settings.schema import SCHEMA

PAGE = Path(__file__).parents[3] / "docs" / SETTINGS


def test_the_page_has_not_drifted(tmp_path):
    """`make reference` writes it anew."""
    shutil.copy(PAGE, tmp_path)
    written = write(tmp_path, SETTINGS, PROGRAM, reference.setting_lines())
    assert written.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_bounds_stand_beside_the_meaning():
    text = "\n".join(reference.setting_lines())
    assert "| `train.batch_size` | `32` | images in a batch; from 1 |" in text
    assert (
        "| `loss.name` | `softmax` | cross entropy alone, or with the triplet loss, or of a margin head (faces); "
        "one of `softmax`, `triplet`, `adaface`, `arcface`, `cosface` |" in text
    )


@pytest.mark.parametrize(("schema", "said"), [({**SCHEMA, "new": 1}, "no meaning"), ({}, "no such key")])
def test_a_key_without_a_meaning_is_named(monkeypatch, schema, said):
    monkeypatch.setattr(reference, "SCHEMA", schema)
    with pytest.raises(KpstraError, match=said):
        reference.setting_lines()
