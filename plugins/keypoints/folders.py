"""Which names the images of a keypoint file have, by where the file lies."""

from __future__ import annotations

import glob
from pathlib import Path

from .values import Source

EXTERNAL = "external_annotation"  # <set>/external_annotation/<kind>/<folder>/S.jpg_... is of <set>/<folder>/S.jpg
OWN_FOLDERS = ("predictions", "labels", "sep-json")  # of tools, in their output


def source_of(path: Path, root: Path) -> Source:
    """Return a file below ``root`` as a source whose images are named as they lie below it."""
    folders, first = path.absolute().parts[:-1], len(root.absolute().parts)
    below = list(folders[first:])
    if EXTERNAL in folders:
        place = folders.index(EXTERNAL)
        below = [part for i, part in enumerate(folders) if i >= first and i not in (place, place + 1)]
        below += _person_folder(Path(*folders[:place], *folders[place + 2 :]), path.name)
    elif below and below[-1] in OWN_FOLDERS:
        below.pop()
    return Source(path, "/".join(below))


def _person_folder(folder: Path, name: str) -> list[str]:
    """The folder of the person where images have one and their annotations have not (Occluded-ReID)."""
    image = name.removesuffix("_keypoints.json")
    if (folder / image).exists():
        return []
    found = list(folder.glob(f"*/{glob.escape(image)}"))
    return [found[0].parent.name] if len(found) == 1 else []
