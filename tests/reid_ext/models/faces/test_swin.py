"""CVLface's Swin V2 with KP-RPE: the authors' vectors and sizes, and weights that are not its own."""

from pathlib import Path

import pytest
import torch
from golden_vectors import golden

from plugins.errors import KpstraError
from reid_ext.models.faces import FaceSwin

PAGE = Path(__file__).parents[4] / "docs" / "faces.md"
SMALL = {"embed_dim": 8, "depths": (2, 2, 2, 2), "num_heads": (1, 2, 2, 4), "mlp_ratio": 2, "feature_dim": 24}


@pytest.fixture(scope="module")
def vectors():
    return {name.removeprefix("swin."): value for name, value in golden("face_swin").items()}


@pytest.fixture(scope="module")
def weights(vectors):
    return {name.removeprefix("w."): value.float() for name, value in vectors.items() if name.startswith("w.")}


@pytest.fixture(scope="module")
def network(weights):
    network = FaceSwin(**SMALL, kprpe={}).eval()
    network.load_reference(weights)
    return network


def test_outputs_are_the_authors(vectors, network):
    with torch.no_grad():
        out = network((vectors["images"].float() / 255 - 0.5) / 0.5, vectors["keypoints"])
    torch.testing.assert_close(out, vectors["out"], atol=1e-5, rtol=1e-5)


def test_the_plain_network_has_a_table_of_its_own_and_no_keypoints(vectors, weights):
    plain = FaceSwin(**SMALL).eval()
    own = {name: value for name, value in weights.items() if not name.startswith("keypoint_linear")}
    for given, said in ((weights, "build it with kprpe={}"), (own, "cpb_mlp")):
        with pytest.raises(KpstraError, match=said):
            plain.load_reference(given)
    images = torch.randn(2, 3, 112, 112)
    with torch.no_grad():
        torch.testing.assert_close(plain(images, vectors["keypoints"]), plain(images))


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "count"), [(12, 94_652_064), (18, 113_618_208)])
def test_sizes_are_the_authors(depth, count):
    with torch.device("meta"):
        network = FaceSwin(depths=(2, 2, depth, 2), kprpe={})
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    assert f"{count:,}" in PAGE.read_text(encoding="utf-8")


def test_weights_of_another_network_are_refused(network, weights):
    without = {name: value for name, value in weights.items() if not name.startswith("keypoint_linear.2")}
    with pytest.raises(KpstraError, match=r"no keypoint_linear\.0 to \.3"):
        network.load_reference(without)
    with pytest.raises(KpstraError, match="weights of another network"):
        network.load_reference({**weights, "net.features.99.weight": torch.zeros(1)})


@pytest.mark.parametrize(("given", "keypoints", "said"), [
    ((1, 3, 112, 96), (1, 5, 2), "112, 112"),
    ((1, 3, 112, 112), None, r"FaceSwin: keypoints: none"),
    ((1, 3, 112, 112), (1, 17, 2), "5, 2"),
])  # fmt: skip
def test_wrong_inputs_are_refused(network, given, keypoints, said):
    with pytest.raises(KpstraError, match=said):
        network(torch.zeros(given), None if keypoints is None else torch.rand(keypoints))
