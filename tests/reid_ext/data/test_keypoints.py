"""torchreid's data managers with keypoints: samples gain them, and nothing else changes."""

import json
import pickle
import random

import numpy as np
import pytest
import torch
from PIL import Image

from plugins.errors import KpstraError
from plugins.keypoints.joints import FLIPPED_JOINTS
from reid_ext.data.keypoints import CropKeypoints, attach_keypoints, describe, give_keypoints
from reid_ext.data.own import register_source
from reid_ext.host import torchreid

SIZE = {"height": 64, "width": 32}
MARKET = "market1501/Market-1501-v15.09.15"


def manager(root, sources=("market1501",), **kwargs):
    options = {"workers": 0, "batch_size_train": 8, "use_gpu": False, "transforms": ["random_flip", "random_crop"]}
    return torchreid.data.ImageDataManager(str(root), list(sources), ["market1501"], **{**SIZE, **options, **kwargs})


def batches(loader, number=3):
    torch.manual_seed(3)
    random.seed(3)
    return [batch for _, batch in zip(range(number), loader, strict=False)]


@pytest.fixture
def keypoint_file(market_root):
    return str(market_root / "market_keypoints.json")


def test_samples_gain_keypoints_and_nothing_else_changes(market_root, keypoint_file, capsys):
    ours, hosts = manager(market_root), manager(market_root)
    attach_keypoints(ours, keypoint_file, keypoint_file)
    shares = json.loads((market_root / "market_keypoints.json").read_text())
    for mine, theirs in zip(batches(ours.train_loader), batches(hosts.train_loader), strict=True):
        assert {*mine} - {*theirs} == {"keypoints"} and mine["impath"] == theirs["impath"]
        assert torch.equal(mine["img"], theirs["img"]) and mine["keypoints"].shape == (8, 17, 3)
    query = next(iter(ours.test_loader["market1501"]["query"]))
    for path, joints in zip(query["impath"], query["keypoints"], strict=True):  # a resize from 128x64 to 64x32
        expected = np.array(shares[path.rpartition("/")[2]]) * [64, 128, 1]
        np.testing.assert_allclose(joints[:, :2], (expected[:, :2] + 0.5) / 2 - 0.5, atol=1e-4)
        np.testing.assert_allclose(joints[:, 2], expected[:, 2], atol=1e-6)
    said = capsys.readouterr().out
    assert "129 of 130 images have keypoints; 1 have none and get confidence 0: " in said
    assert "2,033 of 2,033 confident joints lie on their crop" in said and "Warning" not in said


def test_an_image_without_keypoints_has_confidence_zero(market_root, keypoint_file):
    data = manager(market_root)
    attach_keypoints(data, targets=keypoint_file)
    gallery = data.test_loader["market1501"]["gallery"].dataset
    without = next(i for i, item in enumerate(gallery.data) if "0002_c4s1_000417" in item[0])
    assert not gallery[without]["keypoints"].any() and gallery[without - 1]["keypoints"].any()
    assert "keypoints" not in data.train_loader.dataset[0]


def test_two_sources_keep_their_keypoints(market_root, keypoint_file, tmp_path):
    """The host makes a plain data set of their sum."""
    (tmp_path / "market1501").symlink_to(market_root / "market1501")
    folder = tmp_path / MARKET / "bounding_box_test"
    names = sorted(path.name for path in folder.glob("*.jpg"))[:10]
    rows = [f"{MARKET}/bounding_box_test/{name},{name[:4]},1,train" for name in names]
    (tmp_path / "both.csv").write_text("\n".join(["path,person,camera,split", *rows]))
    register_source("both")
    data = manager(tmp_path, ["market1501", "both"])
    attach_keypoints(data, sources=keypoint_file)
    dataset = data.train_loader.dataset
    assert len(dataset) == 140 and all(dataset[i]["keypoints"].any() for i in (0, 131, 139))


def test_a_data_set_goes_to_a_worker_that_is_not_forked(market_root, keypoint_file):
    data = manager(market_root, transforms=[])
    attach_keypoints(data, sources=keypoint_file)
    dataset = data.train_loader.dataset
    again = pickle.loads(pickle.dumps(dataset))
    assert isinstance(again, torchreid.data.ImageDataset)
    assert torch.equal(again[5]["keypoints"], dataset[5]["keypoints"])


def frame(path, x, y):
    rows, columns = np.mgrid[:128, :64]
    blob = 255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8)
    Image.fromarray(np.repeat(blob.round().astype(np.uint8)[..., None], 3, 2)).save(path)


