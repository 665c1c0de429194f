"""`GaitFeatureExtractor`: the features of the host's own test, for sequences in memory and in folders; mistakes."""

import json

import programs
import pytest
from gait_data import EMBEDDED, OPENGAIT, write_data

# In a process of its own, as hosts' modules are global.
SCRIPT = """
import json, pickle, sys, warnings
from pathlib import Path
import numpy as np, torch
from opengait_ext.benchmarks.speed.scaling import host_models
from opengait_ext.extractor import GaitFeatureExtractor
from opengait_ext.training.hosted import Hosted
from opengait_ext.training.launch import Run, launch
from plugins.errors import KpstraError

root, host = Path(sys.argv[1]), sys.argv[2]
PLAIN, KPRPE = "opengait/pets_swingait2d", "opengait/pets_swingait2d_kprpe"
data = [f"data_cfg.dataset_root={root / 'data'}", f"data_cfg.dataset_partition={root / 'partition.json'}"]
kept, inference, excepthook = [], Hosted.inference, sys.excepthook

def keeping(self, rank):
    kept.append(inference(self, rank)["embeddings"])
    return {"embeddings": kept[-1]}

with host_models("cpu", host) as build:
    for config in (PLAIN, KPRPE):
        model = build(config)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter += (5.0 if "kprpe" in name else 0.02) * torch.randn_like(parameter)
        torch.save({"model": model.state_dict()}, root / f"{Path(config).name}.pt")

result = {}
folders = sorted(folder for i in range(4, 8) for folder in (root / "data" / f"{i:04d}").glob("*/*"))
read = lambda folder: tuple(pickle.loads((folder / f).read_bytes()) for f in ("0_sil.pkl", "1_keypoints.pkl"))
extractors = {}
for config in (PLAIN, KPRPE):
    weights = root / f"{Path(config).name}.pt"
    Hosted.inference = keeping
    launch(Run(config, "test", host=host, device="cpu", workdir=str(root / "run"),
               overrides=[*data, f"evaluator_cfg.restore_hint={weights}"]))
    Hosted.inference = inference
    extractor = extractors[config] = GaitFeatureExtractor(config, weights, "cpu", host)
    silhouettes, keypoints = read(folders[0])
    single = extractor(silhouettes) if config == PLAIN else extractor(silhouettes, keypoints)
    pairs = [read(f)[0] if config == PLAIN else read(f) for f in folders[:2]]
    result[Path(config).name] = {
        "shape": list(kept[-1].shape),
        "folders": np.array_equal(extractor(folders), kept[-1]), "single": np.array_equal(single, kept[-1][:1]),
        "lists": config == PLAIN or np.array_equal(extractor(*map(list, zip(*pairs))), kept[-1][:2]),
        "mixed": np.array_equal(extractor([pairs[0], str(folders[1])]), kept[-1][:2]),
    }
moved = keypoints + np.float32([8, 0, 0])
result["keypoints matter"] = bool(np.abs(extractors[KPRPE](silhouettes, moved) - single).max() > 1e-3)

other = GaitFeatureExtractor(KPRPE, weights, torch.device("cpu"), host, "model_cfg.SeparateBNNecks.class_num=77")
result["any class_num"] = np.array_equal(other(silhouettes, keypoints), single)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    other(silhouettes, keypoints)
    result["warned of nothing"] = not [w for w in caught if "GaitFeatureExtractor" in str(w.message)]
    other(silhouettes, keypoints[..., [1, 0, 2]])
    result["warned"] = [str(w.message) for w in caught if "GaitFeatureExtractor" in str(w.message)]
result["excepthook"] = sys.excepthook is excepthook

absent = keypoints.copy()
absent[2, 3, 0] = np.nan
tries = {
    "no checkpoint": lambda: GaitFeatureExtractor(KPRPE, root / "gone.pt", "cpu", host),
    "None": lambda: GaitFeatureExtractor(KPRPE, None, "cpu", host),
    "other checkpoint": lambda: GaitFeatureExtractor(KPRPE, root / "pets_swingait2d.pt", "cpu", host),
    "no configuration": lambda: GaitFeatureExtractor("opengait/pets", root / "pets_swingait2d.pt", "cpu", host),
    "keypoints for none": lambda: extractors[PLAIN](silhouettes, keypoints),
    "no keypoints": lambda: extractors[KPRPE](silhouettes),
    "one frame": lambda: extractors[KPRPE](silhouettes[0], keypoints[0]),
    "frames differ": lambda: extractors[KPRPE](silhouettes, keypoints[1:]),
    "18 joints": lambda: extractors[KPRPE](silhouettes, np.concatenate([keypoints, keypoints[:, :1]], 1)),
    "float": lambda: extractors[PLAIN](silhouettes / 255),
    "binary": lambda: extractors[PLAIN](silhouettes // 255),
    "shares": lambda: extractors[KPRPE](silhouettes, keypoints / np.float32([64, 64, 1])),
    "nan": lambda: extractors[KPRPE]([(silhouettes, keypoints), (silhouettes, absent)]),
    "fewer keypoints": lambda: extractors[KPRPE]([silhouettes, silhouettes], [keypoints]),
    "two arrays, pairs": lambda: extractors[KPRPE]([(silhouettes, keypoints)] * 2, [keypoints] * 2),
    "ragged": lambda: extractors[KPRPE]([([silhouettes, silhouettes[:2]], [keypoints, keypoints[:2]])]),
    "empty folder": lambda: extractors[PLAIN](root),
    "nothing": lambda: extractors[PLAIN]([]),
}
for name, action in tries.items():
    try:
        action()
        result[name] = "no error"
    except KpstraError as error:
        result[name] = str(error) if error.__cause__ is None else "a chain of errors"
print(json.dumps(result))
"""
MESSAGES = {
    "no checkpoint": "gone.pt: no such checkpoint",
    "None": "None: no such checkpoint",
    "other checkpoint": "not a checkpoint of SwinGait2DKPRPE",
    "no configuration": "opengait/pets: no such configuration",
    "keypoints for none": "sequence 0: 2 arrays; this SwinGait2D takes silhouettes alone",
    "no keypoints": "sequence 0: 1 arrays; this SwinGait2DKPRPE takes silhouettes and keypoints",
    "one frame": "silhouettes uint8 (64, 64): expected uint8 (T, H, W)",
    "frames differ": "keypoints float32 (3, 17, 3): expected floats (4, 17, 3)",
    "18 joints": "keypoints float32 (4, 18, 3): expected floats (4, 17, 3)",
    "float": "silhouettes float64 (4, 64, 64): expected uint8",
    "binary": "silhouettes of 0 and 1: expected 0 to 255",
    "shares": "sequence 0: all keypoints lie between 0 and 1: expected pixels of the silhouettes",
    "nan": "sequence 1: keypoints of frame 2 are NaN or infinite",
    "fewer keypoints": "a list of 2 silhouettes, but keypoints of 1: give a list of the keypoints of each",
    "two arrays, pairs": "sequence 0: tuple is no array of numbers",
    "ragged": "sequence 0: list is no array of numbers",
    "empty folder": "no folder of a prepared sequence",
    "nothing": "no sequences given",
}


