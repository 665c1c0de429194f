"""Face data sets through torchreid's own registry, manager, transforms and samplers."""

import numpy as np
import pytest
import torch
from face_files import (
    write_bin,
    write_celeba,
    write_expressions,
    write_folders,
    write_image,
    write_records,
    write_tinyface,
)
from golden_vectors import golden_arrays

from plugins.errors import KpstraError
from reid_ext.data.datasets import check_datasets
from reid_ext.data.faces import layouts
from reid_ext.data.images import read_image
from reid_ext.data.manager import build_datamanager
from reid_ext.data.own import find_source, read_source
from reid_ext.host import torchreid
from reid_ext.settings.load import load_config

SMALL = "data.height 24 data.width 24 data.workers 0 use_gpu False train.batch_size 2 sampler.num_instances 2".split()


def manager(root, sources, targets, *opts, transforms=()):
    cfg = load_config("", [*SMALL, *opts], str(root), sources, targets, transforms)
    check_datasets(cfg)
    return build_datamanager(cfg)


def dataset(root, name, mode="train"):
    cfg = load_config("", SMALL, str(root), [name], ["probes"])
    write_tinyface(root / "probes")
    check_datasets(cfg)
    return torchreid.data.datasets.init_image_dataset(name, root=str(root), mode=mode)


def places(images):
    return [(path.rpartition("/")[2], person, camera) for path, person, camera, _ in images]


def test_records_and_their_keypoints_go_through_torchreid(tmp_path):
    """Identities drawn by torchreid's sampler; a CVLface table names images by their row, and points are mirrored."""
    write_records(tmp_path / "ms1m")
    write_bin(tmp_path / "ms1m" / "lfw.bin")
    row = "0.25,0.5,0.75,0.5,0.5,0.625,0.375,0.75,0.625,0.75"
    lines = ["idx," + ",".join(f"ldmk_{i}" for i in range(10)), *(f"{i},{row}" for i in range(5))]
    (tmp_path / "ldmk.csv").write_text("\n".join(lines))
    opts = ["sampler.train_sampler", "RandomIdentitySampler", "data.keypoints_sources", str(tmp_path / "ldmk.csv")]
    built = manager(tmp_path, ["ms1m"], ["ms1m/lfw"], *opts, transforms=["random_flip"])
    assert built.num_train_pids == 2
    assert places(built.train_loader.dataset.data) == [("0", 0, 0), ("1", 0, 0), ("2", 1, 0), ("3", 1, 0), ("4", 1, 0)]
    seen = set()
    for _ in range(8):
        for batch in built.train_loader:
            assert batch["pid"][0] == batch["pid"][1]
            for points in batch["keypoints"].tolist():
                seen.add(tuple(points[0][:2]))
                assert points[0][0] < points[2][0] < points[1][0]  # image-left stays left
    assert seen == {(6.0, 12.0), (5.0, 12.0)}  # as it is, and mirrored: 23 - 18
    tested = built.test_loader["ms1m/lfw"]["query"].dataset
    assert (tested.protocol, tested.truth.tolist(), len(tested)) == ("verification of pairs", [True, False], 4)


def test_pixels_are_those_of_the_records(tmp_path):
    write_records(tmp_path / "ms1m")
    images = [np.asarray(read_image(image.path)) for image in layouts.read_records(tmp_path / "ms1m")["train"]]
    assert np.abs(np.stack(images).astype(int) - golden_arrays("face", "rec.a.images")["rec.a.images"]).max() <= 2


def test_two_sources_keep_their_images(tmp_path):
    """torchreid makes a plain data set of a sum, whose images still lie in their files."""
    write_records(tmp_path / "ms1m")
    write_records(tmp_path / "webface", "b")
    index = tmp_path / "webface" / "train.idx"
    lines = [line for line in index.read_text().splitlines() if not line.startswith("2\t")]  # it holds no image
    index.write_text("\n".join(lines))
    write_tinyface(tmp_path / "probes")
    built = manager(tmp_path, ["ms1m", "webface"], ["probes"])
    assert built.num_train_pids == 5
    assert sum(len(batch["img"]) for batch in built.train_loader) == 8


def test_identity_folders(tmp_path):
    write_folders(tmp_path / "vgg", people=2)
    write_image(tmp_path / "vgg" / "person9" / "0.png")
    data = dataset(tmp_path, "vgg", "query")
    assert places(data.train)[:4] == [("0.png", 0, 0), ("1.png", 0, 0), ("2.png", 0, 0), ("0.png", 1, 0)]
    assert places(data.query) == [("0.png", 0, 0), ("0.png", 1, 0)]
    assert places(data.gallery) == [(f"{i}.png", person, 1) for person in (0, 1) for i in (1, 2)] + [("0.png", 2, 1)]


def test_celeba(tmp_path):
    write_celeba(tmp_path / "celeba")
    data = dataset(tmp_path, "celeba")
    assert [person for _, person, _, _ in data.train] == [0, 0, 1, 1]
    assert places(data.query) == [("000005.png", 0, 0), ("000007.png", 1, 0)]
    assert places(data.gallery) == [("000006.png", 0, 1), ("000008.png", 1, 1)]
    (tmp_path / "celeba" / "list_eval_partition.txt").unlink()
    assert len(dataset(tmp_path, "celeba").train) == 8


