"""Tiny face data sets on disk."""

import csv

import numpy as np
from golden_vectors import golden_arrays
from PIL import Image


def write_image(path, value=0, size=24):
    """A square image of one grey value, whose left half is darker."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size, size, 3), value, np.uint8)
    pixels[:, : size // 2] //= 2
    Image.fromarray(pixels).save(path)


def write_records(folder, which="a"):
    """InsightFace's (a) or CVLface's (b) layout, as mxnet wrote it: five images of two people in the first."""
    vectors = golden_arrays("face", "rec.")
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("rec", "idx"):
        (folder / f"train.{suffix}").write_bytes(vectors[f"rec.{which}.{suffix}"].tobytes())


def write_bin(path):
    """Two pairs, of which the first is of one person."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(golden_arrays("face", "bin.")["bin.py2"].tobytes())


def write_expressions(path, usages=("Training", "Training", "PublicTest", "PrivateTest"), labels=range(7)):
    """An image for each usage and label, of one grey value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("emotion", "pixels", "Usage"))
        for usage in usages:
            rows.writerows((label, " ".join([str(30 * label)] * 48 * 48), usage) for label in labels)


def write_folders(folder, people=3, images=3, size=24):
    """A folder for each identity."""
    for person in range(people):
        for image in range(images):
            write_image(folder / f"person{person}" / f"{image}.png", 40 * person + 10 * image + 60, size)


def write_tinyface(folder, people=3, distractors=2):
    """Probes, their matches and distractors."""
    for person in range(people):
        write_image(folder / "Testing_Set" / "Probe" / f"{person}_1.png", 60 * person + 60)
        write_image(folder / "Testing_Set" / "Gallery_Match" / f"{person}_2.png", 60 * person + 70)
    for i in range(distractors):
        write_image(folder / "Testing_Set" / "Gallery_Distractor" / f"-100_{i}.png", 10 * i)


def write_celeba(folder):
    """Two people to train on, two to test on, with two images each."""
    names = [f"{i:06d}.png" for i in range(1, 9)]
    for i, name in enumerate(names):
        write_image(folder / "img_align_celeba" / name, 20 * i)
    (folder / "identity_CelebA.txt").write_text("".join(f"{n} {i // 2 + 7}\n" for i, n in enumerate(names)))
    (folder / "list_eval_partition.txt").write_text("".join(f"{n} {0 if i < 4 else 2}\n" for i, n in enumerate(names)))
