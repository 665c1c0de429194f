"""FaceViT in torchreid's factory: its contract, pixels to shares, settings, CVLface's files."""

from functools import partial

import pytest
import torch
from golden_vectors import golden
from torch import nn

import reid_ext
from plugins.errors import KpstraError
from plugins.keypoints import read
from reid_ext.extractor import FeatureExtractor
from reid_ext.host import torchreid
from reid_ext.models import factory
from reid_ext.models.faces import FaceViT, transformers
from reid_ext.models.feed import complexity, joints_taken, takes_keypoints
from reid_ext.models.options import building
from reid_ext.training.weights import load_all_features

reid_ext.register()
SIZES = {"patch_size": 16, "embed_dim": 64, "depth": 2, "num_heads": 4, "mlp_ratio": 2, "feature_dim": 48}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The golden vectors' network under the names of the paper's small one."""
    for suffix, kind in transformers.KINDS.items():
        small = partial(kind, build=partial(FaceViT, **SIZES))
        monkeypatch.setitem(factory.OURS, f"vit_small_face{suffix}", small)


def build(suffix="", loss="softmax", **kprpe):
    with building(None, kprpe):
        name = f"vit_small_face{suffix}"
        return torchreid.models.build_model(name, 5, loss, pretrained=False, use_gpu=False).eval()


@pytest.fixture(scope="module")
def reference():
    return {name.removeprefix("vit."): value.float() for name, value in golden("face_vit").items()}


@pytest.fixture
def published(reference, tmp_path):
    """A file as CVLface publishes them."""
    path = tmp_path / "model.pt"
    torch.save({f"net.{name[2:]}": value for name, value in reference.items() if name.startswith("w.")}, path)
    return path


def pixels(shares):
    return torch.cat((shares * 112, torch.ones(len(shares), 5, 1)), 2)


def images_of(reference):
    return (reference["images"] / 255 - 0.5) / 0.5


def test_the_factory_has_the_paper_s_networks_and_a_tiny_one():
    names = {
        f"{trunk}_{size}_face{kind}"
        for trunk in ("vit", "swin")
        for size in ("small", "base")
        for kind in ("", "_kprpe", "_static")
    }
    names |= {f"vit_tiny_face{kind}" for kind in ("", "_kprpe", "_static")}
    names |= {f"vit_{size}_face_irpe" for size in ("tiny", "small", "base")}
    assert names == {*transformers.FACE_TRANSFORMERS} and names < {*getattr(torchreid.models, "__model_factory")}
    assert [factory.with_joints(f"vit_base_face{kind}") for kind in ("", "_irpe", "_kprpe", "_static")] == [
        *(False, False),
        *(True, True),
    ]


@pytest.mark.parametrize(("loss", "suffix"), [("softmax", ""), ("triplet", ""), ("softmax", "_kprpe")])
def test_outputs_honour_the_hosts_contract(loss, suffix, reference):
    model = build(suffix, loss)
    given = (images_of(reference), pixels(reference["keypoints"])) if suffix else (images_of(reference),)
    assert model(*given).shape == (3, 48)
    outputs = model.train()(*given)
    shapes = [tuple(out.shape) for out in (outputs if loss == "triplet" else (outputs,))]
    assert shapes == ([(3, 5), (3, 48)] if loss == "triplet" else [(3, 5)])


def test_published_weights_give_the_authors_features(published, reference):
    model = build("_kprpe")
    report = load_all_features(model, published)
    assert report.kept == ["classifier.weight"] and not report.left_out
    with torch.no_grad():
        out = model(images_of(reference), pixels(reference["keypoints"]))
    torch.testing.assert_close(out, reference["out"], atol=2e-5, rtol=1e-5)


def test_the_shares_of_a_landmark_file_reach_the_network(published, reference, tmp_path):
    shares = reference["keypoints"][:1]
    heads = ",".join(["idx", *(f"ldmk_{i}" for i in range(10))])
    numbers = ",".join(f"{number:.7f}" for number in shares.flatten().tolist())
    (tmp_path / "ldmk_5points.csv").write_text(f"{heads}\n0,{numbers}\n")
    (points,) = read(tmp_path / "ldmk_5points.csv", size=(112, 112)).values()
    model = build("_kprpe")
    load_all_features(model, published)
    with torch.no_grad():
        out = model(images_of(reference)[:1], torch.from_numpy(points)[None])
    torch.testing.assert_close(out, reference["out"][:1], atol=2e-5, rtol=1e-5)


def test_the_extractor_takes_published_weights_and_normalises_as_they_want(published, reference):
    extractor = FeatureExtractor("vit_small_face_kprpe", published, device="cpu")
    images = list(reference["images"].byte().permute(0, 2, 3, 1).numpy())
    features = extractor(images, pixels(reference["keypoints"]).numpy())
    torch.testing.assert_close(features, reference["out"], atol=2e-5, rtol=1e-5)
    with pytest.raises(KpstraError, match=r"expected \(3, 5, 3\)"):
        extractor(images, torch.zeros(3, 17, 3).numpy())
    with pytest.raises(KpstraError, match=r"give \(B, 5, 3\)"):
        extractor(images)


def test_pretrained_takes_a_published_file(published, reference):
    with building():
        model = torchreid.models.build_model("vit_small_face_kprpe", 5, pretrained=str(published), use_gpu=False)
    with torch.no_grad():
        out = model.eval()(images_of(reference), pixels(reference["keypoints"]))
    torch.testing.assert_close(out, reference["out"], atol=2e-5, rtol=1e-5)


def test_without_a_file_nothing_is_downloaded():
    with pytest.raises(KpstraError, match="pretrained_path"):
        torchreid.models.build_model("vit_small_face", 5, use_gpu=False)


def test_a_published_file_of_another_network_is_refused(tmp_path, published):
    other = FaceViT(112, 16, 32, 2, 4, 2, 48)
    path = tmp_path / "other.pt"
    torch.save({f"net.{name.removeprefix('trunk.')}": value for name, value in other.state_dict().items()}, path)
    with pytest.raises(KpstraError, match="weights of another network"):
        load_all_features(build(), path)
    with pytest.warns(UserWarning, match="keypoint_linear is left out"):
        load_all_features(build(), published)


def test_the_static_control_sees_no_landmarks(reference):
    model = build("_static")
    for parameter in model.kprpe.parameters():
        nn.init.normal_(parameter, std=0.3)
    at = pixels(reference["keypoints"])
    with torch.no_grad():
        torch.testing.assert_close(model(images_of(reference), at), model(images_of(reference), at.flip(0)))


def test_the_constant_control_gets_the_mean_pose(reference):
    model = build("_kprpe", keypoints="constant")
    assert model.wants_pose
    model.fit_pose(reference["keypoints"] + 0.5 / 112, torch.ones(3, 5))
    assert not model.wants_pose
    for attention in model.kprpe.attentions.values():  # what the network is given, half a pixel less
        torch.testing.assert_close(attention.kprpe.pose.mean, reference["keypoints"].mean(0))


@pytest.mark.parametrize("confidence", [True, False])
def test_scores_count_unless_told_not_to(reference, confidence):
    model = build("_kprpe", confidence=confidence)
    for parameter in model.kprpe.parameters():
        nn.init.normal_(parameter, std=0.3)
    sure, unsure = (pixels(reference["keypoints"]) for _ in range(2))
    unsure[:, 2:, 2] = 0.2
    with torch.no_grad():
        tokens = [model(images_of(reference), at) for at in (sure, unsure)]
    assert torch.allclose(*tokens, atol=1e-4) != confidence


@pytest.mark.parametrize("key", ["grid", "mode"])
def test_settings_without_effect_are_refused(key):
    with pytest.raises(KpstraError, match=rf"kprpe\.{key}: has no effect"):
        build("_kprpe", **{key: "image"})


def test_complexity_is_counted_with_five_landmarks():
    model = build("_kprpe")
    assert takes_keypoints(model) and joints_taken(nn.DataParallel(model)) == 5
    parameters, flops = complexity(model, (1, 3, 112, 112))
    assert parameters > 0 and flops > 0
