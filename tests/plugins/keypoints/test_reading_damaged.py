"""The examples, damaged at random: what is read is finite, and what is not ends in one line."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from plugins.errors import KpstraError
from plugins.keypoints import read

EXAMPLES = Path(__file__).parents[2] / "data" / "formats"
FILES = sorted(
    path
    for suffix in ("json", "csv", "txt", "lst")
    for path in EXAMPLES.rglob(f"*.{suffix}")
    if path.name != "expected.json" and path.stat().st_size > 2
)
VALUES = [None, True, -1, 1e308, float("nan"), float("inf"), "x", "", [], {}, [[]], 10**400, [1, 2], {"a": 1}]
PIECES = ["", "x", ",", "\n", "-", "1e999", "nan", '"', "\t", " ", "[", "]"]


def other(value, chance):
    """The same content with a few odd values."""
    if chance.random() < 0.03:
        return chance.choice(VALUES)
    if isinstance(value, list):
        value = [other(item, chance) for item in value]
        return value[:-1] if chance.random() < 0.05 else value
    if isinstance(value, dict):
        return {key if chance.random() > 0.02 else "zz": other(item, chance) for key, item in value.items()}
    return value


def pierced(text, chance):
    """The same text with a few pieces replaced."""
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(text) + 1)
        text = text[:place] + chance.choice(PIECES) + text[place + chance.randrange(9) :]
    return text


@pytest.mark.filterwarnings("ignore:.*other kinds:UserWarning")
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_damaged_files(path, tmp_path):
    refused = 0
    for seed in range(40):
        chance, text = random.Random(seed), path.read_text()
        damaged = tmp_path / path.name
        as_json = path.suffix == ".json" and seed % 2
        damaged.write_text(json.dumps(other(json.loads(text), chance)) if as_json else pierced(text, chance))
        try:
            people = read(damaged, size=(128, 64))
        except KpstraError as error:
            assert "\n" not in str(error) and str(tmp_path) in str(error)
            refused += 1
        else:
            for joints in people.values():
                assert joints.shape in ((17, 3), (5, 3)) and np.isfinite(joints).all()
    assert refused
