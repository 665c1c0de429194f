"""docs/commands.md is what the parsers say."""

import shutil
from pathlib import Path

import pytest

from opengait_ext.__main__ import PROGRAM as GAIT
from plugins.__main__ import PROGRAM as PLUGINS
from plugins.common.reference import COMMANDS, command_lines, write_commands
from reid_ext.__main__ import PROGRAM as REID

PAGE = Path(__file__).parents[3] / "docs" / COMMANDS


@pytest.mark.parametrize("program", [GAIT, REID, PLUGINS], ids=lambda program: program.name)
def test_the_page_has_not_drifted(program, tmp_path):
    """`make reference` writes it anew."""
    shutil.copy(PAGE, tmp_path)
    assert write_commands(program, tmp_path).read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_every_option_is_there():
    lines = "\n".join(command_lines(GAIT))
    for name, parser in GAIT.parsers().items():
        assert f"### opengait-ext {name}\n" in lines
        for option in parser._option_string_actions:
            assert option in ("-h", "--help", "--local_rank", "--local-rank") or option in lines, f"{name} {option}"
    row = "<code>--phase train|test</code> | train, or test a checkpoint (default train)"
    assert row in lines.replace("&#124;", "|")
