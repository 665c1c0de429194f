"""Parametric walkers in Market-1501's layout, for ``python -m reid_ext --root DIR``.

``<output>/market1501/Market-1501-v15.09.15/{bounding_box_train,query,bounding_box_test}/PPPP_cCsS_FFFFFF_NN.jpg`` holds
128x64 crops. Each camera has its background, light and azimuth; people share clothes, so colours alone do not name
them. Of each test identity one crop a camera is a query, the others are the gallery. ``keypoints.npz`` holds their
joints, for ``data.keypoints``, and ``walkers.json`` every setting: the same command writes the same bytes, a run that
was stopped goes on, and other settings in the same folder are refused. With ``--others``, crops of further people lie
in ``<output>/others``, for ``data.sources [others]``: a network can be trained on them before it is fine-tuned.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from plugins.benchmarks.walkers import BODIES, Outfit, Scene, Sequence, render_colours, require_bodies
from plugins.common.folders import claim, scratch
from plugins.errors import KpstraError
from plugins.keypoints import write as write_keypoints

BASE = Path("market1501", "Market-1501-v15.09.15")
TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
OTHERS = Path("others")  # a data set of people beside them
CAMERAS, PEOPLE = 6, 1501  # the most that Market-1501's names allow for
JOINTS = "keypoints.npz"
RANKS = 20  # torchreid reports ranks up to this one
QUALITY = 92  # of the JPEG files


@dataclass(frozen=True)
class Settings:
    """What crops are made of; the command line's options."""

    identities: int = 120
    train: int = 60  # of the identities
    others: int = 0  # identities beside them, to be trained on first
    cameras: int = 4
    crops: int = 4  # of each identity by each camera
    seed: int = 0
    spread: float = 1.0  # factor on the differences between people
    view_jitter: float = 20.0  # degrees
    clothing: float = 0.5  # 0 plain, 1 coats, bags and thick clothes
    light: float = 1.0  # differences of light, blur and grain
    alignment_error: float = 0.3  # of the crops' boxes, 1 strong
    bodies: str = "simple"  # or anny

    def check(self) -> None:
        """Check the counts and amounts.

        Raises:
            KpstraError: they make no training or no test, or do not fit Market-1501's names.
        """
        others = ((self.identities - self.train) * self.cameras - 1) * (self.crops - 1)  # beside a query's own camera
        wrong = {
            f"--train {self.train}: expected at least 1 and fewer than --identities {self.identities}": not 1
            <= self.train
            < self.identities,
            f"--others {self.others}: expected 0 or more": self.others < 0,
            f"--identities {self.identities} --others {self.others}: expected at most {PEOPLE} together": self.people
            > PEOPLE,
            f"--cameras {self.cameras}: expected 2 to {CAMERAS}": not 2 <= self.cameras <= CAMERAS,
            f"--crops {self.crops}: expected 2 to 99": not 2 <= self.crops <= 99,
            f"--identities {self.identities}: {others} gallery crops for a query, rank-{RANKS} needs {RANKS}": others
            < RANKS,
            f"--seed {self.seed}: expected 0 or more": self.seed < 0,
            f"--light {self.light}: expected 0 to 3": not 0 <= self.light <= 3,
        }
        for message, is_so in wrong.items():
            if is_so:
                raise KpstraError(message)
        require_bodies(self.bodies)
        self.render(0, 0, 0)

    def as_json(self) -> dict[str, Any]:
        """All settings, as ``walkers.json`` holds them; what came later is left out while it changes nothing."""
        later = {"bodies": "simple", "others": 0}
        return {name: value for name, value in asdict(self).items() if later.get(name) != value}

    @property
    def people(self) -> int:
        """How many people are rendered; the last :attr:`others` of them lie in :data:`OTHERS`."""
        return self.identities + self.others

    def folder(self, identity: int) -> Path:
        """The folder of an identity's data set, below the output."""
        return BASE if identity < self.identities else OTHERS

    def files(self, identity: int) -> dict[str, tuple[int, int]]:
        """The files of an identity, below its :meth:`folder`, and the camera and number of each."""
        trained = identity < self.train or identity >= self.identities
        names = {}
        for camera in range(self.cameras):
            for number in range(self.crops):
                folder = TRAIN if trained else QUERY if number == 0 else GALLERY
                name = f"{folder}/{identity + 1:04d}_c{camera + 1}s1_{number:06d}_00.jpg"
                names[name] = (camera, number)
        return names

    def render(self, identity: int, camera: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Render a crop (128, 64, 3) uint8 RGB with its joints (17, 3): x, y in pixels, score."""
        person = int(np.random.default_rng([self.seed, 0, identity]).integers(2**31))
        rng = np.random.default_rng([self.seed, 1, identity, camera, number])
        azimuth = 180 * camera / self.cameras + 180 * int(rng.integers(2))
        sequence = Sequence.sample(
            int(rng.integers(2**31)),
            azimuth,
            view_jitter=self.view_jitter,
            clothing=self.clothing,
            alignment=self.alignment_error,
        )
        place = self.seed * CAMERAS + camera
        scene = Scene.sample(int(rng.integers(2**31)), place, self.light)
        identity = BODIES[self.bodies].sample(person, self.spread)
        crops, joints = render_colours(identity, Outfit.sample(person), sequence, scene)
        return crops[0], joints[0]


def write(output: Path, settings: Settings) -> int:
    """Write all crops that are not there yet, and the joints of all; return how many crops were written.

    Raises:
        KpstraError: settings that make no sense, or a folder that holds something else.
    """
    settings.check()
    written, people = 0, {}
    with claim(output, settings.as_json(), record="walkers.json", alone=True), scratch(output) as partial:
        for folder in (BASE / TRAIN, BASE / QUERY, BASE / GALLERY, *([OTHERS / TRAIN] if settings.others else [])):
            (output / folder).mkdir(parents=True, exist_ok=True)
        for identity in tqdm(range(settings.people), unit="id", desc="walkers", dynamic_ncols=True):
            for name, (camera, number) in settings.files(identity).items():
                path = output / settings.folder(identity) / name
                there = path.is_file()  # put in place whole
                if there and (output / JOINTS).is_file():
                    continue
                crop, people[name] = settings.render(identity, camera, number)
                if there:
                    continue
                picture = cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
                data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
                (partial / path.name).write_bytes(data)
                os.replace(partial / path.name, path)
                written += 1
        if not (output / JOINTS).is_file():
            write_keypoints(output / JOINTS, people)
    return written
