"""What CVLface's networks for faces share: a head over all tokens, KP-RPE in the trunk, weights by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from plugins.common.checkpoints import fit
from plugins.errors import KpstraError, some
from plugins.keypoints.joints import FIVE_POINTS
from plugins.kprpe import KPRPEConfig, KPRPEHandle, inject_kprpe


class FaceNetwork(nn.Module):
    """A ``trunk`` that maps images to tokens, and ``feature``, the head over all of them.

    A subclass builds both, and gives :meth:`trunk_tokens` if the trunk has a head of its own.
    """

    trunk: nn.Module
    feature: nn.Sequential

    def __init__(self, img_size: int | tuple[int, int], feature_dim: int) -> None:
        super().__init__()
        self.img_size = (img_size, img_size) if isinstance(img_size, int) else tuple(img_size)
        self.feature_dim, self.has_kprpe = feature_dim, False

    def build_head(self, inputs: int, width: int) -> None:
        """Linear, BN, Linear, BN over all tokens, ``inputs`` numbers together; the linear layers have no bias."""
        self.feature = nn.Sequential(
            nn.Linear(inputs, width, bias=False),
            nn.BatchNorm1d(width, eps=2e-5),
            nn.Linear(width, self.feature_dim, bias=False),
            nn.BatchNorm1d(self.feature_dim, eps=2e-5),
        )
        for layer in self.feature[::2]:
            nn.init.trunc_normal_(layer.weight, std=0.02)

    def inject(self, kprpe: KPRPEConfig | Mapping[str, Any] | None, **defaults: Any) -> None:
        """Put KP-RPE into the trunk, unless ``kprpe`` is ``None``; a mapping has five landmarks and ``defaults``."""
        if kprpe is not None:
            given = {"num_keypoints": FIVE_POINTS, **defaults, **kprpe} if isinstance(kprpe, Mapping) else kprpe
            inject_kprpe(self.trunk, given)
            self.has_kprpe = True

    @property
    def kprpe(self) -> KPRPEHandle:
        """The injected attentions.

        Raises:
            KpstraError: the network is the plain one.
        """
        return KPRPEHandle(self.trunk)

    def forward(self, images: Tensor, keypoints: Tensor | None = None) -> Tensor:
        """Map images and landmarks to features (B, feature_dim).

        Args:
            images: (B, 3, H, W), RGB in [-1, 1].
            keypoints: (B, L, 2), x and y in [0, 1] of the images, or (B, L, 3) with a score from 0 to 1, which weights
                the landmark's part of f(P), 0 where it is absent. The plain network takes no notice of them.

        Raises:
            KpstraError: other shapes, or values that cannot be right.
        """
        return self.feature(self.tokens(images, keypoints).flatten(1))

    def tokens(self, images: Tensor, keypoints: Tensor | None = None) -> Tensor:
        """Return the tokens after the last norm; arguments as :meth:`forward` has them."""
        name = type(self).__name__
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, *self.img_size):
            height, width = self.img_size
            raise KpstraError(f"{name}: images {tuple(images.shape)}: expected (B, 3, {height}, {width})")
        if not self.has_kprpe:
            return self.trunk_tokens(images)
        points, confidence = landmarks_of(keypoints, name)
        with self.kprpe.set_keypoints(points, confidence):
            return self.trunk_tokens(images)

    def trunk_tokens(self, images: Tensor) -> Tensor:
        """Return what the trunk makes of the images."""
        return self.trunk(images)

    def undecayed(self) -> list[nn.Parameter]:
        """Return what CVLface gives no weight decay: biases, norms and positions; f(P)'s weights are decayed."""
        names = ("bias", "pos_embed")
        return [value for name, value in self.named_parameters() if value.ndim == 1 or name.endswith(names)]

    def fitted(self, weights: Mapping[str, Tensor], fixed: tuple[str, ...] = ()) -> dict[str, Tensor]:
        """Return weights under our names: of everything but KP-RPE and what ends with ``fixed``.

        Raises:
            KpstraError: weights of another network.
        """
        where = f"{type(self).__name__}.load_reference"
        own = {n: v for n, v in self.state_dict().items() if ".kprpe." not in n and not n.endswith(fixed)}
        report = fit({n: v for n, v in weights.items() if not n.endswith(fixed)}, own, where)
        if wrong := [*report.left_out, *report.kept]:
            raise KpstraError(
                f"{where}: weights of another network: {len(wrong)} are missing, unknown or of another "
                f"shape ({some(wrong)}); build it with the sizes of the file's own configuration"
            )
        return report.weights


def own_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take off what DistributedDataParallel and CVLface's files put before the names."""
    return {name.removeprefix("module.").removeprefix("net."): value for name, value in state_dict.items()}


def landmarks_of(keypoints: Tensor | None, network: str) -> tuple[Tensor, Tensor | None]:
    """Return points (B, L, 2) and, of (B, L, 3), scores (B, L).

    Raises:
        KpstraError: keypoints of another shape, or none.
    """
    if keypoints is None or keypoints.ndim != 3 or keypoints.shape[-1] not in (2, 3):
        given = "none" if keypoints is None else tuple(keypoints.shape)
        raise KpstraError(
            f"{network}: keypoints: {given}: expected (B, {FIVE_POINTS}, 2), x and y in [0, 1] of the images, or "
            f"(B, {FIVE_POINTS}, 3) with scores"
        )
    return keypoints[..., :2], keypoints[..., 2] if keypoints.shape[-1] == 3 else None
