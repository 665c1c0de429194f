"""torchvision's vision transformer: names of its weights, and which other multi-head attentions are refused."""

import pytest
import torch
from attention_networks import JOINTS, vit_of_torchvision
from torch import nn

from plugins.errors import KpstraError
from plugins.kprpe import inject_kprpe


def test_pretrained_names_stay_and_the_class_token_has_a_place_of_its_own():
    network = vit_of_torchvision()
    names = set(network.state_dict())
    handle = inject_kprpe(network, {"num_keypoints": JOINTS})
    added = set(network.state_dict()) - names
    assert (
        names <= set(network.state_dict()) and "encoder.layers.encoder_layer_0.self_attention.in_proj_weight" in names
    )
    assert {name.rsplit(".", 1)[1] for name in added} == {"table_weight", "table_bias", "prefix"}
    assert str(handle).startswith(" 0 encoder.layers.encoder_layer_0.self_attention: 2 heads, grid (4, 4)")


def test_only_self_attention_without_returned_weights():
    network = vit_of_torchvision()
    handle = inject_kprpe(network, {"num_keypoints": JOINTS})
    attention, x = next(iter(handle.attentions.values())), torch.randn(2, 17, 32)
    with handle.set_keypoints(torch.rand(2, JOINTS, 2)):
        for arguments in ((x, x.clone(), x, False), (x, x, x)):
            with pytest.raises(KpstraError, match=r"expected self-attention \(x, x, x, need_weights=False\)"):
                attention(*arguments)


def test_other_multi_head_attentions_are_refused_by_name():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 1)
    with pytest.raises(
        KpstraError, match=r"layers.0.self_attn \(MultiheadAttention\): no module around it has image_size"
    ):
        inject_kprpe(encoder, {"num_keypoints": JOINTS})
    network = vit_of_torchvision()
    network.encoder.layers[0].self_attention.batch_first = False
    with pytest.raises(KpstraError, match="expected batch_first=True"):
        inject_kprpe(network, {"num_keypoints": JOINTS})
