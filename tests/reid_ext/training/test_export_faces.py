"""Networks for faces as ONNX files: landmarks are the second input; onnxruntime alone gives torch's features."""

from functools import partial

import numpy as np
import pytest
import torch

import reid_ext
from reid_ext.__main__ import main
from reid_ext.extractor import FeatureExtractor
from reid_ext.host import torchreid
from reid_ext.models import factory
from reid_ext.models.faces import FaceViT, transformers
from reid_ext.models.options import building
from reid_ext.training.export import export

SIZES = {"patch_size": 16, "embed_dim": 16, "depth": 1, "num_heads": 2, "mlp_ratio": 2, "feature_dim": 8}
SECOND = {"formulation": "second_order", "standardised": True}

reid_ext.register()


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    for suffix, kind in transformers.KINDS.items():
        monkeypatch.setitem(factory.OURS, f"vit_small_face{suffix}", partial(kind, build=partial(FaceViT, **SIZES)))
    irpe = partial(transformers.FaceTransformer, build=partial(FaceViT, **SIZES, irpe=True))
    monkeypatch.setitem(factory.OURS, "vit_small_face_irpe", irpe)


def saved(name, path, size, **kprpe):
    """A checkpoint of random weights, the tables and the mean pose too."""
    torch.manual_seed(0)
    with building(size, kprpe):
        model = torchreid.models.build_model(name, 3, pretrained=False, use_gpu=False)
    if hasattr(model, "kprpe"):
        for parameter in model.kprpe.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        model.kprpe.fit_pose(torch.rand(20, 5, 2))
    torch.save({"state_dict": model.state_dict()}, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "kprpe"),
    [
        ("vit_small_face_kprpe", (32, 32), SECOND),
        ("vit_small_face_kprpe", (48, 32), {}),
        ("vit_small_face_irpe", (32, 32), {}),
        ("resnet50_face_stra", (32, 32), {}),
        ("fer_resnet_stra", (44, 44), {}),
    ],
)
def test_features_are_torchs(name, size, kprpe, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="exporting needs kpstra[export]")
    path = tmp_path / "face.onnx"
    weights = saved(name, tmp_path / "face.pth", size, **kprpe)
    assert export(name, weights, path, *size, kprpe=kprpe) < 1e-4
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    given = {"images": torch.randn(4, 3, *size)}
    if factory.with_joints(name):
        given["keypoints"] = torch.rand(4, 5, 3) * torch.tensor([*size[::-1], 1.0])
    assert [one.name for one in session.get_inputs()] == [*given]
    model = FeatureExtractor(name, weights, size, device="cpu", kprpe=kprpe).model
    with torch.no_grad():
        expected = model(*given.values()).numpy()
    found = session.run(["features"], {key: value.numpy() for key, value in given.items()})[0]
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    if factory.with_joints(name):
        moved = {**given, "keypoints": given["keypoints"].flip(0)}
        other = session.run(["features"], {key: value.numpy() for key, value in moved.items()})[0]
        assert np.abs(other - found).max() > 1e-3 * np.abs(found).max()


def test_a_face_network_by_name_takes_images_of_faces(monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr("reid_ext.training.export.export", lambda *args, **size: seen.update(size) or 0.0)
    for name, size in (("resnet50_face_stra", (112, 112)), ("fer_resnet", (44, 44)), ("resnet50", (256, 128))):
        assert main(["export", "--model", name, "--weights", "x", "--output", "y"]) == 0
        assert (seen["height"], seen["width"]) == size
