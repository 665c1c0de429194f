"""Packaging of kpstra: KP-RPE for OpenGait and StRA for torchreid."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(
    r'^VERSION = "(.+)"$', (ROOT / "plugins/common/version.py").read_text(encoding="utf-8"), re.MULTILINE
)[1]

# torchreid declares no dependencies of its own; these are what importing it needs beside torch.
TORCHREID_NEEDS = ["scipy", "Pillow", "opencv-python-headless", "h5py", "gdown", "Cython"]

setup(
    name="kpstra",
    version=VERSION,
    description="KP-RPE for OpenGait's SwinGait-2D and StRA for torchreid's ResNet50 and MobileNetV2",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=[
        *find_packages(include=["plugins", "plugins.*", "reid_ext", "reid_ext.*", "opengait_ext", "opengait_ext.*"]),
        "kpstra_configs",
    ],
    package_dir={"kpstra_configs": "configs"},
    package_data={
        "kpstra_configs": ["*.yaml", "reid/*.yaml", "opengait/*.yaml"],
        "plugins": ["py.typed", "benchmarks/report/*.html"],
        "reid_ext": ["py.typed", "settings/*.yaml"],
        "opengait_ext": ["py.typed", "settings/*.yaml", "host/embedded/**/*.py", "host/embedded/**/*.yaml"],
    },
    install_requires=["torch>=2.8", "numpy", "PyYAML", "filelock>=3.30"],
    extras_require={
        "reid": [
            "torchvision",
            "torchreid>=0.2.5",
            "yacs",
            "tensorboard",
            "tqdm",
            "timm",
            "scikit-learn>=1.3,<2",
            "matplotlib",
            "jinja2>=3.1",
            *TORCHREID_NEEDS,
        ],
        "opengait": [  # einops and kornia: a checkout of OpenGait imports them
            "torchvision",
            "PyYAML",
            "opencv-python-headless",
            "tqdm",
            "tensorboard",
            "matplotlib",
            "scipy>=1.9,<2",
            "jinja2>=3.1",
            "einops",
            "kornia",
        ],
        "tools": ["matplotlib", "tqdm"],
        "toy": ["scikit-learn", "opencv-python-headless", "matplotlib", "tqdm"],
        "bodies": ["anny>=0.6,<0.7", "roma>=1.5", "trimesh>=4", "safetensors>=0.4"],  # `walkers --bodies anny`
        "export": ["onnx", "onnxscript", "onnxruntime"],
        "docs": ["mkdocs-material>=9.5,<10", "mkdocstrings[python]>=0.26,<2"],
        "dev": [
            "pytest",
            "pytest-xdist",
            "hypothesis",
            "ruff",
            "tox",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "ipykernel>=6.29",
        ],
    },
    entry_points={"console_scripts": ["reid-ext=reid_ext.__main__:main", "opengait-ext=opengait_ext.__main__:main"]},
)
