"""Whether a prepared data set is fit: sequences, files, joints, partition. Each finding is (is it well, what)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from plugins.common.files import read_json
from plugins.errors import KpstraError, some

from .body import count_body, evenly, judge, judge_scores
from .causes import Frame, likely_cause
from .layout import find_sequences
from .modalities import check_pair
from .partition import MIN_GALLERY, SETS, read_sets
from .pixels import count_pixels, judge_pixels
from .prepare.journal import REPORT
from .safe_pickle import read_array

PUBLISHED = {"Gait3D": {"training identities": 3000, "test identities": 1000, "probe sequences": 1000}}
SEQUENCES, FRAMES = 50, 4  # a sample, to find out what is wrong with it

Finding = tuple[bool, str]


def sequences(root: Path) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Read (name, silhouettes, keypoints) of every sequence of a prepared data set, in the order of names."""
    return [(name, *pair) for name, pair in ((n, read_pair(files)) for n, files in listing(root)) if pair]


def listing(root: Path) -> list[tuple[str, list[Path]]]:
    """Return (id/type/view, files) of every sequence."""
    if not root.is_dir():
        raise KpstraError(f"--data {root}: no such folder; make it with `opengait-ext prepare`")
    return [(name, sorted((root / name).glob("[!.]*.pkl"))) for name in find_sequences(root, ".pkl", "--data")]


def read_pair(files: Sequence[Path]) -> tuple[np.ndarray, np.ndarray] | None:
    """Read silhouettes and keypoints, or ``None`` for a sequence without both."""
    return (read_array(files[0]), read_array(files[1])) if len(files) == 2 else None


def _alignment(root: Path) -> list[Finding]:
    """What ``prepare`` wrote down about joints that are not exact, if it did."""
    report = root / REPORT
    note = read_json(report, "what `opengait-ext prepare` counted").get("note") if report.is_file() else None
    return [(True, note)] if note else []


def inspect_dataset(root: Path, partition: Path | None = None, published: str | None = None) -> list[Finding]:
    """Look at every sequence of a prepared data set.

    Args:
        root: ``<id>/<type>/<view>/*.pkl``.
        partition: its JSON file.
        published: a key of :data:`PUBLISHED`, whose counts it should have.

    Raises:
        KpstraError: no such folder, or no sequences in it.
    """
    listed = listing(root)
    lines = [_files(listed), *_alignment(root)]
    counts, frames, unreadable, unfit, sample = Counter(), 0, [], [], []
    each = max(1, len(listed) // SEQUENCES)
    for number, (_, files) in enumerate(listed):
        if len(files) != 2:
            continue
        try:
            pair = read_array(files[0]), read_array(files[1])
        except KpstraError as error:
            unreadable.append(str(error))
            continue
        frames += len(pair[0])
        try:
            check_pair(*pair, files)
        except KpstraError as error:
            unfit.append(str(error))
            continue
        count_pixels(pair[0], counts)
        count_body(*pair, counts)
        if number % each == 0:
            sample += evenly(list(zip(*pair, strict=True)), FRAMES)
    lines.append((not unreadable, f"{frames} frames; unreadable files: {len(unreadable)}{_some(unreadable, ': ')}"))
    lines.append((not unfit, f"files of unequal length, not finite, or of another kind: {_some(unfit) or 'none'}"))
    if frames:
        lines += _bodies(counts, sample)
    if partition:
        lines += _partition([name for name, _ in listed], partition, published)
    return lines


def _files(listed: Sequence[tuple[str, list[Path]]]) -> Finding:
    modalities = Counter(len(files) for _, files in listed)
    usual = modalities.most_common(1)[0][0]
    odd = [name for name, files in listed if len(files) != usual]
    numbers = ", ".join(f"{n} in {count}" for n, count in modalities.most_common())
    return not odd, f"{len(listed)} sequences; files in each: {numbers}{_some(odd, ', such as ')}"


def _bodies(counts: Counter, sample: Sequence[Frame]) -> Iterator[Finding]:
    verdicts = [*judge_pixels(counts), *judge_scores(counts), *judge(counts)]
    cause = "" if all(verdict.well for verdict in verdicts) else likely_cause(sample).what
    for verdict in verdicts:
        yield verdict.well, verdict.what + ("" if verdict.well else cause)


def _partition(names: Sequence[str], partition: Path, published: str | None) -> Iterator[Finding]:
    """Compare the data with its partition, and with the published counts."""
    sets = read_sets(partition)
    identities = {name.split("/")[0] for name in names}
    joined = {name.replace("/", "-") for name in names}
    found = {}
    for key, what, there in zip(
        SETS,
        ("training identities", "test identities", "probe sequences"),
        (identities, identities, joined),
        strict=True,
    ):
        listed = sets.get(key, [])
        missing = [one for one in listed if one not in there]
        found[what] = len(listed) - len(missing)
        yield not missing, f"{what}: {found[what]} of the {len(listed)} in {partition.name}{_some(missing, ', not ')}"
    for what, expected in PUBLISHED.get(published, {}).items():
        yield found[what] == expected, f"{what}: {found[what]}, {published} has {expected}"
    train, test = set(sets["TRAIN_SET"]), set(sets["TEST_SET"])
    yield not train & test, f"identities both in TRAIN_SET and TEST_SET: {_some(sorted(train & test)) or 'none'}"
    other = sorted(identities - train - test)
    yield True, f"identities in neither: {len(other)}{_some(other, ', such as ')}"
    if probes := set(sets.get("PROBE_SET", [])) & joined:
        gallery = [name for name in names if name.split("/")[0] in test and name.replace("/", "-") not in probes]
        alone = {name.split("/")[0] for name in names if name.replace("/", "-") in probes}
        alone -= {name.split("/")[0] for name in gallery}
        yield len(gallery) >= MIN_GALLERY, f"gallery sequences: {len(gallery)}, at least {MIN_GALLERY} are needed"
        yield not alone, f"probe identities without a gallery sequence: {_some(sorted(alone)) or 'none'}"


def _some(names: Sequence[str], before: str = "") -> str:
    return before + some(names) if names else ""
