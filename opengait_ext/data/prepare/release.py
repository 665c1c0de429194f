"""Prepare a data set of any layout that is known."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from plugins.errors import KpstraError, one_of

from ..layout import check_output
from .layouts import GAIT3D, LAYOUTS, RawLayout, choose
from .pickles import prepare_pickled
from .report import summary
from .run import Written, run
from .sample import raw_sample
from .sequence import prepare_sequence, write_sequence
from .source import raw_source


def prepare(
    silhouettes: str | Path,
    poses: str | Path,
    output: str | Path,
    size: int = 64,
    workers: int | None = None,
    layout: str | None = None,
) -> dict[str, Any]:
    """Turn a data set into OpenGait's layout with two modalities; see the package's docstring for the rules.

    Args:
        silhouettes: folder of the silhouettes, as ``layout`` has them.
        poses: folder of the poses (a file for ``casia-b``).
        output: a new folder, or that of an earlier run, which is then continued.
        size: height and width S of the prepared silhouettes, even.
        workers: processes; by default one for each core.
        layout: one of :data:`.layouts.LAYOUTS`; without one Gait3D's, unless the files are named as another one's.

    Returns:
        The report, as written to ``<output>/prepare_report.json``.

    Raises:
        KpstraError: wrong folders or settings, or joints that mostly miss the body.
    """
    silhouettes, poses, output = Path(silhouettes), Path(poses), Path(output)
    if size % 2 or not 16 <= size <= 1024:
        raise KpstraError(f"--size {size}: expected an even number from 16 to 1024")
    if layout is not None:
        one_of(layout, LAYOUTS, "--layout")
    chosen = choose(layout, silhouettes)
    if isinstance(chosen, RawLayout):
        return _prepare_raw(silhouettes, poses, output, size, workers, chosen)
    if size != 64:
        raise KpstraError(f"--size {size}: {chosen.name}'s arrays are 64 pixels high already")
    return prepare_pickled(silhouettes, poses, output, workers, chosen)


def _prepare_raw(
    silhouettes: Path, poses: Path, output: Path, size: int, workers: int | None, layout: RawLayout
) -> dict[str, Any]:
    names, posed = layout.sequences(silhouettes), layout.posed(poses)
    if not posed:
        raise KpstraError(f"--poses {poses}: no poses in it; --layout {layout.name} expects {layout.expected}")
    strays = set(posed).difference(names)
    check_output(output, {"--silhouettes": silhouettes, "--poses": poses})
    sample = raw_sample(silhouettes, poses, names, size, layout)
    sample.check()
    report = run(
        names,
        partial(prepare_one, silhouettes, poses, output, size, layout=layout.name),
        partial(raw_source, silhouettes, poses, layout.name),
        output,
        _settings(layout, size),
        workers,
        strays=sum(len(layout.poses(poses, name)) for name in strays),
        sample=sample,
    )
    print(summary(report, output))
    return report


def _settings(layout: RawLayout, size: int) -> dict[str, Any]:
    kind = {"kind": "exact" if layout.exact else "approximate, by body box", "size": size}
    return kind if layout is GAIT3D else {**kind, "layout": layout.name}


def prepare_one(
    silhouettes: Path, poses: Path, output: Path, size: int, name: str, layout: str = GAIT3D.name
) -> Written:
    """Prepare and write one sequence of a raw release."""
    raw = LAYOUTS[layout]
    images, keypoints, counts = prepare_sequence(raw.images(silhouettes, name), raw.poses(poses, name), size, raw)
    return {"sequence": name, **counts}, write_sequence(output, name, images, keypoints) if len(images) else None
