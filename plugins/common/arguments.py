"""An argument parser with one-line mistakes, plain help, and settings in the spelling of either host."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NoReturn

from ..errors import KpstraError, closest

NAME = r"[A-Za-z_]\w*"
ROLE = re.compile(r":\w+:`[~.]*([^`]+)`")  # :class:`Settings`
NUMBER = re.compile(r"-\.?\d")


class Help(argparse.HelpFormatter):
    """Help as plain text: docstrings without markup, tables as they stand, every option's default."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(_filled(block, width) for block in re.split(r"\n\s*\n", plain_text(text)))

    def _get_help_string(self, action: argparse.Action) -> str:
        text, default = action.help or "", action.default
        unsaid = default is None or default is False or default in ("", [], argparse.SUPPRESS)
        if unsaid or not action.option_strings or "(default" in text:
            return text
        shown = " ".join(map(str, default)) if isinstance(default, (list, tuple)) else str(default)
        return f"{text} (default {shown.replace('%', '%%')})"


class Parser(argparse.ArgumentParser):
    """An :class:`argparse.ArgumentParser` whose mistakes are :class:`KpstraError`.

    After :meth:`add_overrides` it takes settings, ``key=value`` and ``key value``, anywhere: an option that takes
    several values ends where a setting begins.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": Help, **options})
        self.nested: dict[str, Parser] = {}
        self._key: re.Pattern | None = None
        self._example, self._undotted = "", ()

    def add_subparsers(self, **options: Any) -> argparse._SubParsersAction:
        """As argparse's; the parsers are then also in :attr:`nested`, by name."""
        action = super().add_subparsers(**options)
        self.nested = action.choices
        return action

    def add_overrides(self, example: str, undotted: Sequence[str] = ()) -> None:
        """Take settings as ``overrides``, a list of ``key=value``.

        Args:
            example: a setting, for help and messages.
            undotted: keys without a dot that are settings too.
        """
        self._key = re.compile("|".join([rf"{NAME}(\.\w+)+", *map(re.escape, undotted)]))
        self._example, self._undotted = example, tuple(undotted)
        about = f"settings, also written `key value`, such as {example}"
        self.add_argument("overrides", nargs="*", default=[], metavar="key=value", help=about.replace("%", "%%"))

    def parse_known_args(
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; an argument that is left over is a mistake of this parser's."""
        args = list(args or ())
        if not self.nested:
            self._check_options(args)
        args, overrides = self._split(args) if self._key else (args, [])
        namespace, left = super().parse_known_args(args, namespace)
        if self._key:
            left = [*namespace.overrides, *left]
            namespace.overrides = overrides
        if left:
            self._unknown(left[0])
        return namespace, []

    def error(self, message: str) -> NoReturn:
        """Raise :class:`KpstraError`."""
        raise KpstraError(f"{message}; see `{self.prog} --help`")

    def is_setting(self, token: str) -> bool:
        """Whether a word of the command line begins a setting."""
        key, equals, _ = token.partition("=")
        return bool(self._key and (self._key.fullmatch(key) or (equals and re.fullmatch(NAME, key))))

    def _check_options(self, argv: Sequence[str]) -> None:
        """Name an unknown option, before argparse asks for what is missing because of it."""
        for token in takewhile(lambda word: word != "--", argv):
            name = token.partition("=")[0]
            if name.startswith("--") and not any(known.startswith(name) for known in self._option_string_actions):
                self._unknown(token)

    def _split(self, argv: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the words for argparse, and the settings as ``key=value``."""
        words, overrides, tokens = [], [], deque(argv)
        positionals = len(self._get_positional_actions()) - 1  # these come first; the settings are the last
        while tokens:
            token = tokens.popleft()
            if token.startswith("-") and not NUMBER.match(token):
                words += [token, *self._values(token, tokens)]
            elif positionals and "=" not in token:
                words.append(token)
                positionals -= 1
            elif self.is_setting(token):
                overrides.append(self._pair(token, tokens))
            else:
                words.append(token)
        return words, overrides

    def _values(self, token: str, tokens: deque[str]) -> list[str]:
        """Take from ``tokens`` what belongs to an option."""
        name, equals, _ = token.partition("=")
        options = self._option_string_actions
        found = {action for option, action in options.items() if name.startswith("--") and option.startswith(name)}
        found = {options[name]} if name in options else found
        if equals or len(found) != 1:
            return []
        count, values = found.pop().nargs, []
        while tokens and self._goes_on(tokens[0], count, len(values)):
            values.append(tokens.popleft())
        return values

    def _goes_on(self, token: str, count: int | str | None, taken: int) -> bool:
        if count in ("+", "*"):
            return not self.is_setting(token) and (not token.startswith("-") or bool(NUMBER.match(token)))
        return taken < (1 if count is None else int(count))

    def _pair(self, token: str, tokens: deque[str]) -> str:
        if "=" in token:
            return token
        if not tokens or tokens[0].startswith("--") or tokens[0] in self._option_string_actions:
            self.error(f"{token}: expected a value after it, or {token}=VALUE")
        return f"{token}={tokens.popleft()}"

    def _unknown(self, word: str) -> NoReturn:
        option = word.partition("=")[0]
        if option.startswith("-"):
            known = {name.lstrip("-"): name for name in (*self._option_string_actions, *self._undotted)}
            close = known.get(closest(option.lstrip("-"), known))
            self.error(f"{option}: no such option{f' (did you mean {close!r}?)' if close else ''}")
        expected = f"a setting such as {self._example}" if self._key else "an option"
        self.error(f"{word!r}: expected {expected}")


def plain_text(text: str) -> str:
    """Return a docstring without its markup."""
    return ROLE.sub(r"\1", text).replace("``", "`").strip()


def _filled(block: str, width: int) -> str:
    """Wrap a paragraph, or each item of a list; indented lines stay as they are."""
    if block.startswith("* "):
        items = re.split(r"\n(?=\* )", block)
        return "\n".join(textwrap.fill(" ".join(item.split()), width, subsequent_indent="  ") for item in items)
    kept = re.search(r"^ ", block, re.MULTILINE)
    return block if kept else textwrap.fill(block, width, break_long_words=False, break_on_hyphens=False)
