"""The landmark detector: anchors averaged by an MLP-Mixer, so that landmarks and box are differentiable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from timm.models.mlp_mixer import MixerBlock
from torch import Tensor, nn

from ..errors import KpstraError, some
from .align import ALIGNED, moved_landmarks, similarity_thetas, warp
from .anchors import SIZE, anchors, decode_boxes, decode_landmarks
from .network import RetinaFace

NUMBERS = 16  # of an anchor: box 4, class 2, landmarks 10
COUNTER = "num_batches_tracked"


class Detection(NamedTuple):
    """What is found on each image, one face."""

    landmarks: Tensor  # (B, 5, 2) in shares of the image
    score: Tensor  # (B, 1)
    box: Tensor  # (B, 4) corners x, y, x, y in shares of the network's square input, padding included


class Aligned(NamedTuple):
    """Faces brought to the template."""

    images: Tensor  # (B, 3, size, size) in [-1, 1]
    landmarks: Tensor  # (B, 5, 2) in shares of the aligned image
    thetas: Tensor  # (B, 2, 3) from the aligned image to the network's square input
    score: Tensor  # (B, 1)


class LandmarkDetector(RetinaFace):
    """Five landmarks of the one face of each image: the KP-RPE paper's detector, 486,775 parameters.

    For each of 1050 anchors a RetinaFace regresses 16 numbers. An MLP-Mixer gives each anchor a weight, and the
    answer is ``sum_n softmax(w)_n x_n``: no argmax and no suppression, so gradients reach the image.

    Landmarks are image-left eye, image-right eye, nose, image-left and image-right mouth corner, x and y in shares of
    the image (0 to 1; outside is possible): pixel index / size.

    Example:
        >>> detector = LandmarkDetector().eval()
        >>> landmarks, score = detector(torch.zeros(2, 3, 112, 112))
        >>> landmarks.shape, score.shape
        (torch.Size([2, 5, 2]), torch.Size([2, 1]))
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("priors", anchors(), persistent=False)
        mixers = [MixerBlock(NUMBERS, len(self.priors)) for _ in range(3)]
        self.aggregator = nn.Sequential(*mixers, nn.Linear(NUMBERS, 1))

    def load_reference(self, state_dict: Mapping[str, Tensor]) -> None:
        """Take the authors' weights (CVLface's ``cvlface_DFA_mobilenet``), with ``net.`` before the names or without.

        Args:
            state_dict: all weights; BatchNorm's counters of batches may be missing.

        Raises:
            KpstraError: weights are missing, unknown or of another shape; the detector stays as it was.
        """
        weights = {str(name).removeprefix("net."): value for name, value in state_dict.items()}
        target = self.state_dict()
        wrong = {
            "missing": [name for name in target if name not in weights and not name.endswith(COUNTER)],
            "unknown": [name for name in weights if name not in target],
            "of another shape": [
                f"{name} {tuple(getattr(weights[name], 'shape', ()))}, expected {tuple(value.shape)}"
                for name, value in target.items()
                if name in weights and getattr(weights[name], "shape", None) != value.shape
            ],
        }
        told = "; ".join(f"{len(names)} {what}: {some(names)}" for what, names in wrong.items() if names)
        if told:
            raise KpstraError(
                f"landmark detector: not its weights: {told}; give those of CVLface's cvlface_DFA_mobilenet"
            )
        self.load_state_dict({**target, **weights})

    def forward(self, images: Tensor, padding: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return landmarks (B, 5, 2) in shares of the images, and the score (B, 1) of there being a face.

        Args:
            images: (B, 3, H, W) RGB in [-1, 1]; images that are not square are padded to squares.
            padding: black margin on each side, in shares of the square's side; the authors' landmarks for training
                were made with 0.215, those for tests with 0.

        Raises:
            KpstraError: images of another shape, or a padding that is negative.
        """
        found = self.detect(images, padding)
        return found.landmarks, found.score

    def detect(self, images: Tensor, padding: float = 0.0) -> Detection:
        """Return landmarks, score and box; arguments and errors as for a call."""
        found = self.find(network_input(images, padding))
        return found._replace(landmarks=in_image(found.landmarks, images.shape[2:], padding))

    def align(self, images: Tensor, padding: float = 0.0, size: int = ALIGNED) -> Aligned:
        """Return aligned faces; arguments as for a call.

        Faces are sampled from the network's input of 160 pixels, as the authors' aligner does.

        Raises:
            KpstraError: as for a call, or landmarks that are NaN, infinite or all the same.
        """
        inputs = network_input(images, padding)
        return align_found(inputs, self.find(inputs), size)

    def find(self, inputs: Tensor) -> Detection:
        """Return what is found on :func:`network_input` (B, 3, 160, 160), landmarks in shares of it too."""
        boxes, classes, landmarks = self.regress(inputs.flip(1))  # RGB to BGR
        numbers = [decode_boxes(boxes, self.priors), classes, decode_landmarks(landmarks, self.priors)]
        numbers = torch.cat(numbers, 2)  # B, 1050, 16
        merged = (self.aggregator(numbers).softmax(1) * numbers).sum(1)
        box, classes, landmarks = merged.split([4, 2, 10], 1)
        return Detection(landmarks.unflatten(1, (5, 2)), classes.softmax(1)[:, 1:], box)


def align_found(inputs: Tensor, found: Detection, size: int = ALIGNED) -> Aligned:
    """Return aligned faces of the network's inputs, on which ``found`` was found."""
    thetas = similarity_thetas(found.landmarks)
    return Aligned(warp(inputs, thetas, size), moved_landmarks(found.landmarks, thetas), thetas, found.score)


def network_input(images: Tensor, padding: float = 0.0) -> Tensor:
    """Pad images (B, 3, H, W) to squares, add a margin, and resize them to 160x160; what is added is black, -1.

    Raises:
        KpstraError: as for a call of :class:`LandmarkDetector`.
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point() or 0 in images.shape[2:]:
        raise KpstraError(f"images {tuple(images.shape)} {images.dtype}: expected (B, 3, H, W) floats in [-1, 1], RGB")
    if not 0 <= padding < float("inf"):
        raise KpstraError(f"padding: {padding}: expected a share of the side, 0 or more")
    height, width = images.shape[2:]
    (top, bottom), (left, right) = (_halves(max(height, width) - side) for side in (height, width))
    margin = int(max(height, width) * padding)
    squares = F.pad(images, [left + margin, right + margin, top + margin, bottom + margin], value=-1)
    return F.interpolate(squares, size=(SIZE, SIZE), mode="bilinear", align_corners=True)


def _halves(pixels: int) -> tuple[int, int]:
    return pixels // 2, pixels - pixels // 2


def in_image(landmarks: Tensor, size: tuple[int, int], padding: float = 0.0) -> Tensor:
    """Return landmarks (B, 5, 2) in shares of images of ``size`` (height, width), given those of the network's input.

    The margin is taken as its share, not as its whole pixels, as the authors do.
    """
    landmarks = (landmarks - 0.5) * (1 + 2 * padding) + 0.5
    height, width = size
    side = max(height, width)
    corner = landmarks.new_tensor([(side - width) // 2, (side - height) // 2])
    return (landmarks * side - corner) / landmarks.new_tensor([width, height])
