"""A program with subcommands, one a file of a package, and how its command lines end.

A command is a module ``commands/NAME.py``: its docstring (the first line is shown in the list of commands),
``add_arguments(parser)`` and ``run(args)``, which returns the exit status or ``None`` for 0. ``INTERRUPTED``, if it is
there, says what a user who pressed Ctrl-C should know. ``args.command_line`` is what the user typed. What takes long to
import is imported in the functions.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import shlex
import sys
import textwrap
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import ModuleType

from ..errors import KpstraError, nearest, plain
from .arguments import Parser, plain_text
from .processes import plain_endings
from .ranks import first_to_tell
from .version import VERSION

GOES_ON = "the same command goes on from there"


class Arguments(argparse.Namespace):
    """What a command was given; ``command_line``, what the user typed, is beside that: not in ``vars(args)``."""

    __slots__ = ("command_line",)


class Program:
    """A command line.

    Args:
        name: its name, with which a user's mistake is told.
        commands: the package whose modules are the commands.
        about: what it does, in a sentence.
        default: the command of a command line that begins with none.
    """

    def __init__(self, name: str, commands: str, about: str, default: str) -> None:
        self.name, self.about, self.default, self._package = name, about, default, commands

    def names(self) -> list[str]:
        """Return the commands' names, the default one first."""
        found = (
            module.name.replace("_", "-") for module in pkgutil.iter_modules(import_module(self._package).__path__)
        )
        return sorted(found, key=lambda name: (name != self.default, name))

    def module(self, command: str) -> ModuleType:
        """Import a command."""
        return import_module(f"{self._package}.{command.replace('-', '_')}")

    def parser(self, command: str) -> Parser:
        """Return the parser of a command."""
        module = self.module(command)
        parser = Parser(prog=f"{self.name} {command}", description=module.__doc__)
        module.add_arguments(parser)
        return parser

    def parsers(self) -> dict[str, Parser]:
        """Return the parsers of all commands by name, nested ones as ``bench load``: the command reference."""
        return {name: parser for command in self.names() for name, parser in _flat(command, self.parser(command))}

    def help(self) -> str:
        """Return what ``--help`` without a command shows: every command in a line."""
        width = max(map(len, self.names()))
        lines = [
            f"usage: {self.name} COMMAND [options]",
            f"       {self.name} [options of {self.default}]",
            f"       {self.name} --version",
            "",
            textwrap.fill(self.about, 80),
            "",
            "commands:",
        ]
        for name in self.names():
            lines.append(f"  {name:{width}}  {plain_text(self.module(name).__doc__).partition(chr(10))[0]}")
        return "\n".join([*lines, "", f"`{self.name} COMMAND --help` says more."])

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run; return the exit status: the command's own, 2 for the user's mistake, 130 for Ctrl-C."""
        argv = list(sys.argv[1:] if argv is None else argv)
        if argv[:1] in (["-h"], ["--help"]):
            print(self.help())
            return 0
        if argv[:1] == ["--version"]:
            print(f"{self.name}, kpstra {VERSION}")
            return 0
        named = bool(argv) and argv[0] in self.names()
        command = argv.pop(0) if named else self.default
        label = f"{self.name} {command}" if named else self.name
        try:
            with plain_endings():
                if not named and argv and not self._begins_default(argv[0]):
                    raise KpstraError(
                        f"{argv[0]!r}: no such command{nearest(argv[0], self.names())}; see `{self.name} --help`"
                    )
                args = self.parser(command).parse_args(argv, Arguments())
                args.command_line = shlex.join([*label.split(), *argv])
                return self.module(command).run(args) or 0
        except KpstraError as error:
            _tell(f"{label}: error: {plain(error)}")
            return 2
        except KeyboardInterrupt as ended:
            told = str(ended) or getattr(self.module(command), "INTERRUPTED", "")
            _tell(f"\n{label}: interrupted{told and f'; {told}'}")
            return 130
        except BrokenPipeError:  # `| head` has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141

    def _begins_default(self, word: str) -> bool:
        return word.startswith("-") or self.parser(self.default).is_setting(word)


def _tell(message: str) -> None:
    if first_to_tell(message.strip()):
        print(message, file=sys.stderr)


def _flat(name: str, parser: Parser) -> Iterator[tuple[str, Parser]]:
    if not parser.nested:
        yield name, parser
    for inner, nested in parser.nested.items():
        yield from _flat(f"{name} {inner}", nested)
