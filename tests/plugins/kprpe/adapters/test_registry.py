"""An adapter from outside, and networks of several kinds."""

import pytest
import torch
import torchvision
from attention_networks import JOINTS, randomise, swin, timm_vit
from torch import nn

from plugins.errors import KpstraError
from plugins.kprpe import KeypointAttention, inject_kprpe, register_adapter
from plugins.kprpe.adapters import build_global, registry


class OneHead(nn.Module):
    """Somebody's attention over 3 x 2 tokens; it takes a bias."""

    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(8, 8)

    def forward(self, x, bias=0.0):
        return (x @ x.transpose(1, 2) + bias).softmax(-1) @ self.proj(x)


@pytest.fixture
def registered():
    before = list(registry._ADAPTERS)

    @register_adapter
    class OneHeadAdapter(KeypointAttention):
        fits = "OneHead"

        @classmethod
        def matches(cls, module):
            return isinstance(module, OneHead)

        @classmethod
        def build(cls, attention, place, config):
            return build_global(config, heads=1, grid=(3, 2))

        def attend(self, x):
            return self.host_forward(x, self.global_bias(*x.shape[:2]).squeeze(1))

    yield OneHeadAdapter
    registry._ADAPTERS[:] = before


def test_an_adapter_from_outside(registered):
    network, x, points = nn.Sequential(OneHead(), OneHead()), torch.randn(4, 6, 8), torch.rand(4, JOINTS, 2)
    before = network(x)
    handle = inject_kprpe(network, {"num_keypoints": JOINTS}, mode="add")
    with handle.set_keypoints(points):
        assert torch.equal(network(x), before)
    randomise(handle)
    attention = network[0]
    scores = x @ x.transpose(1, 2) + attention.kprpe.bias(points, 0).squeeze(1)
    with handle.set_keypoints(points):
        torch.testing.assert_close(attention(x), scores.softmax(-1) @ attention.proj(x))
    handle.remove()
    assert torch.equal(network(x), before)


def test_the_latest_adapter_is_asked_first_and_one_defined_again_takes_its_own_place(registered):
    count = len(registry._ADAPTERS)
    again = type("OneHeadAdapter", (registered,), {"__qualname__": registered.__qualname__})
    again.__module__ = registered.__module__
    register_adapter(again)
    assert len(registry._ADAPTERS) == count and registry.adapter_for(OneHead()) is again
    with pytest.raises(KpstraError, match=r"Known are .*OneHead; register_adapter takes others"):
        inject_kprpe(nn.Linear(2, 2), {"num_keypoints": JOINTS})


def test_a_network_of_two_kinds(registered):
    network = nn.ModuleDict({"swin": swin(), "vit": timm_vit()}).eval()
    x, points = torch.randn(2, 3, 32, 32), torch.rand(2, JOINTS, 2)
    alone = inject_kprpe(network["vit"], {"num_keypoints": JOINTS})
    with alone.set_keypoints(points):
        expected = network["vit"](x)
    with pytest.raises(KpstraError, match="ModuleDict has KP-RPE already"):
        inject_kprpe(network, {"num_keypoints": JOINTS})
    alone.remove()
    handle = inject_kprpe(network, {"num_keypoints": JOINTS})
    assert len(handle.layers) == 4 + 2
    with handle.set_keypoints(points):
        network["swin"](x)
        assert torch.equal(network["vit"](x), expected)


def test_attentions_that_stay_without_are_named():
    network = nn.Sequential(timm_vit(), torchvision.ops.MLP(4, [4]))
    network.pooling_attention = type("PoolingAttention", (nn.Linear,), {})(4, 4)
    with pytest.warns(
        UserWarning, match=r"1 attention.* stay without KP-RPE: PoolingAttention \(the first is pooling_a"
    ):
        inject_kprpe(network, {"num_keypoints": JOINTS})
