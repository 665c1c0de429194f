"""Rendered faces to train and test on: aligned to train, the same views aligned and as a detector cuts them to test.

``<output>/images/{train,aligned,unaligned}/PPPP/VV.png`` are folders of people, person P from view V: other people to
train on than to test on, of whom each view is there aligned and unaligned. ``train.csv``, ``aligned.csv`` and
``unaligned.csv`` make them data sets of torchreid's (``--root <output> -s train -t aligned unaligned``): of each
tested person every third view is a query, the others are the gallery. ``landmarks.npz`` holds the exact five
landmarks of all (``data.keypoints``). ``faces.json`` holds every setting: the same command writes the same bytes, a
run that was stopped goes on, and other settings in the same folder are refused.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from plugins.benchmarks.faces import Face, View, aligned_place, detected_place, render, seen
from plugins.common.files import atomic_write
from plugins.common.folders import claim, scratch
from plugins.errors import KpstraError
from plugins.keypoints import write as write_keypoints

IMAGES, TRAIN, ALIGNED, UNALIGNED = "images", "train", "aligned", "unaligned"
QUERIES = 3  # every third view
RANKS = 20  # torchreid reports ranks up to this one
LANDMARKS = "landmarks.npz"


class Picture(NamedTuple):
    """One picture to write."""

    kind: str  # of TRAIN, ALIGNED and UNALIGNED
    identity: int
    view: int

    @property
    def path(self) -> str:
        """Its file below the output."""
        return f"{IMAGES}/{self.kind}/{self.identity + 1:04d}/{self.view:02d}.png"

    @property
    def split(self) -> str:
        """What it is for."""
        if self.kind == TRAIN:
            return "train"
        return "query" if self.view % QUERIES == 0 else "gallery"

    @property
    def row(self) -> dict[str, object]:
        """Its row in the data set's table; queries are of another camera than the gallery."""
        camera = 1 if self.split == "query" else 2
        return {"path": self.path, "person": self.identity + 1, "camera": camera, "split": self.split}


@dataclass(frozen=True)
class Settings:
    """What faces are made of; the command line's options."""

    identities: int = 120
    train: int = 80  # of the identities
    views: int = 10  # of each
    size: int = 56  # pixels
    seed: int = 0
    spread: float = 1.0  # factor on the differences between people
    variation: float = 1.0  # factor on pose, expression, light and noise
    alignment_error: float = 1.0  # of the boxes that unaligned pictures are cut by

    def check(self) -> None:
        """Check the counts and amounts.

        Raises:
            KpstraError: they make no training or no test, or no picture.
        """
        gallery = (self.identities - self.train) * (self.views - len(range(0, self.views, QUERIES)))
        wrong = {
            f"--train {self.train}: expected at least 1 and fewer than --identities {self.identities}": not 1
            <= self.train
            < self.identities,
            f"--identities {self.identities}: expected at most 9999": self.identities > 9999,
            f"--views {self.views}: expected 2 to 99": not 2 <= self.views <= 99,
            f"--identities {self.identities}: {gallery} gallery pictures, rank-{RANKS} needs {RANKS}": gallery < RANKS,
            f"--size {self.size}: expected 16 to 512 pixels": not 16 <= self.size <= 512,
            f"--seed {self.seed}: expected 0 or more": self.seed < 0,
        }
        for name in ("spread", "variation", "alignment_error"):
            value = getattr(self, name)
            wrong[f"--{name.replace('_', '-')} {value}: expected 0 to 3"] = not 0 <= value <= 3
        for message, is_so in wrong.items():
            if is_so:
                raise KpstraError(message)

    def pictures(self) -> Iterator[Picture]:
        """Yield all pictures, by identity and view."""
        for identity in range(self.identities):
            for view in range(self.views):
                for kind in (TRAIN,) if identity < self.train else (ALIGNED, UNALIGNED):
                    yield Picture(kind, identity, view)

    def scene(self, picture: Picture) -> tuple[Face, View, np.ndarray]:
        """Return the person, the view and the place in the picture."""
        person = int(np.random.default_rng([self.seed, 0, picture.identity]).integers(2**31))
        moment = int(np.random.default_rng([self.seed, 1, picture.identity, picture.view]).integers(2**31))
        face, view = Face.sample(person, self.spread), View.sample(moment, self.variation)
        if picture.kind == UNALIGNED:
            return face, view, detected_place(view, self.size, self.alignment_error)
        return face, view, aligned_place(face, view, self.size)

    def landmarks(self, picture: Picture) -> np.ndarray:
        """Return the landmarks (5, 3) of a picture: x, y in pixels, score 1."""
        face, view, place = self.scene(picture)
        return np.concatenate([seen(face, view) @ place[:, :2].T + place[:, 2], np.ones((5, 1))], 1)


def write(output: Path, settings: Settings) -> int:
    """Write all pictures that are not there yet, the tables and the landmarks; return how many were written.

    Raises:
        KpstraError: settings that make no sense, or a folder that holds something else.
    """
    settings.check()
    pictures, written = list(settings.pictures()), 0
    with claim(output, asdict(settings), record="faces.json", alone=True), scratch(output) as partial:
        for picture in tqdm(pictures, unit="image", desc="faces", dynamic_ncols=True):
            path = output / picture.path
            if path.is_file():  # put in place whole
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            face, view, place = settings.scene(picture)
            image = cv2.cvtColor(render(face, view, settings.size, place)[0], cv2.COLOR_RGB2BGR)
            (partial / "image").write_bytes(cv2.imencode(".png", image)[1].tobytes())
            os.replace(partial / "image", path)
            written += 1
        for name in (TRAIN, ALIGNED, UNALIGNED):
            with atomic_write(output / f"{name}.csv", "w") as stream:
                table = csv.DictWriter(stream, ("path", "person", "camera", "split"), lineterminator="\n")
                table.writeheader()
                table.writerows(one.row for one in pictures if one.kind == name)
        write_keypoints(output / LANDMARKS, {one.path: settings.landmarks(one) for one in pictures})
    return written