def test_a_list_of_insightface(tmp_path):
    for name in ("a", "b"):
        write_image(tmp_path / "raw" / f"{name}.png")
    (tmp_path / "faces.lst").write_text("1\traw/a.png\t5\n0\traw/b.png\t9" + "\t1" * 14 + "\n")
    assert places(dataset(tmp_path, "faces").train) == [("a.png", 0, 0), ("b.png", 1, 0)]


def test_tinyface(tmp_path):
    """Distractors are nobody's match, and nobody to train on."""
    write_folders(tmp_path / "probes" / "Training_Set", 2, 1)
    data = dataset(tmp_path, "probes")
    assert places(data.train) == [("0.png", 0, 0), ("0.png", 1, 0)]
    assert [p[1:] for p in places(data.query)] == [(0, 0), (1, 0), (2, 0)]
    assert [p[1:] for p in places(data.gallery)] == [(0, 1), (1, 1), (2, 1), (-1, 1), (-1, 1)]


def test_expressions(tmp_path):
    """Labels are FER2013's own, in training and test; the image is grey."""
    write_expressions(tmp_path / "fer" / "fer2013.csv")
    built = manager(tmp_path, ["fer"], ["fer"])
    assert built.num_train_pids == 7
    for loader in (built.train_loader, built.test_loader["fer"]["query"]):
        for batch in loader:
            grey = batch["img"] * torch.tensor([0.229, 0.224, 0.225])[:, None, None]
            grey += torch.tensor([0.485, 0.456, 0.406])[:, None, None]
            assert torch.allclose(grey[:, :, 0, 0], batch["pid"][:, None] * 30 / 255, atol=1e-5)


def bad_fer(folder, text):
    path = folder / "fer" / "fer2013.csv"
    write_expressions(path, labels=[3])
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7,0,Training\n", "line 6: pixels: 1 values: expected 48x48"),
        (f"7,{'0 ' * 2304},Training\n", "line 6: emotion: '7': expected 0 to 6"),
        (f"1,{'0 ' * 2304},Test\n", "line 6: Usage: 'Test' is not one of Training"),
        (f"1,{'0 ' * 2303}256,Training\n", "line 6: pixels: 2304 values: .* 0 to 255"),
        ("1,a b,Training\n", "line 6: pixels: expected whole numbers"),
        ("1\n", "line 6: pixels: 0 values"),
        ("", "no Training images of angry, disgust, fear, sad"),
    ],
)
def test_a_damaged_table_of_expressions(tmp_path, text, message):
    bad_fer(tmp_path, text)
    with pytest.raises(KpstraError, match=rf"fer2013\.csv: {message}"):
        read_source(find_source(tmp_path, "fer"))


def test_what_is_wrong_with_other_layouts_is_told(tmp_path):
    def told(name):
        with pytest.raises(KpstraError) as error:
            read_source(find_source(tmp_path, name))
        return str(error.value)

    write_celeba(tmp_path / "celeba")
    (tmp_path / "celeba" / "img_align_celeba" / "000003.png").unlink()
    assert "identity_CelebA.txt: 000003.png: not in" in told("celeba")
    (tmp_path / "celeba" / "identity_CelebA.txt").write_text("000001.png\n")
    assert "identity_CelebA.txt: line 1: expected the name of an image and a number" in told("celeba")
    (tmp_path / "celeba" / "identity_CelebA.txt").write_text("000001.png 1\n")
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text("000002.png 1\n")
    assert "list_eval_partition.txt: no line for 000001.png" in told("celeba")
    (tmp_path / "faces.lst").write_text("1\tgone.png\t5\n1\n")
    assert "faces.lst: line 1: " in told("faces") and "no such file (the first of 2)" in told("faces")
    write_tinyface(tmp_path / "tiny")
    write_image(tmp_path / "tiny" / "Testing_Set" / "Probe" / "x_1.png")
    assert "x_1.png: its name does not begin with a person's number" in told("tiny")
    write_expressions(tmp_path / "fer" / "fer2013.csv")
    (tmp_path / "fer" / "fer2013.csv").write_text("a,b\n")
    assert "fer2013.csv: line 1: no column emotion, pixels, Usage" in told("fer")
    (tmp_path / "fer" / "fer2013.csv").write_text("emotion,pixels,Usage\n")
    assert "fer2013.csv: no images" in told("fer")


def test_an_unknown_name_says_what_was_looked_for(tmp_path):
    with pytest.raises(KpstraError, match=r"'unknown' is not one of .*nor faces: unknown/train\.rec, unknown\.bin"):
        check_datasets(load_config("", SMALL, str(tmp_path), ["unknown"]))


def test_records_are_not_drawn_by_torchreid(tmp_path):
    write_bin(tmp_path / "lfw.bin")
    cfg = load_config("", [*SMALL, "test.evaluate", "True", "test.visrank", "True"], str(tmp_path), ["lfw"], ["lfw"])
    with pytest.raises(KpstraError, match=r"test\.visrank: True: .*'lfw' is one file"):
        check_datasets(cfg)


def test_an_image_beyond_the_file(tmp_path):
    write_records(tmp_path / "ms1m")
    with pytest.raises(KpstraError, match=r"train\.rec: has no image 9, counted from 0"):
        read_image(str(tmp_path / "ms1m" / "train.rec" / "9"))
