"""The test of a module stands where the module does: `tests/<package>/<room>/test_<module>.py`."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("plugins", "opengait_ext", "reid_ext")


def subjects(room: Path) -> set[str]:
    """Names of a room, and of the modules and rooms in it."""
    return {room.name, *(path.stem.strip("_") for path in room.glob("*") if path.suffix == ".py" or path.is_dir())}


def test_tests_are_named_after_modules():
    """`test_<module>_<aspect>.py` where the tests of one module, or of a whole room, fill several files."""
    strays = []
    for path in (path for package in PACKAGES for path in (ROOT / "tests" / package).rglob("test_*.py")):
        room = ROOT / path.parent.relative_to(ROOT / "tests")
        words = path.stem.split("_")[1:]
        if not {"_".join(words[:n]) for n in range(1, len(words) + 1)} & subjects(room):
            strays.append(str(path.relative_to(ROOT)))
    assert strays == [], "no module or room of this name"
