"""How face data sets lie on disk: what torchreid trains and tests on, by split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from plugins.errors import KpstraError

from ..splits import ACCURACY, IDENTIFICATION, TEMPLATES, VERIFICATION, Image, Layout, empty, files_below, refuse
from .containers import contained
from .expressions import EXPRESSIONS, USAGES, read_expressions
from .ijb import IMAGES, MEMBERS, find_meta, read_templates
from .pairs import is_table, read_bin, read_table
from .records import open_records

RECORDS, EXPRESSION_TABLE = "train.rec", "fer2013.csv"
CELEBA_PEOPLE, CELEBA_SPLITS, CELEBA_IMAGES = "identity_CelebA.txt", "list_eval_partition.txt", "img_align_celeba"
PROBE, MATCH, DISTRACTORS = "Testing_Set/Probe", "Testing_Set/Gallery_Match", "Testing_Set/Gallery_Distractor"
TINYFACE_TRAIN = "Training_Set"
NOBODY = "distractor"
QUERY_CAMERA, GALLERY_CAMERA = "0", "1"  # invented: torchreid leaves out gallery images of the query's camera


def read_records(folder: Path) -> dict[str, list[Image]]:
    """Identities of ``train.rec``, all to train on."""
    path = folder / RECORDS
    records = open_records(str(path))

    def progress(keys: Iterable[int]) -> Iterable[int]:
        return tqdm(keys, desc=f"Reading {RECORDS}", unit="record", disable=None, leave=False)

    people = map(str, records.identities(progress).tolist())
    return empty() | {"train": [Image(contained(path, row), person, "0") for row, person in enumerate(people)]}


def read_pairs(path: Path) -> dict[str, list[Image]]:
    """Images of a ``.bin`` in their order, to verify; both splits, because torchreid wants both."""
    images = [Image(contained(path, row), "0", "0") for row in range(len(read_bin(str(path)).images))]
    return empty() | {"query": images, "gallery": images}


def read_pair_table(path: Path) -> dict[str, list[Image]]:
    """Images of a CSV of pairs, as those of a ``.bin``."""
    images = [Image(image, "0", "0") for image in read_table(path)[0]]
    return empty() | {"query": images, "gallery": images}


def read_ijb(folder: Path) -> dict[str, list[Image]]:
    """Images of templates, to verify."""
    there, names = {path.name for path in files_below(folder / IMAGES)}, read_templates(folder).names
    refuse([f"{find_meta(folder, MEMBERS)}: {name}: not in {folder / IMAGES}" for name in names if name not in there])
    images = [Image(str(folder / IMAGES / name), "0", "0") for name in names]
    return empty() | {"query": images, "gallery": images}


def read_fer(folder: Path) -> dict[str, list[Image]]:
    """Expressions as people; what an image is for is its camera."""
    path = folder / EXPRESSION_TABLE
    table = read_expressions(str(path))
    trained = {label for label, usage in zip(table.labels.tolist(), table.usages, strict=True) if usage == USAGES[0]}
    if trained and len(trained) < len(EXPRESSIONS):
        missing = [name for label, name in enumerate(EXPRESSIONS) if label not in trained]
        raise KpstraError(f"{path}: no {USAGES[0]} images of {', '.join(missing)}; the file is cut")
    splits = empty()
    for row, (label, usage) in enumerate(zip(table.labels.tolist(), table.usages, strict=True)):
        splits["train" if usage == USAGES[0] else "query"].append(Image(contained(path, row), str(label), usage))
    return splits | {"gallery": splits["query"]}


def read_tinyface(folder: Path) -> dict[str, list[Image]]:
    """Probes, and a gallery of matches and distractors; training images if they are there."""
    splits = empty()
    if (folder / TINYFACE_TRAIN).is_dir():
        splits["train"] = [Image(str(path), name, "0") for name, path in _below(folder / TINYFACE_TRAIN)]
    wrong: list[str] = []
    for split, part, camera in (("query", PROBE, QUERY_CAMERA), ("gallery", MATCH, GALLERY_CAMERA)):
        for path in files_below(folder / part):
            person = path.name.partition("_")[0]
            if not person.isdecimal():
                wrong.append(f"{path}: its name does not begin with a person's number, such as 12_3.jpg")
            else:
                splits[split].append(Image(str(path), str(int(person)), camera))
    refuse(wrong)
    splits["gallery"] += [Image(str(path), NOBODY, GALLERY_CAMERA) for path in files_below(folder / DISTRACTORS)]
    return splits


def read_celeba(folder: Path) -> dict[str, list[Image]]:
    """CelebA's people: partition 0 to train on, 2 to test on; without a partition all to train on."""
    people = dict(_columns(folder / CELEBA_PEOPLE))
    parts = dict(_columns(folder / CELEBA_SPLITS)) if (folder / CELEBA_SPLITS).is_file() else dict.fromkeys(people, "0")
    there = {path.name for path in files_below(folder / CELEBA_IMAGES)}
    refuse([f"{folder / CELEBA_PEOPLE}: {n}: not in {folder / CELEBA_IMAGES}" for n in people if n not in there])
    refuse([f"{folder / CELEBA_SPLITS}: no line for {n}" for n in people if n not in parts])
    images = [(name, Image(str(folder / CELEBA_IMAGES / name), person, "0")) for name, person in people.items()]
    splits = {"train": [image for name, image in images if parts[name] == "0"]}
    return splits | tested_people([image for name, image in images if parts[name] == "2"])


