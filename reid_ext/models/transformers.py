"""Transformers for re-ID with a BNNeck, plain, with KP-RPE, or given the joints in another way."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from plugins.errors import one_of
from plugins.joint_inputs.heatmaps import joint_maps, widen
from plugins.joint_inputs.pooling import JointPooling
from plugins.joint_inputs.skeleton import draw_skeleton
from plugins.keypoints.joints import JOINTS
from plugins.kprpe import KPRPEHandle, WindowedKeypointRPE, inject_kprpe
from plugins.kprpe.keypoints import checked, pixels_of
from plugins.kprpe.position.pose import MeanPose
from plugins.kprpe.position.table import KEYPOINTS

from .backbones import BACKBONES, SIZE, build_backbone, features
from .joints import MeanPoseOfTables, checked_settings, joints_of, present
from .networks import LOSSES
from .options import current

LINE = 1 / 128  # width of the skeleton's lines, in shares of the images' height
SIGMA = 1.5 / 64  # of the heat maps, likewise
LOW, HIGH = -2.0, 2.4  # black and white of images normalised as ImageNet's


class ReidTransformer(nn.Module):
    """A transformer of timm with the BNNeck head (Luo et al., CVPR workshops 2019), as TransReID has it.

    Training outputs are torchreid's: logits of the normalised feature, and for ``triplet`` also the feature before the
    norm. In evaluation it returns the normalised feature (B, C).

    Args:
        num_classes: people to tell apart.
        loss: ``softmax`` or ``triplet``.
        backbone: of :data:`reid_ext.models.backbones.BACKBONES`; its images are of the size of
            :func:`reid_ext.models.options.building`, 256x128 by default.
    """

    takes_keypoints: ClassVar[bool] = False

    def __init__(self, num_classes: int, loss: str, backbone: str) -> None:
        one_of(loss, LOSSES, "loss")
        super().__init__()
        self.loss, self.backbone_name = loss, backbone
        self.backbone = build_backbone(backbone, current().size or SIZE)
        self.feature_dim = self.backbone.num_features
        self.bottleneck = nn.BatchNorm1d(self.feature_dim)
        self.bottleneck.register_parameter("bias", None)  # the BNNeck has no shift; torchreid would thaw a frozen one
        self.classifier = nn.Linear(self.feature_dim, num_classes, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) to what the engine expects (see the class)."""
        return self.head(features(self.backbone, images)[0])

    def head(self, feature: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map a global feature (B, C) to the outputs."""
        normalised = self.bottleneck(feature)
        if not self.training:
            return normalised
        logits = self.classifier(normalised)
        return logits if self.loss == "softmax" else (logits, feature)


class JointTransformer(ReidTransformer):
    """One that is given joints: ``forward(images, keypoints (B, 17, 3))``, x, y in pixels of the images, and score.

    Whole numbers are pixel centres; scores are taken as 0 to 1, 0 being an absent joint. With
    ``kprpe={"keypoints": "constant"}`` it is the control, which always sees the mean pose of :meth:`fit_pose`.
    """

    takes_keypoints = True
    settings: ClassVar[tuple[str, ...]] = ("keypoints",)  # of kprpe, that the model knows

    def __init__(self, num_classes: int, loss: str, backbone: str) -> None:
        super().__init__(num_classes, loss, backbone)
        self.use(checked_settings(current().kprpe, self.settings))

    def use(self, kprpe: Mapping[str, Any]) -> None:
        """Build what takes the joints, as the settings say."""
        keypoints = kprpe.get("keypoints", "given")
        one_of(keypoints, KEYPOINTS, "kprpe.keypoints")
        self.pose = MeanPose(JOINTS) if keypoints == "constant" else None

    def forward(self, images: Tensor, keypoints: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) and keypoints to what the engine expects (see the class).

        Raises:
            KpstraError: keypoints of another shape, or values that cannot be right.
        """
        points, scores = joints_of(keypoints, images, JOINTS)
        with self.checked(points, scores):
            if self.pose is not None:
                self.pose.warn_unless_set("the control needs the mean pose of the training set")
                points, scores = self.pose.mean.expand_as(points), torch.ones_like(scores)
            return self.head(self.feature(images, points, scores))

    def checked(self, points: Tensor, scores: Tensor) -> AbstractContextManager[None]:
        """Return a context in which the joints are looked at."""
        return checked(points, scores)

    def feature(self, images: Tensor, points: Tensor, scores: Tensor) -> Tensor:
        """Return the global feature (B, C); points (B, 17, 2) in [0, 1] of the images, scores (B, 17)."""
        raise NotImplementedError

    @property
    def wants_pose(self) -> bool:
        """Whether :meth:`fit_pose` was not called yet, and is needed."""
        return self.pose is not None and not int(self.pose.count)

    def fit_pose(self, points: Tensor, scores: Tensor) -> None:
        """Take the mean pose, and the spread around it, of poses (N, 17, 2) in [0, 1] of their images."""
        self.pose.fit(points, scores)

    def undecayed(self) -> list[nn.Parameter]:
        """Return parameters that take no weight decay."""
        return []


class KPRPETransformer(MeanPoseOfTables, JointTransformer):
    """KP-RPE in every attention, added to the pretrained positions; its tables start at zero.

    ``kprpe`` holds the fields of :class:`plugins.kprpe.KPRPEConfig`, ``mode`` being ``add`` by default, and
    ``confidence``: whether scores weight the joints' parts of f(P), true by default; absent joints never have one.
    """

    settings = (
        "formulation",
        "distance",
        "ratio",
        "standardised",
        "keypoints",
        "rotary",
        "grid",
        "mode",
        "scale_bias",
        "confidence",
    )

    def use(self, kprpe: Mapping[str, Any]) -> None:
        """Inject KP-RPE."""
        given = {"mode": "add", **kprpe}
        self.uses_confidence, self.pose = given.pop("confidence", True), None
        handle = inject_kprpe(self.backbone, {"num_keypoints": JOINTS, **given})
        windows = (isinstance(one.kprpe, WindowedKeypointRPE) for one in handle.attentions.values())
        if given.get("grid") and not any(windows):
            warnings.warn("kprpe.grid: has no effect on this model, whose attention has no windows", stacklevel=2)

    @property
    def kprpe(self) -> KPRPEHandle:
        """The injected attentions."""
        return KPRPEHandle(self.backbone)

    def checked(self, points: Tensor, scores: Tensor) -> AbstractContextManager[None]:
        """Return a context that does nothing: setting the keypoints looks at them."""
        return nullcontext()

    def feature(self, images: Tensor, points: Tensor, scores: Tensor) -> Tensor:
        """Run the backbone under the keypoints."""
        with self.kprpe.set_keypoints(points, scores if self.uses_confidence else present(scores)):
            return features(self.backbone, images)[0]

    def undecayed(self) -> list[nn.Parameter]:
        """Return KP-RPE's parameters."""
        return list(self.kprpe.parameters())


class StaticTransformer(KPRPETransformer):
    """The control: KP-RPE's table without its keypoint term."""

    settings = tuple(name for name in KPRPETransformer.settings if name != "formulation")

    def use(self, kprpe: Mapping[str, Any]) -> None:
        """Inject the static table."""
        super().use({**kprpe, "formulation": "static"})


class HeatmapTransformer(JointTransformer):
    """A rival: one Gaussian map for each joint beside the image, whose weights start at zero."""

    def use(self, kprpe: Mapping[str, Any]) -> None:
        """Widen the patch embedding."""
        super().use(kprpe)
        widen(self.backbone.patch_embed.proj, JOINTS)

    def feature(self, images: Tensor, points: Tensor, scores: Tensor) -> Tensor:
        """Run the backbone with the maps."""
        height, width = images.shape[-2:]
        pixels = pixels_of(points, (height, width))
        first = self.backbone.patch_embed.proj
        first.maps = joint_maps(pixels, scores, (height, width), SIGMA * height)
        try:
            return features(self.backbone, images)[0]
        finally:
            first.maps = None


class DrawnTransformer(JointTransformer):
    """A rival: the skeleton painted into the image, which is normalised as ImageNet's are."""

    def feature(self, images: Tensor, points: Tensor, scores: Tensor) -> Tensor:
        """Run the backbone on the painted images."""
        height, width = images.shape[-2:]
        pixels = pixels_of(points, (height, width))
        painted = draw_skeleton(images, pixels, scores, max(1.0, LINE * height), LOW, HIGH)
        return features(self.backbone, painted)[0]


class PooledTransformer(JointTransformer):
    """A rival: the global feature gains what is pooled around the joints, see :class:`JointPooling`."""

    def use(self, kprpe: Mapping[str, Any]) -> None:
        """Build the head."""
        super().use(kprpe)
        self.pooling = JointPooling(self.feature_dim)

    def feature(self, images: Tensor, points: Tensor, scores: Tensor) -> Tensor:
        """Run the backbone and pool."""
        return self.pooling(*features(self.backbone, images), points, scores)


KINDS: dict[str, type[ReidTransformer]] = {
    "": ReidTransformer,
    "_kprpe": KPRPETransformer,
    "_static": StaticTransformer,
    "_heatmaps": HeatmapTransformer,
    "_drawn": DrawnTransformer,
    "_pooled": PooledTransformer,
}
TRANSFORMERS: dict[str, Callable[..., ReidTransformer]] = {
    f"{backbone}{suffix}": partial(kind, backbone=backbone) for backbone in BACKBONES for suffix, kind in KINDS.items()
}
