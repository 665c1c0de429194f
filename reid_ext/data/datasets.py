"""Checks the data before torchreid sees it: a missing folder would make the host start a download."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from yacs.config import CfgNode

from plugins.errors import KpstraError, nearest

from ..host import torchreid
from . import own

MARKET_FOLDERS = {"bounding_box_train": "training", "query": "query", "bounding_box_test": "gallery"}
MARKET_DISTRACTORS = "images"
MARKET_NAME = re.compile(r"(-1|0\d{3}|1[0-4]\d\d|150[01]|\d{1,3})_c[1-6]")  # what the host reads of a name


def known_datasets(data_type: str) -> Mapping[str, type]:
    """Return the host's name -> class table for ``image`` or ``video`` data sets."""
    return getattr(torchreid.data.datasets, f"__{data_type}_datasets")


def check_datasets(cfg: CfgNode) -> None:
    """Check that every source and target is known to the host, or the user's own, and lies under ``data.root``.

    The user's own (:mod:`reid_ext.data.own`) are registered with the host.

    Raises:
        KpstraError: an unknown name, or a missing or empty folder; the message shows the tree that is expected.
    """
    classes = known_datasets(cfg.data.type)
    root = Path(cfg.data.root).expanduser().absolute()
    for key in ("data.sources", "data.targets"):
        for name in cfg.data[key.removeprefix("data.")]:
            if name not in classes and cfg.data.type == "image" and own.find_source(root, name):
                own.register_source(name)
            if name not in classes:
                _refuse_name(root, key, name, classes)
            if name == "market1501":
                _check_market1501(root, key, cfg.market1501.use_500k_distractors)
            elif own.is_own(classes[name]):
                if key == "data.targets" or not cfg.test.evaluate:  # a test needs nothing to train on
                    own.check_source(root, name, key)
                if cfg.test.visrank and own.layout_of(own.find_source(root, name)).contained:
                    raise KpstraError(f"test.visrank: True: torchreid draws image files, and {name!r} is one file")
            else:
                _check_folder(root, key, name, classes[name])


def _refuse_name(root: Path, key: str, name: str, classes: Mapping[str, type]) -> None:
    known = [other for other in classes if not own.is_own(classes[other])]
    sources = "" if "market1501" not in classes else f"; for images of your own, {own.missing_text(root, name)}"
    raise KpstraError(f"{key}: {name!r} is not one of {', '.join(known)}{nearest(name, classes)}{sources}")


def _check_folder(root: Path, key: str, name: str, dataset: type) -> None:
    folder = getattr(dataset, "dataset_dir", None)  # a class that a user registered may have none
    if folder and not (root / folder).is_dir():
        raise KpstraError(
            f"{key}: {name!r}: no folder {root / folder}; expected <root>/{folder} as torchreid's documentation of its "
            "data sets lays it out, and --root (data.root) naming <root>"
        )


def _check_market1501(root: Path, key: str, distractors: bool) -> None:
    base = root / "market1501" / "Market-1501-v15.09.15"
    if not base.is_dir() and (base.parent / "bounding_box_train").is_dir():
        base = base.parent  # the host's older layout, without the inner folder
    for folder in (*MARKET_FOLDERS, *([MARKET_DISTRACTORS] if distractors else [])):
        images = sorted((base / folder).glob("*.jpg"))
        if not images:
            problem = "holds no .jpg files" if (base / folder).is_dir() else "is missing"
            if folder == MARKET_DISTRACTORS:
                problem += " (market1501.use_500k_distractors)"
            raise KpstraError(f"{key}: 'market1501': {base / folder} {problem}. {_market_tree(root)}")
        bad = [image.name for image in images if not MARKET_NAME.match(image.name)]
        if bad:
            raise KpstraError(
                f"{key}: 'market1501': {base / folder}: {bad[0]} (one of {len(bad)} such files) does not name a person "
                f"and a camera. {_market_tree(root)}"
            )


def _market_tree(root: Path) -> str:
    lines = [f"Expected, with --root {root}:", "  market1501/", "    Market-1501-v15.09.15/"]
    lines += [f"      {folder}/PPPP_cCsS_FFFFFF_NN.jpg  ({use} images)" for folder, use in MARKET_FOLDERS.items()]
    return "\n".join([*lines, "PPPP person (0000 and -1: junk), C camera 1-6, S sequence, FFFFFF frame, NN box"])
