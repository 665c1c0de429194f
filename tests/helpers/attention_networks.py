"""Small networks of every kind that KP-RPE goes into, with an input and keypoints for each."""

from typing import NamedTuple

import timm
import torch
import torchvision
from torch import nn

JOINTS = 5


def swin(**kwargs):
    return torchvision.models.SwinTransformer(
        [4, 4], 16, [2, 2], [2, 4], [4, 4], stochastic_depth_prob=0.0, num_classes=6, **kwargs
    )


def swin_v2():
    return swin(
        block=torchvision.models.swin_transformer.SwinTransformerBlockV2,
        downsample_layer=torchvision.models.swin_transformer.PatchMergingV2,
    )


def swin3d():
    return torchvision.models.video.SwinTransformer3d(
        [2, 4, 4], 16, [2, 2], [2, 4], [2, 4, 4], stochastic_depth_prob=0.0, num_classes=6
    )


def vit_of_torchvision():
    network = torchvision.models.VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=6)
    nn.init.normal_(network.heads.head.weight)  # zero at first
    return network


def timm_swin(size=32, kind=timm.models.SwinTransformer, **kwargs):
    settings = {"embed_dim": 16, "depths": (2, 2), "num_heads": (2, 4), "window_size": 4, "drop_path_rate": 0.0}
    return kind(size, 2, 3, 6, **{**settings, **kwargs})


def timm_swin_v2(**kwargs):
    network = timm_swin(kind=timm.models.swin_transformer_v2.SwinTransformerV2, **kwargs)
    for name, weight in network.named_parameters():
        if name.endswith(("norm1.weight", "norm2.weight")):
            nn.init.ones_(weight)  # zero at first, so that no attention counts
    return network


def timm_vit(kind=timm.models.VisionTransformer, **kwargs):
    return kind(32, 8, 3, 6, embed_dim=32, depth=2, num_heads=2, **kwargs)


def beit():
    return timm_vit(timm.models.Beit, use_rel_pos_bias=True)


def relative_vit():
    return timm_vit(timm.models.vision_transformer_relpos.VisionTransformerRelPos, init_values=None)


class Kind(NamedTuple):
    build: object
    image: tuple
    points: tuple

    def parts(self):
        """A network with an input and keypoints."""
        return self.build(), torch.randn(self.image), torch.rand(self.points)


NETWORKS = {
    "torchvision swin": Kind(swin, (2, 3, 40, 32), (2, JOINTS, 2)),
    "torchvision swin v2": Kind(swin_v2, (2, 3, 40, 32), (2, JOINTS, 2)),
    "torchvision swin3d": Kind(swin3d, (2, 3, 10, 32, 32), (2, 5, JOINTS, 2)),
    "torchvision vit": Kind(vit_of_torchvision, (2, 3, 32, 32), (2, JOINTS, 2)),
    "timm swin": Kind(timm_swin, (2, 3, 32, 32), (2, JOINTS, 2)),
    "timm swin v2": Kind(timm_swin_v2, (2, 3, 32, 32), (2, JOINTS, 2)),
    "timm vit": Kind(timm_vit, (2, 3, 32, 32), (2, JOINTS, 2)),
    "timm beit": Kind(beit, (2, 3, 32, 32), (2, JOINTS, 2)),
    "timm vit_relpos": Kind(relative_vit, (2, 3, 32, 32), (2, JOINTS, 2)),
}


def randomise(handle):
    for p in handle.parameters():
        nn.init.normal_(p, 0, 0.5)
