"""A user's own images as a data set by name: a folder in Market-1501's naming, a CSV, or a layout of faces.

``data.sources [my_people]`` is looked for under ``data.root``:

- ``my_people/{bounding_box_train,query,bounding_box_test}/PPPP_cC*.jpg`` (or .png): person P, camera C; a person of -1
  is junk and left out;
- ``my_people.csv`` with the columns ``path`` (from the CSV's folder), ``person``, ``camera`` and ``split``, which is
  ``train``, ``query`` or ``gallery``; further columns are ignored;
- one of :data:`reid_ext.data.faces.layouts.LAYOUTS`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from plugins.errors import KpstraError, nearest

from ..host import torchreid
from .faces.layouts import LAYOUTS as FACES
from .images import read_contained
from .splits import ACCURACY, RANKING, SPLITS, Image, Layout, empty, files_below, refuse

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
NAME = re.compile(r"(-?\d+)_c(\d+)")
COLUMNS = ("path", "person", "camera", "split")
JUNK, DISTRACTOR = "-1", "0"


def find_source(root: Path, name: str) -> Path | None:
    """Return what holds a data set of this name, a file or folder, or ``None``."""
    places = (root / name, *(root / f"{name}{suffix}" for suffix in (".csv", ".bin", ".lst")))
    return next((place for place in places if any(layout.matches(place) for layout in LAYOUTS)), None)


def layout_of(source: Path) -> Layout:
    """Return the layout of what :func:`find_source` found."""
    return next(layout for layout in LAYOUTS if layout.matches(source))


def read_source(source: Path) -> dict[str, list[Image]]:
    """Return the images of every split, in the order of their names or rows.

    Raises:
        KpstraError: names the first file or row that tells no person and camera, and how many there are.
    """
    return layout_of(source).read(source)


def _read_folder(folder: Path) -> dict[str, list[Image]]:
    splits = {}
    for split, name in FOLDERS.items():
        matches = {path: NAME.match(path.name) for path in files_below(folder / name)}
        expected = "does not begin with person and camera, such as 0002_c1_000451.jpg"
        refuse([f"{path}: its name {expected}" for path, match in matches.items() if not match])
        images = [Image(str(path), str(int(match[1])), match[2]) for path, match in matches.items()]
        splits[split] = [image for image in images if image.person != JUNK]
    return splits


def _read_csv(table: Path) -> dict[str, list[Image]]:
    try:
        with open(table, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise KpstraError(
                    f"{table}: line 1: no column {', '.join(missing)}; expected {','.join(COLUMNS)}, "
                    f"found {','.join(reader.fieldnames or ()) or 'nothing'}"
                )
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KpstraError(f"{table}: not readable as CSV in UTF-8: {error}") from error
    splits, wrong = empty(), []
    for line, row in rows:
        path, person, camera, split = ((row[column] or "").strip() for column in COLUMNS)
        file = table.parent / path
        if problem := _row_problem(path, file, person, camera, split):
            wrong.append(f"{table}: line {line}: {problem}")
        elif person != JUNK:
            splits[split].append(Image(str(file), person, camera))
    refuse(wrong)
    return splits


def _row_problem(path: str, file: Path, person: str, camera: str, split: str) -> str | None:
    for column, value in zip(COLUMNS, (path, person, camera, split), strict=True):
        if not value:
            return f"{column} is empty"
    if split not in SPLITS:
        return f"split: {split!r} is not one of {', '.join(SPLITS)}{nearest(split, SPLITS)}"
    return None if file.is_file() else f"path: {file}: no such file"


LAYOUTS = (
    Layout(
        f"NAME/{FOLDERS['train']}",
        lambda path: any((path / folder).is_dir() for folder in FOLDERS.values()),
        _read_folder,
        distractor=DISTRACTOR,
    ),
    *FACES,
    Layout("NAME.csv", lambda path: path.suffix == ".csv" and path.is_file(), _read_csv),
)


def check_source(root: Path, name: str, key: str) -> None:
    """Check that a data set has the splits that ``data.sources`` or ``data.targets`` takes.

    Raises:
        KpstraError: an unreadable source, or a split without images.
    """
    source = find_source(root, name)
    if source is None:  # registered for another root
        raise KpstraError(f"{key}: {name!r}: {missing_text(root, name)}")
    splits = read_source(source)
    for split in ("train",) if key == "data.sources" else ("query", "gallery"):
        if not splits[split]:
            where = source / FOLDERS[split] if layout_of(source) is LAYOUTS[0] else source
            raise KpstraError(f"{key}: {name!r}: {where}: holds no {split} images")
    ranked = key == "data.targets" and layout_of(source).protocol == RANKING
    tested = {image.person for image in splits["query"]} if ranked else set()
    if shared := {image.person for image in splits["train"]} & tested:
        print(f"Note: {name}: {len(shared)} of {len(tested)} query people are trained on too: results will be too good")


def missing_text(root: Path, name: str) -> str:
    """Return where a data set of that name was looked for."""
    faces = ", ".join(layout.expected.replace("NAME", name) for layout in FACES)
    own = f"neither {root / name}/{{{','.join(FOLDERS.values())}}} nor {root / name}.csv is there"
    return f"{own}; nor faces: {faces}"


class OwnImages(torchreid.data.ImageDataset):
    """A data set of the user's own; its subclasses are named as it is.

    ``protocol`` says how a model is tested on it (:data:`reid_ext.data.splits.RANKING` and so on), and ``truth`` holds
    what that needs beside images and people.
    """

    _junk_pids = (int(JUNK),)

    def __init__(self, root: str = "", **kwargs) -> None:
        below, name = Path(root).expanduser().absolute(), type(self).__name__
        source = find_source(below, name)
        if source is None:
            raise KpstraError(f"data set {name}: {missing_text(below, name)}")
        layout = layout_of(source)
        splits, self.protocol = layout.read(source), layout.protocol
        self.truth = layout.truth and layout.truth(source)
        cameras = _numbered(image.camera for images in splits.values() for image in images)
        trained = _numbered(image.person for image in splits["train"])
        tested = _numbered(image.person for split in ("query", "gallery") for image in splits[split])
        if layout.distractor is not None:
            tested |= {layout.distractor: int(JUNK)}  # in the gallery, but nobody to train on with data.combineall
        if layout.protocol == ACCURACY:  # classes, which are numbers, instead of people
            trained = tested = {name: int(name) for name in {**trained, **tested}}
        train, query, gallery = (
            [(image.path, people[image.person], cameras[image.camera]) for image in splits[split]]
            for split, people in (("train", trained), ("query", tested), ("gallery", tested))
        )
        # the host takes no empty split; one that is not asked for is filled as its own data sets do
        some = (train or query or gallery)[:1]
        self._train_only = not (query and gallery)
        super().__init__(train or some, query or some, gallery or some, **kwargs)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    """Number names from 0, in the order of the numbers that they are, or of their letters."""
    return {name: i for i, name in enumerate(sorted(set(names), key=lambda name: (len(name), name)))}


def is_own(dataset: object) -> bool:
    """Whether what is registered with the host is one of :func:`register_source`'s."""
    return isinstance(dataset, type) and issubclass(dataset, OwnImages)


def register_source(name: str) -> None:
    """Make ``name`` a data set of torchreid's, read under the root of the run that uses it.

    Example:
        >>> register_source("faces_emore")
        >>> torchreid.data.ImageDataManager(root="data", sources="faces_emore", height=112, width=112)
    """
    read_contained()
    torchreid.data.register_image_dataset(name, type(name, (OwnImages,), {}))