@pytest.mark.parametrize("method", ["evenly", "random", "all"])
def test_tracklets_have_keypoints_for_each_frame(tmp_path, method):
    """A blob that walks through the frames, with the left wrist on it: it is found again in every sampled frame."""
    paths, people = [], {}
    for i in range(9):
        paths.append(str(tmp_path / f"{i}.png"))
        joints = np.zeros((17, 3))
        joints[9] = 20 + 3 * i, 30 + 8 * i, 0.8
        frame(paths[-1], *joints[9, :2])
        people[paths[-1]] = joints
    transform, _ = torchreid.data.transforms.build_transforms(
        **SIZE, transforms=["random_flip", "random_crop"], norm_mean=[0, 0, 0], norm_std=[1, 1, 1]
    )

    def build():
        item = [(tuple(paths), 0, 0)]
        return torchreid.data.VideoDataset(
            item, item, item, transform=transform, seq_len=4, sample_method=method, verbose=False
        )

    hosts, ours = build(), build()
    give_keypoints(ours, CropKeypoints(people))
    for seed in range(6):
        samples = []
        for dataset in (hosts, ours):
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
            samples.append(dataset[0])
        assert torch.equal(samples[0]["img"], samples[1]["img"])
        keypoints, images = samples[1]["keypoints"], samples[1]["img"]
        assert keypoints.shape == (len(images), 17, 3) and len(images) == (9 if method == "all" else 4)
        for joints, image in zip(keypoints, images, strict=True):
            present = int(joints[:, 2].argmax())
            light = image.sum(0)
            rows, columns = torch.meshgrid(*(torch.arange(n) for n in light.shape), indexing="ij")
            centre = [((light * axis).sum() / light.sum()).item() for axis in (columns, rows)]
            assert present in (9, FLIPPED_JOINTS[9])
            np.testing.assert_allclose(joints[present, :2], centre, atol=0.4)


def test_wrong_pixels_are_warned_about(market_root, tmp_path, capsys):
    shares = json.loads((market_root / "market_keypoints.json").read_text())
    large = {name: (np.array(joints) * [256, 512, 1]).tolist() for name, joints in shares.items()}
    (tmp_path / "k.json").write_text(json.dumps(large))
    attach_keypoints(manager(market_root), targets=str(tmp_path / "k.json"))
    assert "Warning: " in (said := capsys.readouterr().out) and "times as large" in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"x.jpg": [[1, 2, 3]] * 17}, r"no keypoints of the images: they are named as 'x\.jpg', and an image is "),
        ({"0001_c1s1_000108_00.jpg": [[1, 2, 3]] * 16}, "16 joints"),
    ],
)
def test_keypoints_of_none_of_the_images(market_root, tmp_path, content, message):
    (tmp_path / "k.json").write_text(json.dumps(content))
    with pytest.raises(KpstraError, match=rf"data\.keypoints \(targets\): .*k\.json.*{message}"):
        attach_keypoints(manager(market_root), targets=str(tmp_path / "k.json"))


def test_keypoints_of_the_training_images_only(market_root, tmp_path):
    shares = json.loads((market_root / "market_keypoints.json").read_text())
    trained = {path.name for path in (market_root / MARKET / "bounding_box_train").iterdir()}
    (tmp_path / "k.json").write_text(json.dumps({name: shares[name] for name in shares if name in trained}))
    path, data = str(tmp_path / "k.json"), manager(market_root)
    with pytest.raises(KpstraError, match=r"has keypoints of none of the 145 images of data\.targets"):
        attach_keypoints(data, path, path)
    attach_keypoints(manager(market_root), path)


def test_other_files_of_a_folder_are_noted(market_root, tmp_path, capsys):
    (tmp_path / "k.json").write_text((market_root / "market_keypoints.json").read_text())
    (tmp_path / "settings.json").write_text('{"lr": 1}')
    attach_keypoints(manager(market_root), targets=str(tmp_path))
    assert "Note: " in (said := capsys.readouterr().out) and "left out: settings.json" in said


def test_two_names_of_an_image_with_other_keypoints(market_root, tmp_path):
    shares = json.loads((market_root / "market_keypoints.json").read_text())
    name = next(n for n in shares if (market_root / MARKET / "query" / n).is_file())
    joints = (np.array(shares[name]) * [64, 128, 1]).tolist()
    other = (np.array(joints) + 1).tolist()
    (tmp_path / "k.json").write_text(json.dumps({name: joints, f"query/{name}": other}))
    with pytest.raises(KpstraError, match="two names with other keypoints, the second 'query/"):
        attach_keypoints(manager(market_root), targets=str(tmp_path / "k.json"))


def test_several_draws_of_an_image_are_refused(market_root, keypoint_file):
    with pytest.raises(KpstraError, match="k_tfm"):
        attach_keypoints(manager(market_root, k_tfm=2), sources=keypoint_file)


def test_scores_above_one_count_as_one_and_are_told(tmp_path):
    """AlphaPose's go up to 6."""
    path = str(tmp_path / "a.png")
    Image.new("RGB", (64, 128)).save(path)
    joints = np.stack([np.linspace(5, 60, 17), np.linspace(5, 120, 17), np.linspace(0.5, 6, 17)], 1)
    keypoints = CropKeypoints({path: joints})
    np.testing.assert_allclose(keypoints[path], np.minimum(joints, [64, 128, 1]), rtol=1e-6)
    told = [line for line in describe(keypoints, [path]) if "scores" in line]
    assert len(told) == 1
    assert told[0].startswith(
        "Warning: 82% of the scores are above 1.5, up to 6: AlphaPose's go up to 6; scores above 1"
    )
    joints[:, 2] /= 6
    assert not any("scores" in line for line in describe(CropKeypoints({path: joints}), [path]))


def test_an_unreadable_image_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    keypoints = CropKeypoints({str(tmp_path / "a.jpg"): np.ones((17, 3))})
    with pytest.raises(KpstraError, match=r"a\.jpg: not a readable image"):
        describe(keypoints, [str(tmp_path / "a.jpg")])
