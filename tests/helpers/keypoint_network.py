"""A network for torchreid that takes keypoints: the least that its engines can train."""

import torch
from torch import nn

from reid_ext.host import torchreid

NAME = "tiny_keypoints"


class TinyKeypoints(nn.Module):
    """Features of the mean colour and of the joints; it keeps what it was last called with in ``seen``."""

    takes_keypoints = True

    def __init__(self, num_classes, loss="softmax", **_):
        super().__init__()
        self.loss = loss
        self.colour, self.joints = nn.Linear(3, 8), nn.Linear(17 * 3, 8)
        self.classifier = nn.Linear(8, num_classes)

    def forward(self, images, keypoints):
        self.seen = images.detach(), keypoints.detach()
        size = images.new_tensor([images.shape[-1], images.shape[-2], 1])
        v = self.colour(images.mean((2, 3))) + self.joints((keypoints / size).flatten(1))
        if not self.training:
            return v
        return self.classifier(v) if self.loss == "softmax" else (self.classifier(v), v)


def register():
    """Put it into torchreid's factory."""

    def build(num_classes, loss="softmax", pretrained=False, use_gpu=False):
        torch.manual_seed(0)
        return TinyKeypoints(num_classes, loss)

    getattr(torchreid.models, "__model_factory")[NAME] = build
