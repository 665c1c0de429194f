"""Images with one light blob, and where it is: what transforms do to pixels and to keypoints alike."""

import numpy as np
import torch
from PIL import Image


def marked(x, y, size=(128, 64)):
    """An image with a smooth light blob at (x, y)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    blob = 255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8)
    return Image.fromarray(np.repeat(blob.round().astype(np.uint8)[..., None], 3, 2))


def centre(tensor):
    """Where the light of a (3, H, W) image is."""
    light = tensor.sum(0).double()
    rows, columns = torch.meshgrid(*(torch.arange(n).double() for n in light.shape), indexing="ij")
    return np.array([(light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()])
