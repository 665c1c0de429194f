"""Every import of the three packages, read from the source: also those inside functions, which only run when called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGES = ("plugins", "opengait_ext", "reid_ext")
STAND_IN = "opengait_ext.host.embedded.opengait."  # a host's own source tree, imported under the host's names


class Import(NamedTuple):
    """One imported module: ``kind`` is ``module`` (run on import), ``call`` (inside a function) or ``typing``."""

    importer: str
    imported: str
    kind: str
    place: str


def read_modules(root: Path = ROOT) -> dict[str, Path]:
    """Return the file of every module of the packages, without the stand-in host's."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            if not name.startswith(STAND_IN):
                found[name] = path
    return found


def read_imports(modules: dict[str, Path]) -> list[Import]:
    """Return the imports of all modules, with ``from package import module`` resolved to that module."""
    return [found for name, path in modules.items() for found in imports_of(name, path, modules)]


def imports_of(name: str, path: Path, modules: dict[str, Path]) -> Iterator[Import]:
    """Yield what one module imports; ``importlib.import_module`` counts where its argument is written out."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for node, kind in walk(ast.parse(path.read_text(encoding="utf-8")), "module"):
        place = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from (Import(name, alias.name, kind, place) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            for imported in {
                f"{source}.{alias.name}" if f"{source}.{alias.name}" in modules else source for alias in node.names
            }:
                yield Import(name, imported, kind, place)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            argument = node.args[0]
            if isinstance(argument, ast.Constant):
                yield Import(name, argument.value, kind, place)


def walk(node: ast.AST, kind: str) -> Iterator[tuple[ast.AST, str]]:
    """Yield all nodes below one, each with when it runs."""
    for child in ast.iter_child_nodes(node):
        inner = kind
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and kind == "module":
            inner = "call"
        elif isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            inner = "typing"
        yield child, inner
        yield from walk(child, inner)
