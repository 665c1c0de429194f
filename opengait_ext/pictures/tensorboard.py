"""Pictures for TensorBoard: keypoints over silhouettes, and the biases that they make."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from plugins.kprpe import KeypointRPE, KPRPEHandle, WindowedKeypointRPE
from plugins.pictures.overlay import draw_frame

from .bias import first_window_bias

FRAMES = 8
WINDOWS = 128  # pieces of frames of one row whose bias is compared


def keypoint_picture(silhouettes: Tensor, keypoints: Tensor) -> Tensor:
    """Draw the joints of some frames of a sequence over its silhouettes.

    Args:
        silhouettes: (s, H, W) in [0, 1].
        keypoints: (s, L, 3) in pixels and score.

    Returns:
        (frames, 3, 4 H, 4 W) in [0, 1], RGB.
    """
    shown = torch.linspace(0, len(silhouettes) - 1, min(FRAMES, len(silhouettes))).long()
    images = (silhouettes[shown].detach().float().cpu().numpy() * 255).astype(np.uint8)
    points = keypoints[shown].detach().float().cpu().numpy()
    drawn = np.stack([draw_frame(image, joints, 4)[..., ::-1] for image, joints in zip(images, points, strict=True)])
    return torch.from_numpy(drawn.copy()).permute(0, 3, 1, 2) / 255


@torch.no_grad()
def bias_picture(handle: KPRPEHandle, points: Tensor, confidence: Tensor | None) -> Tensor:
    """Show B_ij of the middle query of the first window, mean over heads, for each layer and some frames of a sequence.

    Attention without windows is shown whole.

    Args:
        points: (s, L, 2) in [0, 1]; ``confidence``: (s, L) or ``None``.

    Returns:
        (layers * frames, 1, 16 rows, 16 columns), each picture one window.
    """
    shown = torch.linspace(0, len(points) - 1, min(FRAMES, len(points))).long()
    maps = [
        window_map(at.kprpe, points[shown], None if confidence is None else confidence[shown])
        for at in handle.attentions.values()
    ]
    return F.interpolate(torch.cat(maps).unsqueeze(1), scale_factor=16, mode="nearest")


def mean_image_share(handle: KPRPEHandle, points: Tensor, confidence: Tensor | None) -> Tensor:
    """Return the share of B's variance that images decide, mean over layers, for the first window's frames of all.

    Frames of several sequences in one row, as OpenGait has them where their numbers differ, are cut into windows.

    Args:
        points: (n, s, L, 2) in [0, 1]; ``confidence``: (n, s, L) or ``None``.
    """
    tables = [at.kprpe for at in handle.attentions.values()]
    frames = max(1 if isinstance(rpe, KeypointRPE) else rpe.window_size[0] for rpe in tables)
    points, confidence = (None if one is None else windows_of(one, frames) for one in (points, confidence))
    return torch.tensor(list(handle.image_shares(points.float(), confidence).values())).mean()


def windows_of(values: Tensor, frames: int) -> Tensor:
    """Return the first so many frames of each row (n, s, ...), or of a single one up to :data:`WINDOWS` pieces."""
    if len(values) > 1 or values.shape[1] < 2 * frames:
        return values[:, :frames]
    pieces = values[0, : len(values[0]) // frames * frames].unflatten(0, (-1, frames))
    return pieces[:: -(-len(pieces) // WINDOWS)]


def window_map(rpe: KeypointRPE | WindowedKeypointRPE, points: Tensor, confidence: Tensor | None) -> Tensor:
    """Return the bias (frames, h, w) of the middle query, mean over heads, in the first window or the whole map."""
    if isinstance(rpe, KeypointRPE):
        bias, plane = rpe.bias(rpe.factors(points.float(), confidence), 0).mean(1), rpe.grid_size
        bias = bias.expand(len(points), -1, -1)
    else:
        bias, plane = first_window_bias(rpe, points, confidence)
    return bias[:, bias.shape[-1] // 2].unflatten(-1, plane).float()