def extract(root, host):
    return json.loads(programs.run("opengait_ext", "-c", SCRIPT, str(root), host).stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return extract(write_data(tmp_path_factory.mktemp("gait"), frames=4), EMBEDDED)


def check(result):
    for name in ("pets_swingait2d", "pets_swingait2d_kprpe"):
        found = dict(result[name])
        shape = found.pop("shape")
        assert shape[0] == 16 and shape[2] == 15 and all(found.values()), found
    assert result["keypoints matter"] and result["any class_num"]
    assert result["excepthook"]  # torch's own would begin a script's every line with [rank0]


def test_features_are_those_of_the_host_s_test(result):
    """Bit for bit: of folders, of arrays, and of both in one list."""
    check(result)


def test_joints_off_the_body_are_warned_of(result):
    (warning,) = result["warned"]
    assert "GaitFeatureExtractor: confident joints on the body" in warning and "swapped" in warning
    assert result["warned of nothing"]


@pytest.mark.parametrize("mistake", MESSAGES)
def test_mistakes(result, mistake):
    assert MESSAGES[mistake] in result[mistake]


@pytest.mark.slow
@pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set: no OpenGait checkout to run")
def test_features_are_those_of_a_checkout_s_test(tmp_path):
    check(extract(write_data(tmp_path, frames=4), OPENGAIT))
