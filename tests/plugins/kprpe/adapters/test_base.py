"""What all adapters refuse, and how they stand in a graph of torch.fx."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from attention_networks import JOINTS, NETWORKS, randomise, timm_swin, timm_vit
from torchvision.models.feature_extraction import create_feature_extractor

from plugins.errors import KpstraError
from plugins.kprpe import Keypoints, inject_kprpe


@pytest.mark.parametrize("grid", ["window", "image"])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sets", [1, 2, 3, 8])
def test_keypoints_of_another_batch(name, grid, sets):
    network, x, points = NETWORKS[name].parts()
    handle = inject_kprpe(network.eval(), {"num_keypoints": JOINTS}, grid=grid)
    frames = points.shape[1] if points.ndim == 4 else 1
    x, points = torch.cat((x, x)), torch.rand(sets, *points.shape[1:])
    message = f"keypoints of {sets * frames} images, but features of {4 * frames}"
    with pytest.raises(KpstraError, match=message), handle.set_keypoints(points), torch.no_grad():
        network(x)


@pytest.mark.parametrize("name", ["timm vit", "timm swin", "torchvision swin"])
def test_frames_of_sequences_are_images_in_the_plane(name):
    network, x, _ = NETWORKS[name].parts()
    handle = inject_kprpe(network.eval(), {"num_keypoints": JOINTS})
    randomise(handle)
    x, points, confidence = torch.cat((x, x)), torch.rand(2, 2, JOINTS, 2), torch.rand(2, 2, JOINTS)
    with torch.no_grad():
        with handle.set_keypoints(points, confidence):
            of_sequences = network(x)
        with handle.set_keypoints(points.flatten(0, 1), confidence.flatten(0, 1)):
            assert torch.equal(network(x), of_sequences)


@pytest.mark.parametrize(
    ("points", "confidence", "message"),
    [
        (torch.rand(2, 4, 2), None, r"expected floating \(B, 5, 2\) or \(B, T, 5, 2\), got torch.float32 \(2, 4, 2\)"),
        (torch.rand(5, 2), None, r"got torch.float32 \(5, 2\)"),
        (torch.zeros(2, 5, 2, dtype=torch.long), None, "got torch.int64"),
        (torch.rand(2, 5, 2), torch.rand(2, 4), r"confidence: expected \(2, 5\) as the keypoints have, got \(2, 4\)"),
        (torch.rand(2, 5, 2) * 224, None, "normalise_keypoints"),
        (np.random.rand(2, 5, 2) * 224, None, "normalise_keypoints"),
        ([[0.5, 0.5]], None, "expected a tensor or a NumPy array, got list"),
    ],
)
def test_keypoints_that_cannot_be_right_are_refused_before_the_forward(points, confidence, message):
    handle = inject_kprpe(timm_vit(), {"num_keypoints": JOINTS})
    with pytest.raises(KpstraError, match=message):
        handle.set_keypoints(points, confidence)


def test_numpy_keypoints():
    network, x, points = NETWORKS["timm vit"].parts()
    handle = inject_kprpe(network.eval(), {"num_keypoints": JOINTS})
    randomise(handle)
    with torch.no_grad():
        with handle.set_keypoints(points, torch.ones(2, JOINTS)):
            expected = network(x)
        with handle.set_keypoints(points.numpy(), np.ones((2, JOINTS), dtype=np.float32)):
            assert torch.equal(network(x), expected)


def test_keypoints_on_another_device():
    network, x, points = NETWORKS["timm vit"].parts()
    handle = inject_kprpe(network, {"num_keypoints": JOINTS})
    message = "keypoints on meta, but the network on cpu"
    elsewhere = Keypoints(points.to("meta"))  # which no check of values can read
    with torch.no_grad(), handle.context.set(elsewhere), pytest.raises(KpstraError, match=message):
        network(x)


@pytest.mark.parametrize("name", ["torchvision swin", "torchvision swin v2", "torchvision vit", "torchvision swin3d"])
def test_torch_fx_sees_one_node(name):
    network, x, points = NETWORKS[name].parts()
    handle = inject_kprpe(network.eval(), {"num_keypoints": JOINTS})
    randomise(handle)
    node = "encoder.ln" if name == "torchvision vit" else "norm"
    extractor = create_feature_extractor(network, [node])
    with torch.no_grad(), handle.set_keypoints(points):
        seen = []
        network.get_submodule(node).register_forward_hook(lambda module, args, out: seen.append(out))
        network(x)
        features = extractor(x)[node]
    assert torch.equal(features, seen[0])
    with pytest.raises(KpstraError, match="no keypoints set"):
        extractor(x)


def test_a_size_that_changed_is_named():
    network = timm_swin(size=32)
    handle = inject_kprpe(network, {"num_keypoints": JOINTS})
    with pytest.raises(KpstraError, match=r"windows of 4 x 4 tokens, but they become 2 x 2; call handle.remove"):
        network.set_input_size((16, 16))
    handle.remove()
    network.set_input_size((64, 32), window_size=4)
    handle = inject_kprpe(network, {"num_keypoints": JOINTS}, grid="image")
    with handle.set_keypoints(torch.rand(2, JOINTS, 2)):
        assert network(torch.randn(2, 3, 64, 32)).shape == (2, 6)
    network.set_input_size((64, 64), window_size=4)
    message = "built for 32 x 16 tokens, but the network has 32 x 32 now"
    with handle.set_keypoints(torch.rand(2, JOINTS, 2)), pytest.raises(KpstraError, match=message):
        network(torch.randn(1, 3, 64, 64))  # as many windows as two images of the old size


def test_a_vision_transformer_of_another_shape():
    network = timm_vit()
    handle = inject_kprpe(network, {"num_keypoints": JOINTS})
    network.set_input_size((16, 64))  # as many tokens
    message = "built for 4 x 4 tokens, but the network has 2 x 8 now"
    with handle.set_keypoints(torch.rand(2, JOINTS, 2)), pytest.raises(KpstraError, match=message):
        network(torch.randn(2, 3, 16, 64))


def test_replicas_in_threads_see_their_own_keypoints():
    """As DataParallel runs them, with a last batch that is smaller."""
    network, _, _ = NETWORKS["timm swin"].parts()
    handle = inject_kprpe(network.eval(), {"num_keypoints": JOINTS})
    randomise(handle)
    batches = [(torch.randn(n, 3, 32, 32), torch.rand(n, JOINTS, 2)) for n in (3, 1)]
    both_inside = threading.Barrier(2)

    def replica(images, points, wait=both_inside.wait):
        with torch.no_grad(), handle.set_keypoints(points):
            wait()
            return network(images)

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda batch: replica(*batch), batches))
    for out, batch in zip(together, batches, strict=True):
        assert torch.equal(out, replica(*batch, wait=int))
