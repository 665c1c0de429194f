"""A program of commands: how command lines are taken, how they end, and that every help is light and complete."""

import errno
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from opengait_ext.__main__ import PROGRAM as GAIT
from plugins.__main__ import PROGRAM as PLUGINS
from plugins.common import cli
from plugins.common.cli import Program
from plugins.common.version import VERSION
from plugins.errors import KpstraError
from reid_ext.__main__ import PROGRAM as REID

PROGRAMS = (GAIT, REID, PLUGINS)


@pytest.fixture
def program(monkeypatch):
    """A program of two commands: `go`, the default, and `nested-one`; what `go` does is set by the test."""
    go, nested = ModuleType("toy_commands.go", "Go.\n\nMore."), ModuleType("toy_commands.nested_one", "Nest.")
    go.add_arguments = lambda parser: (parser.add_argument("--far"), parser.add_overrides("a.b=1"))
    go.run, go.INTERRUPTED = print, "go on"
    nested.add_arguments = lambda parser: parser.add_subparsers(dest="what").add_parser("in").add_argument("--deep")
    nested.run = lambda args: 1
    modules = {"toy_commands": ModuleType("toy_commands"), go.__name__: go, nested.__name__: nested}
    modules["toy_commands"].__path__ = []
    names = [type("Info", (), {"name": name}) for name in ("go", "nested_one")]
    monkeypatch.setattr(cli.pkgutil, "iter_modules", lambda path: names)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    made = Program("p", "toy_commands", "About.", "go")
    made.go = go
    return made


@pytest.mark.parametrize(
    ("ended", "status", "said"),
    [
        (None, 0, ""),
        (KpstraError("x: wrong"), 2, "p: error: x: wrong\n"),
        (OSError(errno.ENOSPC, "No space left on device", "file"), 2, "p: error: file: No space left on device\n"),
        (KeyboardInterrupt(), 130, "\np: interrupted; go on\n"),
        (KeyboardInterrupt("resume y"), 130, "\np: interrupted; resume y\n"),
    ],
)
def test_endings(program, capsys, ended, status, said):
    def run(args):
        if ended:
            raise ended

    program.go.run = run
    assert program.main(["--far", "1"]) == status and capsys.readouterr().err == said
    assert program.main(["go"]) == status and capsys.readouterr().err == said.replace("p:", "p go:")


def test_a_fault_of_ours_is_not_hidden(program):
    program.go.run = lambda args: 1 / 0
    with pytest.raises(ZeroDivisionError):
        program.main([])


def test_commands_and_their_status(program, capsys):
    assert program.main(["nested-one", "in"]) == 1
    assert list(program.parsers()) == ["go", "nested-one in"]
    assert program.main(["--help"]) == 0
    assert "go          Go.\n" in capsys.readouterr().out
    assert program.main(["--version"]) == 0
    assert capsys.readouterr().out == f"p, kpstra {VERSION}\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["nested-on"], "p: error: 'nested-on': no such command (did you mean 'nested-one'?); see `p --help`\n"),
        (["--fare", "2"], "p: error: --fare: no such option (did you mean '--far'?); see `p go --help`\n"),
        (["a.b", "1", "--fra", "2"], "p: error: --fra: no such option (did you mean '--far'?); see `p go --help`\n"),
        (["go", "--far"], "p go: error: argument --far: expected one argument; see `p go --help`\n"),
    ],
)
def test_mistakes(program, capsys, argv, said):
    assert program.main(argv) == 2 and capsys.readouterr().err == said


@pytest.mark.parametrize("made", PROGRAMS, ids=lambda made: made.name)
def test_every_help(made):
    """Every command in one line of the list; every option of every command is explained, defaults included."""
    listed = made.help().splitlines()
    for name in made.names():
        assert sum(line.startswith(f"  {name} ") for line in listed) == 1
    for name, parser in made.parsers().items():
        text = parser.format_help()
        assert "``" not in text and ":class:" not in text
        for action in parser._actions:
            assert action.help, f"{made.name} {name}: {action.dest}"
            shown = action.default if isinstance(action.default, (str, int, float)) else None
            if action.option_strings and shown not in (None, False, "", "==SUPPRESS=="):
                assert "(default" in action.help or f"(default {shown})" in " ".join(text.split())


def test_help_is_light():
    """Listing commands, and every command's own help, import no torch."""
    code = """
import sys
from {0}.__main__ import PROGRAM
PROGRAM.help(), [parser.format_help() for parser in PROGRAM.parsers().values()]
assert "torch" not in sys.modules
"""
    for package in ("opengait_ext", "reid_ext", "plugins"):
        subprocess.run([sys.executable, "-c", code.format(package)], check=True)


def test_pages_and_messages_name_commands_that_there_are():
    """Every `opengait-ext WORD`, `reid-ext WORD` and `python -m plugins WORD`, nested ones too."""
    root = Path(__file__).parents[3]
    files = [root / "README.md", root / "CONTRIBUTING.md", *root.glob("docs/*.md"), *root.glob("configs/**/*.yaml")]
    files += [path for made in ("plugins", "opengait_ext", "reid_ext") for path in root.glob(f"{made}/**/*.py")]
    for made in PROGRAMS:
        nested = [name for name in made.parsers() if " " in name]
        command = re.compile(rf"(?:`|^|&& ){re.escape(made.name)} ([a-z][a-z-]*)(?: ([a-z]+))?", re.MULTILINE)
        for path in files:
            for first, second in command.findall(path.read_text(encoding="utf-8")):
                assert first in made.names(), f"{path}: {made.name} {first}"
                takes_another = second and any(name.startswith(f"{first} ") for name in nested)
                assert not takes_another or f"{first} {second}" in nested, f"{path}: {made.name} {first} {second}"


def test_what_was_typed_stands_beside_the_arguments(program):
    """A command may hand on all of its arguments."""
    seen = []
    program.go.run = lambda args: seen.append((vars(args), args.command_line))
    assert program.main(["go", "--far", "a b"]) == 0
    assert seen == [({"far": "a b", "overrides": []}, "p go --far 'a b'")]
