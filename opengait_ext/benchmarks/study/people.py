"""The test people under every test: rendered and disturbed once, kept as arrays that all runs read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from tqdm import tqdm

from plugins.benchmarks.robustness import Disturbance
from plugins.common.files import atomic_write

from ...data.prepare.run import parallel
from ...data.prepare.sequence import FILES
from ...data.safe_pickle import read_array
from ..robustness.disturb import disturb
from ..walkers import Settings
from ..walkers.write import prepared
from .table import Study, Test, walkers_of

Arrays = tuple[np.ndarray, np.ndarray]  # silhouettes (n, s, 64, 64) uint8, joints (n, s, 17, 3) float32
BATCH = 64  # sequences of a test that go through the network together


class TestBatches:
    """A test's sequences as the loader of the host's inference, many in a batch as all are of one length.

    Args:
        arrays: silhouettes (n, s, 64, 64) uint8 and joints (n, s, 17, 3).
        names: (n,) ``<id>/<type>/<view>``.
    """

    __test__ = False  # not one of pytest's

    def __init__(self, arrays: Arrays, names: Sequence[str]) -> None:
        self.arrays, self.batch_sampler = arrays, SimpleNamespace(batch_size=BATCH)
        labels, types, views = map(list, zip(*(name.split("/") for name in names), strict=True))
        self.dataset = SimpleNamespace(label_list=labels, types_list=types, views_list=views)

    def __len__(self) -> int:
        return len(self.dataset.label_list)

    def __iter__(self) -> Iterator[list]:
        """Yield what the host's collate function gives for sequences of a fixed length."""
        about = self.dataset.types_list, self.dataset.views_list
        for start in range(0, len(self), BATCH):
            here = slice(start, start + BATCH)
            modalities = [list(array[here]) for array in self.arrays]
            yield [modalities, list(range(len(self)))[here], *(texts[here] for texts in about), None]


def test_names(settings: Settings) -> list[str]:
    """Return ``<id>/<type>/<view>`` of all sequences of the test people."""
    people = [int(label) - 1 for label in settings.partition()["TEST_SET"]]
    return [settings.name(person, number) for person in people for number in range(settings.sequences)]


test_names.__test__ = False


def array_files(folder: Path, study: Study, test: Test) -> tuple[Path, Path]:
    """Return where a test's arrays are; what they show is in their names."""
    shown = {"walkers": study.walkers.as_json(), "frames": study.frames, **test.definition()}
    key = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:12]
    return folder / f"{test.name}-{key}-silhouettes.npy", folder / f"{test.name}-{key}-joints.npy"


def make_arrays(data: Path, folder: Path, study: Study, tests: Sequence[Test], workers: int | None) -> None:
    """Make the arrays that are not there yet.

    Args:
        data: the walkers, written.
        folder: for the arrays.
        study: the table.
        tests: of it.
        workers: processes; by default one for each core.
    """
    todo = [test for test in tests if not all(file.exists() for file in array_files(folder, study, test))]
    if not todo:
        return
    names, found = test_names(study.walkers), {}
    work = partial(under, data, study, todo)
    with closing(parallel(work, names, workers)) as made, tqdm(total=len(names), desc="Tests", unit="seq") as bar:
        for name, arrays in made:
            found[name] = arrays
            bar.update()
    for test in todo:
        for i, file in enumerate(array_files(folder, study, test)):
            with atomic_write(file) as stream:
                np.save(stream, np.stack([found[name][test.name][i] for name in names]))


def under(data: Path, study: Study, tests: Sequence[Test], name: str) -> tuple[str, Mapping[str, Arrays]]:
    """Return a sequence's name and its arrays (frames, ...) by test."""
    shown, plain = {}, None
    for test in tests:
        if test.walkers:
            arrays = rendered(walkers_of(test.walkers, test.name, study.walkers), name)
        else:
            arrays = plain = plain or tuple(read_array(data / name / file) for file in FILES)
        if test.error is not None:
            what = Disturbance.of(test.error, test.severity)
            arrays = disturb(*arrays, what, 0, name.replace("/", "-"))
        chosen = np.linspace(0, len(arrays[0]) - 1, study.frames).round().astype(int)
        shown[test.name] = arrays[0][chosen], arrays[1][chosen].astype(np.float32)
    return name, shown


def rendered(settings: Settings, name: str) -> Arrays:
    """Render a sequence of other settings, as ``opengait-ext walkers`` would write it."""
    label, kind, _ = name.split("/")
    return prepared(replace(settings, raw=False), int(label) - 1, int(kind.rpartition("videoid")[2]))


def read_arrays(folder: Path, study: Study, test: Test) -> Arrays:
    """Read a test's arrays; pages are shared by all processes."""
    return tuple(np.load(file, mmap_mode="r") for file in array_files(folder, study, test))
