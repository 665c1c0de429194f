"""KP-RPE's ViT and Swin for faces as torchreid's models: plain, with KP-RPE, the control, and the ViT with iRPE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from plugins.common.checkpoints import FitReport, fit
from plugins.errors import KpstraError, one_of
from plugins.keypoints.joints import FIVE_POINTS
from plugins.kprpe import KPRPEHandle

from ...training.checkpoints import load_checkpoint, weights_of
from ..inputs import FACES
from ..joints import MeanPoseOfTables, checked_settings, joints_of, present
from ..networks import LOSSES
from ..options import current
from .swin import FaceSwin
from .vit import FaceViT

NETWORKS: dict[str, Callable[..., FaceViT | FaceSwin]] = {  # tiny: for a CPU; the ViTs of Table 3, CVLface's Swins
    "vit_tiny_face": partial(FaceViT, embed_dim=64, depth=3, num_heads=4, mlp_ratio=2, feature_dim=64),
    "vit_small_face": partial(FaceViT, embed_dim=512, depth=12, num_heads=8, mlp_ratio=5),
    "vit_base_face": partial(FaceViT, embed_dim=512, depth=24, num_heads=16, mlp_ratio=3),
    "swin_small_face": partial(FaceSwin, depths=(2, 2, 12, 2), drop_path=0.3),
    "swin_base_face": partial(FaceSwin, depths=(2, 2, 18, 2), drop_path=0.5),
}


class FaceTransformer(nn.Module):
    """:class:`FaceViT` or :class:`FaceSwin` with a linear classifier, images normalised to [-1, 1].

    Training outputs are torchreid's: logits, and for ``triplet`` also the feature. In evaluation it returns the feature
    (B, 512), not normalised.

    Args:
        num_classes: identities.
        loss: ``softmax`` or ``triplet``.
        build: makes the network, of :data:`NETWORKS`; its images are of the size of
            :func:`reid_ext.models.options.building`, 112x112 by default.
    """

    takes_keypoints: ClassVar[bool] = False

    def __init__(self, num_classes: int, loss: str, build: Callable[..., FaceViT | FaceSwin]) -> None:
        one_of(loss, LOSSES, "loss")
        super().__init__()
        self.loss = loss
        self.size = current().size or FACES.size
        self.network = build(self.size, kprpe=self.injected())
        self.feature_dim = self.network.feature_dim
        self.classifier = nn.Linear(self.feature_dim, num_classes, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.01)

    def injected(self) -> Mapping[str, Any] | None:
        """Return what the network takes as ``kprpe``."""
        return None

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) to what the engine expects (see the class)."""
        return self.outputs(self.network(images))

    def outputs(self, feature: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map the feature (B, 512) to the outputs."""
        if not self.training:
            return feature
        logits = self.classifier(feature)
        return logits if self.loss == "softmax" else (logits, feature)

    def undecayed(self) -> list[nn.Parameter]:
        """Return parameters that take no weight decay."""
        return self.network.undecayed()

    def from_reference(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Load weights under CVLface's names, and return them under ours.

        Raises:
            KpstraError: they are another network's.
        """
        self.network.load_reference(weights)
        return {f"network.{name}": value for name, value in self.network.state_dict().items()}


class KPRPEFaceTransformer(MeanPoseOfTables, FaceTransformer):
    """With KP-RPE: ``forward(images, keypoints (B, 5, 3))``, x, y in pixels of the images, and score.

    The network is given x / W and y / H, whole numbers being pixel centres: what CVLface's files of landmarks hold, and
    half a pixel less than a body's joints are given. ``kprpe`` holds the fields of :class:`plugins.kprpe.KPRPEConfig`,
    and ``confidence``: whether scores weight the landmarks' parts of f(P), true by default; absent ones never have one.
    """

    takes_keypoints = True
    num_joints: ClassVar[int] = FIVE_POINTS
    settings: ClassVar[tuple[str, ...]] = (
        "formulation",
        "distance",
        "ratio",
        "standardised",
        "keypoints",
        "rotary",
        "scale_bias",
        "confidence",
    )

    def injected(self) -> Mapping[str, Any]:
        """Return what differs from the paper's KP-RPE."""
        given = checked_settings(current().kprpe, self.settings)
        self.uses_confidence = given.pop("confidence", True)
        return given

    @property
    def kprpe(self) -> KPRPEHandle:
        """The injected attentions."""
        return self.network.kprpe

    def forward(self, images: Tensor, keypoints: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) and keypoints to what the engine expects (see the class).

        Raises:
            KpstraError: keypoints of another shape, or values that cannot be right.
        """
        points, scores = joints_of(keypoints, images, self.num_joints)
        x, y = points.unbind(-1)
        weights = scores if self.uses_confidence else present(scores)
        landmarks = torch.stack([x - 0.5 / images.shape[-1], y - 0.5 / images.shape[-2], weights], -1)
        return self.outputs(self.network(images, landmarks))

    def fit_pose(self, points: Tensor, scores: Tensor) -> None:
        """Give every table the mean pose of landmarks (N, 5, 2) in [0, 1] of their images, with scores (N, 5).

        It is taken to what the network is given, x / W and y / H.
        """
        height, width = self.size
        super().fit_pose(points - points.new_tensor([0.5 / width, 0.5 / height]), scores)


class StaticFaceTransformer(KPRPEFaceTransformer):
    """The control: KP-RPE's table without its keypoint term."""

    settings = tuple(name for name in KPRPEFaceTransformer.settings if name != "formulation")

    def injected(self) -> Mapping[str, Any]:
        """Return the static table."""
        return {**super().injected(), "formulation": "static"}


KINDS = {"": FaceTransformer, "_kprpe": KPRPEFaceTransformer, "_static": StaticFaceTransformer}
FACE_TRANSFORMERS: dict[str, Callable[..., FaceTransformer]] = {
    f"{name}{suffix}": partial(kind, build=build) for name, build in NETWORKS.items() for suffix, kind in KINDS.items()
} | {
    f"{name}_irpe": partial(FaceTransformer, build=partial(build, irpe=True))
    for name, build in NETWORKS.items()
    if build.func is FaceViT
}


def load_pretrained(model: FaceTransformer, source: bool | str | Path) -> FitReport:
    """Fill a model with the weights of a file, CVLface's or ours; the classifier is left as it is.

    Raises:
        KpstraError: no file is named, or it is unreadable or another network's.
    """
    if source is True:
        raise KpstraError(
            "weights for faces are not downloaded: set stra.pretrained_path (pretrained=PATH) to CVLface's "
            "pretrained_model/model.pt, or model.pretrained False to train from scratch"
        )
    weights = reference_or_own(model, weights_of(load_checkpoint(source), source)[0])
    weights = {name: value for name, value in weights.items() if not name.startswith("classifier.")}
    report = fit(weights, model.state_dict(), source)
    model.load_state_dict(report.weights, strict=False)
    return report


def reference_or_own(model: nn.Module, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return weights under the names of ``model``, where they are CVLface's and it is a :class:`FaceTransformer`.

    Raises:
        KpstraError: CVLface's, of another network.
    """
    theirs = any(
        name.removeprefix("net.").startswith(("pos_embed", "features.", "keypoint_linear.")) for name in weights
    )
    return model.from_reference(weights) if theirs and isinstance(model, FaceTransformer) else weights
