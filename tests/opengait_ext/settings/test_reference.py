"""docs/settings.md is what the schema says, and every key has a meaning."""

import shutil
from pathlib import Path

import programs
import pytest

from opengait_ext.settings import reference
from plugins.common.reference import SETTINGS
from plugins.errors import KpstraError

PAGE = Path(__file__).parents[3] / "docs" / SETTINGS


def test_the_page_has_not_drifted(tmp_path):
    """`make reference` writes it anew."""
    shutil.copy(PAGE, tmp_path)
    programs.run("opengait_ext", "-m", "opengait_ext", "reference", "--output", str(tmp_path))
    assert (tmp_path / SETTINGS).read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_a_key_without_a_meaning_is_named(monkeypatch):
    monkeypatch.setattr(reference, "known_keys", lambda: {"model_cfg.new": 1})
    with pytest.raises(KpstraError, match=r"meanings.yaml: .*: no"):
        reference.setting_lines()


def test_bounds():
    assert reference.bounds("trainer_cfg.total_iter") == "; a whole number from 1"
    assert reference.bounds("data_cfg.num_workers") == "; a whole number from 0, at most 256"
    assert reference.bounds("model_cfg.kprpe.mode") == "; one of `replace`, `add`"
    assert reference.bounds("trainer_cfg.restore_hint") == ""
