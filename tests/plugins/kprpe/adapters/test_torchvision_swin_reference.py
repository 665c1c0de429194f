"""The authors' Swin V2 with KP-RPE, their weights in torchvision's network: equal to their code's outputs."""

import re

import pytest
import torch
import torch.nn.functional as F
import torchvision
from golden_vectors import golden
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from plugins.kprpe import inject_kprpe

DEPTH, STAGES = 2, 4


def torchvision_name(name):
    """features.N, blocks and mergings in a row, to features.STAGE.BLOCK and features.MERGING."""
    number = int(re.match(r"features\.(\d+)", name)[1])
    stage, block = divmod(number - 1, DEPTH + 1)
    place = "0" if number == 0 else f"{2 * stage + 1}.{block}" if block < DEPTH else f"{2 * stage + 2}"
    return re.sub(r"features\.\d+", f"features.{place}", name)


@pytest.fixture(scope="module")
def reference():
    return {name.removeprefix("swin."): value for name, value in golden("face_swin").items()}


@pytest.fixture(scope="module")
def network(reference):
    network = torchvision.models.SwinTransformer(
        [3, 3],
        8,
        [DEPTH] * STAGES,
        [1, 2, 2, 4],
        [5, 5],
        mlp_ratio=2,
        num_classes=2,
        norm_layer=torch.nn.LayerNorm,
        block=SwinTransformerBlockV2,
        downsample_layer=PatchMergingV2,
    ).eval()
    handle = inject_kprpe(network, {"num_keypoints": 5, "grid": "image"})
    prefix = "w.net."
    weights = {n.removeprefix(prefix): v.float() for n, v in reference.items() if n.startswith(prefix)}
    trunk = {torchvision_name(n): v for n, v in weights.items() if n.startswith("features.")}
    loaded = network.load_state_dict(trunk | {n: v for n, v in weights.items() if n.startswith("norm.")}, strict=False)
    assert not loaded.unexpected_keys
    ours = ("relative_", "kprpe", "head.")
    assert [n for n in loaded.missing_keys if not any(part in n for part in ours)] == []
    linear = [
        [reference[f"w.keypoint_linear.{i}.{part}"].float() for i in range(STAGES)] for part in ("weight", "bias")
    ]
    handle.load_reference(*map(torch.cat, linear))
    return network, handle, weights


def test_outputs_are_the_authors(network, reference):
    network, handle, weights = network
    images = (reference["images"].float() / 255 - 0.5) / 0.5
    seen = {}
    network.features[1][1].register_forward_hook(lambda module, args, out: seen.update(block=out))
    network.features.register_forward_hook(lambda module, args, out: seen.update(last=out))
    with torch.no_grad(), handle.set_keypoints(reference["keypoints"]):
        network(images)
        x = network.norm(seen["last"]).flatten(1)
        for i in (0, 2):
            x = x @ weights[f"feature.{i}.weight"].T
            mean, var, weight, bias = (
                weights.get(f"feature.{i + 1}.{n}") for n in ("running_mean", "running_var", "weight", "bias")
            )
            x = F.batch_norm(x, mean, var, weight, bias, eps=2e-5)
    torch.testing.assert_close(seen["block"][:, ::4, ::4], reference["block1_out"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(seen["last"], reference["last_map"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(x, reference["out"], rtol=1e-5, atol=1e-5)
