"""Made-up test sequences of each data set that OpenGait has an evaluation for: names as in the releases."""

from itertools import product

import numpy as np

CASIA_B = [f"{kind}-{n:02d}" for kind, last in (("nm", 6), ("bg", 2), ("cl", 2)) for n in range(1, last + 1)]
CASIA_E = [
    f"{height}-{scene}-{kind}-{n}"
    for height, scene, kind, n in product("HL", ("scene1", "scene2", "scene3", "scene3_s"), ("nm", "bg", "cl"), (1, 2))
]
SUSTECH1K = [
    "00-nm",
    "01-nm",
    *(f"{n:02d}-{kind}" for n, kind in enumerate(("bg", "cl", "cr", "ub", "uf", "oc", "nt"))),
]
CCPG = ["U0_D0", "U0_D0_BG", "U0_D3", "U1_D0", "U1_D1", "U2_D2", "U3_D3"]
PEOPLE = [f"{i:04d}" for i in range(6)]
CCGR = [(str(i), f"CL{c}", f"{v}_1.avi") for i in range(601, 606) for c in range(2) for v in (0, 45, 90)]
GREW = [(f"{i:05d}", kind, f"seq{i}{kind}") for i in range(24) for kind in ("01", "02")]
EVALUATIONS = {  # name -> function, data set, sequences (label, type, view), options
    "CASIA-B": ("evaluate_indoor_dataset", "CASIA-B", [*product(PEOPLE, CASIA_B, ("000", "090", "180"))], {}),
    "CASIA-B, all views": (
        *("evaluate_indoor_dataset", "CASIA-B", [*product(PEOPLE, CASIA_B, ("000", "090"))]),
        {"cross_view_gallery": True},
    ),
    "OUMVLP": ("evaluate_indoor_dataset", "OUMVLP", [*product(PEOPLE, ("00", "01"), ("000", "015", "255"))], {}),
    "OUMVLP, all views": (
        *("evaluate_indoor_dataset", "OUMVLP", [*product(PEOPLE, ("00", "01"), ("000", "015"))]),
        {"cross_view_gallery": True, "metric": "cos"},
    ),
    "CASIA-E": ("evaluate_indoor_dataset", "CASIA-E", [*product(PEOPLE[:3], CASIA_E, ("000", "045", "270"))], {}),
    "SUSTech1K": ("evaluate_indoor_dataset", "SUSTech1K", [*product(PEOPLE, SUSTECH1K, ("000", "090-near"))], {}),
    "GREW": ("evaluate_real_scene", "GREW", GREW, {}),
    "TTG-200": (
        "evaluate_real_scene",
        "TTG-200",
        [*product(map(str, range(21)), "123456", ("000",))],
        {"metric": "cos"},
    ),
    "CCPG": ("evaluate_CCPG", "CCPG", [*product(PEOPLE, CCPG, ("02_1_2", "03_1_2", "04_1_2"))], {}),
    "CCGR-MINI": ("evaluate_CCGR_MINI", "CCGR-MINI", CCGR, {}),
}
GALLERY_SET = ["-".join(one) for one in CCGR[::2]]


def features(sequences, spread=1.1):
    """What a test gives an evaluation: people around a centre each, the same on every machine."""
    people = sorted({label for label, *_ in sequences})
    own = np.array([people.index(label) for label, *_ in sequences])
    values = np.modf(np.sin(np.arange((len(people) + len(sequences)) * 6) * 12.9898) * 43758.5453)[0]
    centres, noise = np.split(values.reshape(-1, 3, 2), [len(people)])
    labels, types, views = (list(column) for column in zip(*sequences, strict=True))
    embeddings = np.float32(centres[own] + spread * noise)
    return {"embeddings": embeddings, "labels": labels, "types": types, "views": views}
