"""Preparations of two shipped sequences: run here or by the command, and what they wrote."""

import pickle
import sys
from pathlib import Path

from opengait_ext.data.prepare import prepare

RAW = Path(__file__).parents[1] / "data" / "pets-mini" / "gait_raw"
A, B = "0001/camid1_videoid0/seq0", "0001/camid2_videoid1/seq0"


def run(raw, output="out", **options):
    return prepare(raw / "2D_Silhouettes", raw / "2D_Poses", raw / output, **{"workers": 1, **options})


def arrays(folder):
    return [pickle.loads((folder / file).read_bytes()) for file in ("0_sil.pkl", "1_keypoints.pkl")]


def contents(output):
    return {str(p.relative_to(output)): p.read_bytes() for p in sorted(output.rglob("*.pkl"))}


def command(raw, output, *options):
    arguments = ["--silhouettes", raw / "2D_Silhouettes", "--poses", raw / "2D_Poses", "--output", output, *options]
    return [sys.executable, "-m", "opengait_ext", "prepare", *map(str, arguments)]
