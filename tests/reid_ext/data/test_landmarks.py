"""``reid-ext landmarks``: what the detector finds on each image, in files that others read; resuming, mistakes."""

import shutil

import numpy as np
import pytest
import torch
from golden_vectors import golden
from PIL import Image

from plugins.keypoints import read
from plugins.landmarks import LandmarkDetector
from reid_ext.__main__ import main
from reid_ext.data import landmarks as module


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The vectors' detector, as published."""
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    names = golden("face", "dfa.w.")
    torch.save({name.removeprefix("dfa.w."): value.float() for name, value in names.items()}, path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two square images of the vectors, a wide one, and a file that is no image."""
    folder, vectors = tmp_path_factory.mktemp("faces") / "images", golden("face", "dfa.")
    (folder / "b").mkdir(parents=True)
    for name, image in zip(
        ("0.png", "b/1.png", "b/wide.png"), (*vectors["dfa.images"], vectors["dfa.wide_image"][0]), strict=True
    ):
        Image.fromarray(image.movedim(0, -1).numpy()).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


def landmarks(folder, weights, output, *more):
    return main(["landmarks", str(folder), "--weights", str(weights), "--output", str(output), *more])


@pytest.fixture(scope="module")
def output(folder, weights, tmp_path_factory):
    output = tmp_path_factory.mktemp("out") / "found"
    assert landmarks(folder, weights, output, "--align", "--batch", "2") == 0
    return output


def test_the_file_has_what_the_detector_finds(folder, output):
    vectors, found = golden("face", "dfa."), read(output / "landmarks.npz")
    assert list(found) == ["0.png", "b/1.png", "b/wide.png"]
    expected = vectors["dfa.landmarks"].numpy() * 112
    for name, points, score in zip(("0.png", "b/1.png"), expected, vectors["dfa.score"], strict=True):
        np.testing.assert_allclose(found[name][:, :2], points, atol=2e-3)
        np.testing.assert_allclose(found[name][:, 2], float(score), atol=1e-5)
    detector = LandmarkDetector().eval()
    detector.load_reference({n.removeprefix("dfa.w."): v.float() for n, v in vectors.items() if ".w." in n})
    with torch.no_grad():
        wide, _ = detector(vectors["dfa.wide_image"] / 127.5 - 1)
    np.testing.assert_allclose(found["b/wide.png"][:, :2], wide[0].numpy() * (96, 64), atol=2e-3)
    with Image.open(output / "landmarks.png") as sheet:
        assert np.asarray(sheet).std() > 20


def test_aligned_faces_and_their_landmarks(output):
    vectors, points = golden("face", "dfa."), read(output / "aligned.npz")
    for name, aligned, expected in zip(
        ("0.png", "b/1.png"), vectors["dfa.aligned"], vectors["dfa.aligned_landmarks"], strict=True
    ):
        face = np.asarray(Image.open(output / "aligned" / name))
        assert face.shape == (112, 112, 3)
        np.testing.assert_allclose(face[::4, ::4], ((aligned.movedim(0, -1) + 1) * 127.5).clamp(0, 255), atol=0.7)
        np.testing.assert_allclose(points[name][:, :2], expected.numpy() * 112, atol=2e-3)
    assert sorted(p.name for p in (output / "aligned").rglob("*.png")) == ["0.png", "1.png", "wide.png"]


def test_a_run_goes_on_and_tells_what_it_could_not_read(folder, weights, output, tmp_path, capsys, monkeypatch):
    copy = shutil.copytree(output, tmp_path / "found")
    people = read(copy / "landmarks.npz")
    module.write(copy / "landmarks.npz", {name: people[name] for name in ("0.png", "b/wide.png")})
    seen = []
    monkeypatch.setattr(module, "network_input", lambda image, _: seen.append(image) or torch.zeros(1, 3, 160, 160))
    assert landmarks(folder, weights, copy, "--align") == 0
    said = capsys.readouterr().out
    assert len(seen) == 1 and "3 of 4 images have landmarks" in said
    assert "1 images cannot be read" in said and "broken.jpg: not a readable image" in said
    assert list(read(copy / "landmarks.npz")) == ["0.png", "b/wide.png", "b/1.png"]
    assert landmarks(folder, weights, copy, "--padding", "0.215", "--align") == 2
    assert "was begun with padding 0.0, not 0.215" in capsys.readouterr().err


def test_a_face_that_cannot_be_aligned_is_named_and_those_before_it_are_kept(
    folder, weights, tmp_path, capsys, monkeypatch
):
    find = LandmarkDetector.find

    def one_point(self, inputs):
        found = find(self, inputs)
        found.landmarks[1] = 0.5
        return found

    monkeypatch.setattr(LandmarkDetector, "find", one_point)
    assert landmarks(folder, weights, tmp_path / "out", "--align", "--batch", "3") == 2
    assert "b/1.png: landmarks of image 0: all the same" in capsys.readouterr().err
    assert list(read(tmp_path / "out" / "landmarks.npz")) == ["0.png"] == list(read(tmp_path / "out" / "aligned.npz"))
    monkeypatch.setattr(LandmarkDetector, "find", find)
    assert landmarks(folder, weights, tmp_path / "out", "--align") == 0
    assert list(read(tmp_path / "out" / "landmarks.npz")) == ["0.png", "b/1.png", "b/wide.png"]


def test_other_padding_is_passed_on(folder, weights, tmp_path):
    assert landmarks(folder, weights, tmp_path / "out", "--padding", "0.215") == 0
    expected = golden("face", "dfa.padded_landmarks")["dfa.padded_landmarks"].numpy() * 112
    found = read(tmp_path / "out" / "landmarks.npz")
    np.testing.assert_allclose(found["b/1.png"][:, :2], expected[1], atol=2e-3)
    assert not (tmp_path / "out" / "aligned").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{images}", "--batch", "0"), "--batch 0: expected 1 or more"),
        (("{images}", "--padding", "nan"), "--padding nan: expected a share"),
        (("{images}/gone",), "gone: no such folder"),
        (("{images}", "--output", "{images}/b/out"), "b/out: lies in "),
        (("{images}", "--weights", "{images}/0.png"), "0.png: damaged, cut short or not a checkpoint"),
        (("{images}", "--weights", "{images}/gone.pt"), "gone.pt: no such checkpoint file"),
        (("{images}", "--device", "toaster"), "--device: 'toaster'"),
    ],
)
def test_mistakes_are_one_line_and_status_2(folder, weights, tmp_path, capsys, arguments, message):
    first, *more = (argument.format(images=folder) for argument in arguments)
    assert landmarks(first, weights, tmp_path / "out", *more) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert not (tmp_path / "out" / "landmarks.npz").exists()


def test_weights_of_another_network_and_names_that_clash(folder, weights, tmp_path, capsys):
    torch.save({"net.fc.weight": torch.zeros(1)}, tmp_path / "other.pt")
    assert landmarks(folder, tmp_path / "other.pt", tmp_path / "out") == 2
    assert "other.pt: landmark detector: not its weights" in capsys.readouterr().err
    images = tmp_path / "two"
    images.mkdir()
    for suffix in ("png", "jpg"):
        Image.new("RGB", (16, 16)).save(images / f"a.{suffix}")
    assert landmarks(images, weights, tmp_path / "out", "--align") == 2
    assert "would both be aligned/a.png" in capsys.readouterr().err
