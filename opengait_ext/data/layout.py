"""Finding the sequences of a raw release, and saying what is wrong with folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from plugins.errors import KpstraError

DEPTH = 3  # <id>/<cam_video>/<seq>
PICTURES = (".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm")  # that are not read


def find_sequences(root: Path, suffix: str, option: str) -> list[str]:
    """Return the ``<id>/<cam_video>/<seq>`` folders under ``root``, in order.

    Raises:
        KpstraError: no such folder, or no ``suffix`` files at the depth where they belong.
    """
    if not root.is_dir():
        raise KpstraError(f"{option} {root}: no such folder")
    try:
        level = [""]
        for _ in range(DEPTH):
            level = [f"{above}{entry.name}/" for above in level for entry in _folders(root / above)]
        names = sorted(name[:-1] for name in level)
        if any(has_suffix(file, suffix) for name in names for file in os.listdir(root / name)):
            return names
    except OSError as error:
        raise KpstraError(f"{option} {error.filename}: {error.strerror}") from error
    wanted = f"expected <id>/{'<type>/<view>' if suffix == '.pkl' else '<cam_video>/<seq>'}/*{suffix}"
    found = next(
        (
            Path(folder, file).relative_to(root)
            for folder, files in walk(root)
            for file in files
            if has_suffix(file, suffix)
        ),
        None,
    )
    if found is None:
        raise KpstraError(f"{option} {root}: no {suffix} file in it{_pictures(root, suffix)}; {wanted}")
    advice = "give a folder deeper" if len(found.parts) > DEPTH + 1 else "give the folder that holds the ids"
    raise KpstraError(f"{option} {root}: wrong layout, for example {found}; {wanted}: {advice}")


def _pictures(root: Path, suffix: str) -> str:
    """Say that there are pictures of another kind where PNG files are looked for."""
    if suffix != ".png":
        return ""
    kinds = Counter(Path(file).suffix.lower() for _, files in walk(root) for file in files if file[0] != ".")
    number, kind = max((kinds[kind], kind) for kind in PICTURES)
    return f", but {number} {kind}: convert them to PNG, which loses nothing" if number else ""


def walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder and its files, both in order, through links too; no folder twice, as links may go round."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        if (place := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(place)
        folders.sort()
        yield folder, sorted(files)


def has_suffix(name: str, suffix: str) -> bool:
    """Whether a file is of a kind, ``.png`` or ``.PNG``; hidden ones are not, such as macOS' ``._0001.png``."""
    return name.lower().endswith(suffix) and not name.startswith(".")


def _folders(folder: Path) -> list[os.DirEntry]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]


def check_output(output: Path, inputs: dict[str, Path]) -> None:
    """Refuse an output inside an input.

    Raises:
        KpstraError: names both.
    """
    place = output.resolve()
    for option, folder in inputs.items():
        if place.is_relative_to(folder.resolve()):
            raise KpstraError(f"--output {output}: lies inside {option} {folder}; give a folder outside the data")
