"""The reference of a program's commands, written from its parsers."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

from .arguments import Parser
from .cli import Program
from .pages import prose, table, write_part

COMMANDS, SETTINGS = "commands.md", "settings.md"
TITLES = {
    COMMANDS: "# Commands\n\nWritten by `make reference` from the parsers; `--help` of a command says the same.\n",
    SETTINGS: "# Settings\n\nWritten by `make reference` from the schemas that check every run.\n",
}


def add_output(parser: Parser) -> None:
    """Add ``--output``."""
    parser.add_argument("--output", type=Path, default=Path("docs"), metavar="FOLDER", help="the pages lie there")


def write_commands(program: Program, folder: Path) -> Path:
    """Write a program's part of the page of commands; return the page."""
    return write(folder, COMMANDS, program, command_lines(program))


def write(folder: Path, name: str, program: Program, lines: list[str]) -> Path:
    """Write a program's part of a page of the reference; return the page."""
    write_part(folder / name, TITLES[name], f"{program.name} reference", lines)
    return folder / name


def command_lines(program: Program) -> list[str]:
    """Return the program's commands with their options as Markdown."""
    lines = [f"## {program.name}", "", prose(program.about), ""]
    for name, parser in program.parsers().items():
        lines += [f"### {program.name} {name}", ""]
        if name == program.default:
            lines += [f"The word `{name}` may be left out.", ""]
        about = parser.description or help_of(program, name)
        lines += [*description(about), *options(parser), ""]
    return lines[:-1]


def help_of(program: Program, name: str) -> str:
    """Return what the list of a command's nested commands says of one, as a sentence."""
    first, _, second = name.partition(" ")
    nested = (getattr(action, "_choices_actions", ()) for action in program.parser(first)._actions)
    text = next(choice.help for choices in nested for choice in choices if choice.dest == second)
    return f"{text[0].upper()}{text[1:]}."


def description(text: str) -> Iterator[str]:
    """Yield the lines of what a command is; what is indented is a block of code."""
    for block in re.split(r"\n\s*\n", dedent(text).strip()):
        if block.startswith("* "):
            yield from ("* " + prose(item[2:]) for item in re.split(r"\n(?=\* )", block))
        elif block.startswith("    "):
            yield from ("```", dedent(block), "```")
        else:
            yield prose(block)
        yield ""


def options(parser: Parser) -> list[str]:
    """Return a table of a command's options."""
    formatter = parser._get_formatter()
    shown = [action for action in parser._actions if action.dest != "help" and action.help is not argparse.SUPPRESS]
    if not shown:
        return ["No options."]
    rows = [(code(spelled(action)), prose(formatter._expand_help(action))) for action in shown]
    return table(("option", "what it does"), rows)


def code(text: str) -> str:
    """Return text in code style; a bar in backticks would end the cell of a table."""
    return f"<code>{text}</code>" if "|" in text else f"`{text}`"


def spelled(action: argparse.Action) -> str:
    """Return an option as it is typed."""
    value = "" if action.nargs == 0 else metavar(action)
    if not action.option_strings:
        return f"[{value} ...]" if action.nargs == "*" else value
    value += " ..." if action.nargs in ("+", "*") else ""
    needed = " (needed)" if action.required else ""
    return " ".join(filter(None, (", ".join(action.option_strings), value))) + needed


def metavar(action: argparse.Action) -> str:
    """Return what stands for an option's value."""
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    return action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
