"""`reid_ext.extractor` and `reid-ext export`."""

import keypoint_network
import numpy as np
import pytest
import torch
from keypoint_network import TinyKeypoints
from PIL import Image

from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.extractor import FeatureExtractor
from reid_ext.host import torchreid
from reid_ext.models.factory import register
from reid_ext.training.export import export

NAME = "mobilenetv2_x1_0_stra"


@pytest.fixture(scope="module")
def model():
    """A network whose batch norms have seen something, so that its features are not all but zero."""
    register()
    torch.manual_seed(0)
    network = torchreid.models.build_model(NAME, 3, pretrained=False, use_gpu=False)
    with torch.no_grad():
        network(torch.randn(8, 3, 64, 32))
    return network.eval()


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    """Saved as torchreid saves: under DataParallel's names, with a NumPy rank1."""
    path = tmp_path_factory.mktemp("weights") / "model.pth.tar-1"
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 1, "rank1": np.float64(0.5)}, path)
    return path


@pytest.fixture
def crop(market_root):
    return sorted((market_root / "market1501" / "Market-1501-v15.09.15" / "query").glob("*.jpg"))[0]


def test_features_are_those_of_the_test(model, weights, crop):
    """For paths, arrays and tensors: as the host's test transform and the network give them."""
    extractor = FeatureExtractor(NAME, weights, (64, 32), device="cpu")
    _, transform = torchreid.data.transforms.build_transforms(64, 32, transforms=None)
    tensor = transform(Image.open(crop).convert("RGB"))[None]
    with torch.no_grad():
        wanted = model(tensor)
    array = np.asarray(Image.open(crop).convert("RGB"))
    given = (str(crop), crop, Image.open(crop), array, tensor, tensor[0], tensor.double())
    for one in given:
        torch.testing.assert_close(extractor(one), wanted)
    both = extractor([crop, array])
    torch.testing.assert_close(both, wanted.expand(2, -1))
    extractor.model.bfloat16()
    with torch.no_grad():
        coarse = extractor.model(tensor.bfloat16())
    for one in given:
        assert torch.equal(extractor(one), coarse)
    assert wanted.shape == (1, 1280) and wanted.abs().max() > 1e-3


def test_a_model_of_the_host_s_own(tmp_path):
    torch.manual_seed(0)
    network = torchreid.models.build_model("osnet_x0_25", 3, pretrained=False, use_gpu=False).eval()
    torch.save(network.state_dict(), tmp_path / "x.pth")
    images = torch.randn(1, 3, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            FeatureExtractor("osnet_x0_25", tmp_path / "x.pth", device="cpu")(images), network(images)
        )


def test_mistakes(model, weights, tmp_path, monkeypatch):
    with pytest.raises(KpstraError, match=r"gone.pth: no such checkpoint file"):
        FeatureExtractor(NAME, tmp_path / "gone.pth")
    with pytest.raises(KpstraError, match=r"model_name: 'resnet50_stla' is not one of .*did you mean 'resnet50_stra'"):
        FeatureExtractor("resnet50_stla", weights)
    some = dict(list(model.state_dict().items())[:50])
    torch.save(some, tmp_path / "some.pth")
    monkeypatch.setattr("reid_ext.training.weights.models_that_fit", lambda weights: [])  # looks for seconds
    with pytest.raises(KpstraError, match=r"some.pth: weights of another model: \d+ of the \d+ tensors"):
        FeatureExtractor(NAME, tmp_path / "some.pth", device="cpu")
    with pytest.raises(KpstraError, match=r"None: no such checkpoint file"):
        FeatureExtractor(NAME, None)
    with pytest.raises(KpstraError, match=r"image_size: 256: expected \(height, width\)"):
        FeatureExtractor(NAME, weights, 256)
    with pytest.raises(KpstraError, match=r"'gpu': no such device; expected auto, cpu, cuda"):
        FeatureExtractor(NAME, weights, device="gpu")
    extractor = FeatureExtractor(NAME, weights, (64, 32), device="cpu")
    for wrong, message in (
        (torch.zeros(1, 1, 64, 32), "expected floats"),
        (str(tmp_path / "no.jpg"), "no.jpg"),
        (torch.full((1, 3, 64, 32), float("nan")), "not finite"),
        (3, "int"),
        ([3], "expected paths"),
        (np.zeros((2, 3, 64, 32, 1)), "expected paths"),
        ([], "no images given"),
        (np.zeros((64, 32), np.uint8), r"uint8 \(64, 32\): expected paths of images or uint8 \(H, W, 3\)"),
        (np.random.rand(64, 32, 3), "float64"),
        (255 * torch.rand(1, 3, 64, 32), "values up to 2.*: expected normalised images; give pixels from 0 to 255 as"),
        (Image.fromarray(np.zeros((64, 32), np.uint16)), "mode I;16: more than 8 bits a channel; save it with 8"),
    ):
        with pytest.raises(KpstraError, match=message):
            extractor(wrong)


