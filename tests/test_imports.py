"""Which room may import which: rules on every import of the packages, and no circles."""

import sys
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

import pytest
from imports import PACKAGES, imports_of, read_imports, read_modules

MODULES = read_modules()
IMPORTS = read_imports(MODULES)
HOSTS = ("torchreid", "opengait", "modeling", "data", "evaluation", "utils", *PACKAGES[1:])
ONLY = {  # room: what it may import beside the standard library and itself
    "plugins.kprpe": ("torch", "numpy", "plugins.answer", "plugins.errors"),
    "plugins.stra": ("torch", "numpy", "plugins.errors"),
    "plugins.modes": ("torch", "plugins.errors", "plugins.kprpe", "plugins.stra"),
    "plugins.landmarks": ("torch", "timm", "plugins.errors"),
    "plugins.keypoints": ("numpy", "plugins.errors", "plugins.common.files"),
}
LAZILY = {  # in a function, for who calls it: nothing else of the room needs it
    "plugins.kprpe.draw": ("matplotlib",)
}
BY_FILE = {"plugins.stra.kernels": ("triton",)}  # which is imported for CUDA alone, where torch brings it
LAST = ("commands", "benchmarks")  # rooms that others do not import


def below(name, *rooms):
    """Whether a module is one of the rooms or lies in one."""
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def told(imports):
    return [f"{found.place}: {found.importer} imports {found.imported}" for found in imports]


@pytest.mark.parametrize("room", ONLY)
def test_a_pure_room_imports_little(room):
    """matplotlib is allowed to the pictures, inside a function or for type checkers."""
    strays = [
        found
        for found in IMPORTS
        if below(found.importer, room)
        and not below(found.imported, room, *ONLY[room], *sys.stdlib_module_names)
        and not (found.kind != "module" and below(found.imported, *LAZILY.get(found.importer, ())))
        and not below(found.imported, *BY_FILE.get(found.importer, ()))
    ]
    assert not told(strays)


def test_the_plugins_know_no_host():
    assert not told(f for f in IMPORTS if below(f.importer, "plugins") and below(f.imported, *HOSTS))


def test_the_common_room_knows_no_other():
    """It holds helpers that everyone may import, so it imports nobody."""
    allowed = ("plugins.common", "plugins.answer", "plugins.errors")
    assert not told(
        found
        for found in IMPORTS
        if below(found.importer, "plugins.common")
        and below(found.imported, *PACKAGES)
        and not below(found.imported, *allowed)
    )


def test_the_extensions_do_not_import_each_other():
    for one, other in (PACKAGES[1:], PACKAGES[:0:-1]):
        assert not told(f for f in IMPORTS if below(f.importer, one) and below(f.imported, other))


def test_commands_and_benchmarks_are_imported_last():
    """Only by themselves, and by the programs' entries."""
    last = [f"{package}.{room}" for package in PACKAGES for room in LAST]
    assert not told(
        found
        for found in IMPORTS
        if below(found.imported, *last) and not below(found.importer, *last) and not found.importer.endswith("__main__")
    )


def circle(imports):
    """The modules of a circle, or none."""
    graph = defaultdict(set)
    for found in imports:
        if found.kind == "module" and found.imported != found.importer:
            graph[found.importer].add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_module_imports_itself_by_way_of_others():
    """Imports inside functions run when all modules are there, and those for type checkers never: they are left out."""
    assert not circle(IMPORTS)
    first = next(found for found in IMPORTS if found.kind == "module" and found.imported in MODULES)
    back = first._replace(importer=first.imported, imported=first.importer)
    assert {first.importer, first.imported} <= set(circle([*IMPORTS, back]))
    assert not circle([*IMPORTS, back._replace(kind="call")])


SOURCE = """
import a.b
from . import y
from ..common.files import atomic_write
if TYPE_CHECKING:
    from matplotlib.figure import Figure
class C:
    import c
    def f(self):
        import d
        return lambda: importlib.import_module("e.f")
"""


def test_what_counts_as_an_import(tmp_path):
    """Names are resolved, and told apart by when they run."""
    path = tmp_path / "x.py"
    path.write_text(SOURCE)
    found = [(f.imported, f.kind) for f in imports_of("plugins.room.x", path, {"plugins.room.y": path})]
    assert found == [
        ("a.b", "module"),
        ("plugins.room.y", "module"),
        ("plugins.common.files", "module"),
        ("matplotlib.figure", "typing"),
        ("c", "module"),
        ("d", "call"),
        ("e.f", "call"),
    ]
    assert len(MODULES) > 100 and len(IMPORTS) > 500
