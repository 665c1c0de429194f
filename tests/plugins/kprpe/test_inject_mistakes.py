"""Networks, settings and keypoints that injection refuses."""

import pytest
import torch
import torch.distributed as dist
import torchvision
from attention_networks import JOINTS as L
from attention_networks import NETWORKS, swin
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from plugins.errors import KpstraError
from plugins.kprpe import inject_kprpe
from plugins.kprpe.adapters import KeypointAttention


def parts(name):
    return NETWORKS[name].parts()


def test_mistakes_are_named():
    with pytest.raises(KpstraError, match=r"no attention that KP-RPE fits in ResNet; seen: .*Conv2d.*Known are"):
        inject_kprpe(torchvision.models.resnet18(weights=None), {"num_keypoints": L})
    with pytest.raises(KpstraError, match=r"kprpe\.gird: 'image': unknown key \(did you mean 'grid'"):
        inject_kprpe(swin(), {"num_keypoints": L, "gird": "image"})
    with pytest.raises(KpstraError, match=r"kprpe\.grid: 'windw' is not one of window, image"):
        inject_kprpe(swin(), {"num_keypoints": L, "grid": "windw"})
    with pytest.raises(KpstraError, match=r"kprpe\.num_keypoints: missing"):
        inject_kprpe(swin(), {})
    network, x, _ = parts("torchvision swin")
    handle = inject_kprpe(network, {"num_keypoints": L})
    with pytest.raises(KpstraError, match="no keypoints set"):
        network(x)
    with (
        pytest.raises(KpstraError, match="keypoints of 3 images, but features of 2"),
        handle.set_keypoints(torch.rand(3, L, 2)),
    ):
        network(x)
    with pytest.raises(KpstraError, match="already"):
        inject_kprpe(network, {"num_keypoints": L})
    assert all(isinstance(m, KeypointAttention) for m in handle.attentions.values())
    handle.remove()
    with pytest.raises(KpstraError, match="KP-RPE was removed from the network"):
        handle.set_keypoints(torch.rand(2, L, 2))


def test_wrapped_networks_are_refused(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        wrapped = DistributedDataParallel(swin())
    finally:
        dist.destroy_process_group()
    sharded = type("FullyShardedDataParallel", (nn.Sequential,), {})(swin())
    for network, name in ((wrapped, "DistributedDataParallel"), (sharded, "FullyShardedDataParallel")):
        with pytest.raises(KpstraError, match=f"{name}: inject into the network before it is wrapped"):
            inject_kprpe(network, {"num_keypoints": L})
