"""Every host folder gives the reference numbers."""

import pytest
import torch
from golden_vectors import golden
from torch import nn

from opengait_ext.models import windows  # noqa: F401, registers the adapter
from plugins.kprpe import inject_kprpe

pytest_plugins = ["host_folders"]
TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}
equal = torch.testing.assert_close


@pytest.fixture(scope="module")
def reference():
    return golden("opengait")


def test_part_modules(host, reference):
    modules = host("modeling.modules")
    equal(modules.HorizontalPoolingPyramid([15])(reference["hpp.x"]), reference["hpp.out_bin15"], **TOLERANCE)
    equal(modules.HorizontalPoolingPyramid([5, 1])(reference["hpp.x"]), reference["hpp.out_bin5_1"], **TOLERANCE)
    fcs = modules.SeparateFCs(*reference["fcs.w"].shape)
    fcs.load_state_dict({"fc_bin": reference["fcs.w"]})
    equal(fcs(reference["fcs.x"]), reference["fcs.out"], **TOLERANCE)
    neck = modules.SeparateBNNecks(*reference["bnneck.w"].shape)
    neck.fc_bin.data = reference["bnneck.w"]
    feature, logits = neck(reference["bnneck.x"])
    equal(feature, reference["bnneck.feature"], **TOLERANCE)
    equal(logits, reference["bnneck.logits"], **TOLERANCE)
    pool = modules.PackSequenceWrapper(torch.max)
    pooled = pool(reference["tp.x"], reference["tp.seqL"], options={"dim": 2})[0]
    equal(pooled, reference["tp.out"], **TOLERANCE)


def test_triplet_loss(host, reference):
    loss, info = host("modeling.losses.triplet").TripletLoss(margin=0.2)(
        embeddings=reference["triplet.emb"], labels=reference["triplet.labels"]
    )
    equal(loss, reference["triplet.loss"], **TOLERANCE)
    for name in ("loss", "hard_loss", "loss_num", "mean_dist"):
        equal(info[name], reference[f"triplet.info.{name}"], **TOLERANCE)


def test_cross_entropy(host, reference):
    loss, info = host("modeling.losses.ce").CrossEntropyLoss(log_accuracy=True)(
        logits=reference["ce.logits"], labels=reference["triplet.labels"]
    )
    equal(loss, reference["ce.loss"], **TOLERANCE)
    equal(info["accuracy"], reference["ce.accuracy"], **TOLERANCE)


@pytest.mark.parametrize("name", ["euc", "cos"])
def test_ranking(host, reference, name):
    metric = host("evaluation.metric")
    probe, features, ids = (reference[f"rank.{key}"].numpy() for key in ("probe_mask", "features", "ids"))
    distances = metric.cuda_dist(features[probe], features[~probe], name)
    equal(distances, reference[f"rank.{name}.dist"], **TOLERANCE)
    cmc, precision, penalty = metric.evaluate_rank(distances.numpy(), ids[probe], ids[~probe])
    equal(torch.from_numpy(cmc), reference[f"rank.{name}.cmc"], **TOLERANCE)
    assert sum(precision) / len(precision) == pytest.approx(float(reference[f"rank.{name}.mAP"]), abs=1e-6)
    assert sum(penalty) / len(penalty) == pytest.approx(float(reference[f"rank.{name}.mINP"]), abs=1e-6)


def window_transformer(host, reference):
    """The reference's network with its weights."""
    network = host("modeling.models.swingait").SwinTransformer3D(
        patch_size=[1, 2, 2],
        in_chans=4,
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=[1, 3, 5],
        downsample=[1, 0],
        patch_norm=True,
    )
    network.norm = nn.LayerNorm(32)  # OpenGait fixes it to the published width
    weights = {key.removeprefix("swin2d.w."): value for key, value in reference.items() if key.startswith("swin2d.w.")}
    indices = {key: value for key, value in network.state_dict().items() if key.endswith("relative_position_index")}
    assert len(indices) == 4
    network.load_state_dict({**weights, **indices}, strict=True)
    network.eval()  # which in OpenGait returns nothing
    return network


@torch.no_grad()
def test_window_transformer(host, reference):
    equal(window_transformer(host, reference)(reference["swin2d.x"]), reference["swin2d.out"], **TOLERANCE)


@torch.no_grad()
@pytest.mark.parametrize("grid", ["window", "image"])
def test_injection(host, reference, grid):
    """KP-RPE goes into every attention, adds nothing at first, moves with the keypoints, and comes out again."""
    network, x, points = window_transformer(host, reference), reference["swin2d.x"], torch.rand(2, 3, 17, 2)
    names = list(network.state_dict())
    handle = inject_kprpe(network, {"num_keypoints": 17, "feature_size": (15, 10)}, mode="add", grid=grid)
    assert [layer.name for layer in handle.layers] == [f"layers.{i}.blocks.{j}.attn" for i in (0, 1) for j in (0, 1)]
    with handle.set_keypoints(points):
        equal(network(x), reference["swin2d.out"], **TOLERANCE)
        for parameter in handle.parameters():
            nn.init.normal_(parameter)
        assert (network(x) - reference["swin2d.out"]).abs().max() > 1e-3
    handle.remove()
    assert list(network.state_dict()) == names
    equal(network(x), reference["swin2d.out"], **TOLERANCE)
