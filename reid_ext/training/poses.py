"""What a network with keypoints needs before it is trained: the mean pose of the training images, its own decay."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn, optim

from plugins.kprpe import normalise_keypoints

from ..data.images import reading
from ..data.keypoints import images_of, size_of
from .checkpoints import inner
from .rng import preserved_rng

POSES = 2048  # looked at, at most


def fit_pose(model: nn.Module, datamanager: Any) -> None:
    """Give a model that wants it the mean pose of the training images, as they are before augmentation.

    Args:
        model: one whose ``wants_pose`` says so; others stay as they are. One that finds its keypoints itself
            (``fit_modes``) is given a batch of images.
        datamanager: whose training images have keypoints.
    """
    if not getattr(model, "wants_pose", False):
        return
    if hasattr(model, "fit_modes"):
        with preserved_rng(), reading():
            images = next(iter(datamanager.train_loader))["img"]
        model.fit_modes(images.flatten(0, -4))
        print("Mean centres of the modes in a batch of training images")
        return
    dataset = datamanager.train_loader.dataset
    images = [image for image in images_of(dataset) if image in dataset.keypoints]
    images = images[:: -(-len(images) // POSES)]
    joints = [torch.from_numpy(np.asarray(dataset.keypoints[image])) for image in images]
    points = [normalise_keypoints(at, size_of(image)) for at, image in zip(joints, images, strict=True)]
    model.fit_pose(torch.stack(points), torch.stack(joints)[..., 2])
    print(f"Mean pose of {len(images):,} training images")


def exempt_from_decay(optimizer: optim.Optimizer, model: nn.Module) -> None:
    """Move the parameters that a model names in ``undecayed()`` to groups of their own, without weight decay."""
    network = inner(model)
    ours = {id(p) for p in network.undecayed()} if hasattr(network, "undecayed") else set()
    for group in [*optimizer.param_groups] if ours else ():
        moved = [p for p in group["params"] if id(p) in ours]
        if moved:
            group["params"] = [p for p in group["params"] if id(p) not in ours]
            optimizer.add_param_group({**group, "params": moved, "weight_decay": 0.0})
