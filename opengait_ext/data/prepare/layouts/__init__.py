"""How data sets lay out silhouettes and poses: one file each, and the table of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from plugins.errors import KpstraError

from ...layout import find_sequences, walk
from .casia_b import CASIA_B
from .gait3d import GAIT3D
from .grew import GREW, POSE, numbered_as
from .layout import Layout, PickledLayout, RawLayout
from .oumvlp import OUMVLP
from .pickled import CCGR, CCPG
from .sustech1k import SUSTECH1K

__all__ = ["GAIT3D", "LAYOUTS", "Layout", "PickledLayout", "RawLayout", "choose", "detect"]

LAYOUTS: dict[str, Layout] = {one.name: one for one in (GAIT3D, GREW, OUMVLP, CASIA_B, SUSTECH1K, CCPG, CCGR)}
LOOKED_AT = 20  # files


def choose(name: str | None, silhouettes: Path) -> Layout:
    """Return the layout that the user named; without a name Gait3D's, unless the files are those of another one.

    Raises:
        KpstraError: the files are named as another layout's.
    """
    found, example = detect(silhouettes)
    if name is None:
        if found and found is not GAIT3D:
            raise KpstraError(
                f"--silhouettes {silhouettes}: looks like the layout {found.name}, for example {example}; add --layout "
                f"{found.name} (or --layout gait3d if the poses are Gait3D's text files)"
            )
        return GAIT3D
    layout = LAYOUTS[name]
    if found is not layout and not (layout is GAIT3D and _may_be_own(silhouettes, found, example)):
        looks = f", which looks like --layout {found.name}" if found else ""
        what = f"for example {example}{looks}" if example else "no file in it"
        raise KpstraError(f"--silhouettes {silhouettes}: {what}; --layout {name} expects {layout.expected}")
    return numbered_as(silhouettes) if layout is GREW else layout


def _may_be_own(silhouettes: Path, found: Layout | None, example: str) -> bool:
    """Whether files that look like another layout's can be one's own, with Gait3D's folders and other names."""
    if found in (None, CASIA_B):
        return True
    image = silhouettes / example
    if image.with_name(image.stem + POSE).exists():
        return False
    try:
        return bool(find_sequences(silhouettes, ".png", "--silhouettes"))
    except KpstraError:
        return False


def detect(root: Path) -> tuple[Layout | None, str]:
    """Return the layout that the first files below a folder are named by, if any, and one of them."""
    files = list(_files(root))
    for layout in reversed(LAYOUTS.values()):  # Gait3D's, which most names fit, last
        for file in files:
            if re.fullmatch(layout.pattern, file):
                return layout, file
    return None, files[0] if files else ""


def _files(root: Path) -> Iterator[str]:
    """The first image and pickle files below a folder, some of each folder."""
    if not root.is_dir():
        raise KpstraError(f"--silhouettes {root}: no such folder")
    seen = 0
    for folder, files in walk(root):
        kept = [name for name in files if name.lower().endswith((".png", ".pkl")) and not name.startswith(".")]
        for name in kept:
            yield Path(folder, name).relative_to(root).as_posix()
        seen += len(kept)
        if seen >= LOOKED_AT:
            return