def test_mistakes_of_the_command_line(weights, tmp_path, capsys):
    output = str(tmp_path / "x.onnx")
    for options, message in (
        (["--model", "resnet50_stla", "--weights", str(weights)], "model_name: 'resnet50_stla'"),
        (["--model", NAME, "--weights", "gone.pth"], "gone.pth: no such checkpoint file"),
        (["--config-file", "reid/none", "--weights", str(weights)], "no such configuration"),
    ):
        assert main(["export", *options, "--output", output]) == 2
        err = capsys.readouterr().err
        assert err.startswith("reid-ext export: error: ") and message in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_export(model, weights, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "x.onnx"
    assert main(["export", "--config-file", f"reid/{NAME}", "--weights", str(weights), "--output", str(path)]) == 0
    assert f"{path}: features equal torch's" in capsys.readouterr().out
    images = torch.randn(5, 3, 256, 128)
    with torch.no_grad():
        wanted = model(images)
    found = onnxruntime.InferenceSession(path).run(["features"], {"images": images.numpy()})[0]
    np.testing.assert_allclose(found, wanted, atol=1e-4 * float(wanted.abs().max()))


@pytest.fixture
def keypoint_extractor(tmp_path):
    keypoint_network.register()
    path = tmp_path / "k.pth"
    torch.save({"state_dict": TinyKeypoints(1).state_dict()}, path)
    return FeatureExtractor(keypoint_network.NAME, path, (64, 32), device="cpu")


def test_what_a_network_with_keypoints_costs_is_told(tmp_path, capsys):
    """The host's own count gives it none."""
    keypoint_network.register()
    torch.save({"state_dict": TinyKeypoints(1).state_dict()}, tmp_path / "k.pth")
    FeatureExtractor(keypoint_network.NAME, tmp_path / "k.pth", (64, 32), device="cpu", verbose=True)
    assert "- params: " in capsys.readouterr().out


def test_keypoints_go_with_their_images(keypoint_extractor):
    """In pixels of each image: they are moved by the resize, absent ones stay zero."""
    chance = np.random.default_rng(0)
    images = [chance.integers(0, 256, (height, 64, 3), dtype=np.uint8) for height in (128, 64)]
    keypoints = chance.uniform(0, 60, (2, 17, 3)) / [1, 1, 60]
    keypoints[1, 4] = 0
    features = keypoint_extractor(images, keypoints)
    seen = keypoint_extractor.model.seen[1].numpy()
    for joints, found, (height, width) in zip(keypoints, seen, ((128, 64), (64, 64)), strict=True):
        expected = (joints[:, :2] + 0.5) * [32 / width, 64 / height] - 0.5
        np.testing.assert_allclose(found[:, :2], np.where(joints[:, 2:] > 0, expected, 0), atol=1e-4)
    one = keypoint_extractor(images[1], torch.from_numpy(keypoints[1]).requires_grad_())
    torch.testing.assert_close(one, features[1:])
    tensor = torch.rand(2, 3, 64, 32)
    keypoint_extractor(tensor, keypoints)
    np.testing.assert_allclose(keypoint_extractor.model.seen[1].numpy(), keypoints, rtol=1e-6)


def test_keypoints_are_an_exported_model_s_second_input(keypoint_extractor, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime", reason="exporting needs kpstra[export]")
    path = str(tmp_path / "k.onnx")
    assert export(keypoint_network.NAME, tmp_path / "k.pth", path, 64, 32) < 1e-4
    images, keypoints = torch.rand(5, 3, 64, 32), torch.rand(5, 17, 3)
    given = {"images": images.numpy(), "keypoints": keypoints.numpy()}
    found = onnxruntime.InferenceSession(path).run(["features"], given)[0]
    np.testing.assert_allclose(found, keypoint_extractor(images, keypoints).numpy(), atol=1e-4)


def test_scores_that_all_count_as_one_are_told(keypoint_extractor):
    with pytest.warns(UserWarning, match="FeatureExtractor: 100% of the scores are above 1.5, up to 6: AlphaPose's"):
        keypoint_extractor(np.zeros((8, 8, 3), np.uint8), np.full((17, 3), 6.0))


@pytest.mark.parametrize(
    ("keypoints", "message"),
    [
        (None, r"TinyKeypoints takes keypoints: give \(B, 17, 3\) beside the images"),
        (np.zeros((2, 17, 3)), r"keypoints \(2, 17, 3\): expected \(1, 17, 3\)"),
        (np.zeros((17, 2)), r"keypoints \(1, 17, 2\)"),
        (np.full((17, 3), np.nan), "not finite"),
        ([[[1, 2, 3]] * 17, [[1, 2, 3]] * 16], r"keypoints \[\[\[1, 2, 3\].*: expected \(1, 17, 3\), as images"),
        ("k.json", r"keypoints 'k.json': expected \(1, 17, 3\), as images \(could not convert string"),
    ],
)
def test_keypoints_that_do_not_fit(keypoint_extractor, keypoints, message):
    with pytest.raises(KpstraError, match=message):
        keypoint_extractor(np.zeros((8, 8, 3), np.uint8), keypoints)


def test_keypoints_of_a_model_that_takes_none(weights):
    with pytest.raises(KpstraError, match="takes no keypoints"):
        FeatureExtractor(NAME, weights, (64, 32), device="cpu")(np.zeros((8, 8, 3), np.uint8), np.zeros((17, 3)))