def read_list(path: Path) -> dict[str, list[Image]]:
    """InsightFace's ``.lst``: aligned or not, path, label between tabs; what follows are landmarks. All to train on."""
    images, wrong = [], []
    for number, cells in _lines(path, "\t"):
        file = path.parent / cells[1] if len(cells) > 2 else path.parent
        if not file.is_file():
            told = f"{file}: no such file" if len(cells) > 2 else "expected aligned, path, label between tabs"
            wrong.append(f"{path}: line {number}: {told}")
        else:
            images.append(Image(str(file), cells[2], "0"))
    refuse(wrong)
    return empty() | {"train": images}


def read_folders(folder: Path) -> dict[str, list[Image]]:
    """A folder for each identity: all images to train on; to test on, each identity's first against the others."""
    images = [Image(str(path), name, "0") for name, path in _below(folder)]
    return {"train": images} | tested_people(images)


def tested_people(images: Iterable[Image]) -> dict[str, list[Image]]:
    """The first image of each person, who has two, as a query, and all others as the gallery under another camera."""
    people: dict[str, list[Image]] = {}
    for image in images:
        people.setdefault(image.person, []).append(image)
    query = [found[0]._replace(camera=QUERY_CAMERA) for found in people.values() if len(found) > 1]
    gallery = [image for found in people.values() for image in (found[1:] if len(found) > 1 else found)]
    return {"query": query, "gallery": [image._replace(camera=GALLERY_CAMERA) for image in gallery]}


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    for identity in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in files_below(identity):
            yield identity.name, path


def _is_folders(folder: Path) -> bool:
    inside = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return len(inside) > 1 and any(files_below(path) for path in inside)


def _columns(path: Path) -> Iterator[tuple[str, str]]:
    for number, cells in _lines(path):
        if len(cells) != 2:
            raise KpstraError(f"{path}: line {number}: expected the name of an image and a number")
        yield cells[0], cells[1]


def _lines(path: Path, separator: str | None = None) -> Iterator[tuple[int, list[str]]]:
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
            if line.strip():
                yield number, line.split(separator)
    except (OSError, UnicodeDecodeError) as error:
        raise KpstraError(f"{path}: cannot be read as text: {error}") from error


def _tests(folder: Path) -> list[str]:
    return [usage for usage in read_expressions(str(folder / EXPRESSION_TABLE)).usages if usage != USAGES[0]]


LAYOUTS = (
    Layout(f"NAME/{RECORDS}", lambda path: (path / RECORDS).is_file(), read_records, contained=True),
    Layout(
        "NAME.bin",
        lambda path: path.suffix == ".bin" and path.is_file(),
        read_pairs,
        VERIFICATION,
        truth=lambda path: read_bin(str(path)).same,
        contained=True,
    ),
    Layout("NAME.csv of pairs", is_table, read_pair_table, VERIFICATION, truth=lambda path: read_table(path)[1]),
    Layout(
        f"NAME/meta/{MEMBERS}", lambda path: find_meta(path, MEMBERS) is not None, read_ijb, TEMPLATES, read_templates
    ),
    Layout(
        f"NAME/{EXPRESSION_TABLE}",
        lambda path: (path / EXPRESSION_TABLE).is_file(),
        read_fer,
        ACCURACY,
        truth=_tests,
        contained=True,
    ),
    Layout(f"NAME/{PROBE}", lambda path: (path / PROBE).is_dir(), read_tinyface, IDENTIFICATION, distractor=NOBODY),
    Layout(f"NAME/{CELEBA_PEOPLE}", lambda path: (path / CELEBA_PEOPLE).is_file(), read_celeba),
    Layout("NAME.lst", lambda path: path.suffix == ".lst" and path.is_file(), read_list),
    Layout("NAME/<identity>/<image>", _is_folders, read_folders),  # last: the others are folders too
)
