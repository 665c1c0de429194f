"""Margin softmax of face recognition: cosines of features and classes, the true class's made smaller by a margin.

Equal to CVLface's heads in values and gradients. pytorch-metric-learning 2.9 has CosFace with the same numbers, as a
loss without logits; its ArcFace has others (the gradient goes through arccos, and beyond pi the margin is another); it
has no AdaFace.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plugins.errors import KpstraError, one_of

SCALE = 64.0
SMALLEST_NORM = 1e-8


class MarginHead(nn.Module):
    """Class weights w and ``logits_j = s cos(f, w_j)``, where the true class's cosine is replaced by a smaller target.

    A subclass gives :meth:`target`. Its gradient is straight-through, as the authors' is: with respect to the features
    and weights, the logits are those without margin. Cross entropy of the logits (mean over the batch) is the loss.

    Args:
        features: their width d.
        classes: identities.
        margin: m.
        scale: s.

    Raises:
        KpstraError: numbers that cannot be right.
    """

    default_margin: ClassVar[float]

    def __init__(self, features: int, classes: int, margin: float | None = None, scale: float = SCALE) -> None:
        super().__init__()
        self.margin, self.scale = self.default_margin if margin is None else float(margin), float(scale)
        for name, value, least in (("features", features, 1), ("classes", classes, 1), ("margin", self.margin, 0)):
            if value < least:
                raise KpstraError(f"{type(self).__name__}: {name}: {value}: expected {least} or more")
        if not self.scale > 0:
            raise KpstraError(f"{type(self).__name__}: scale: {self.scale}: expected a number above 0")
        self.features, self.classes = features, classes
        self.weight = nn.Parameter(torch.empty(classes, features))
        nn.init.normal_(self.weight, std=0.01)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Map features (B, d), not normalised, and labels (B,), from 0, to logits (B, classes), float32.

        Raises:
            KpstraError: other shapes, or labels that are no classes. On CUDA nobody waits to look at them, and CUDA's
                own assertion ends the process at such labels.
        """
        self._check(features, labels)
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            norms = features.norm(dim=1, keepdim=True).clamp_min(SMALLEST_NORM)  # B, 1
            cosines = F.linear(features / norms, F.normalize(self.weight.float())).clamp(-1, 1)  # B, classes
            true = labels[:, None]
            with torch.no_grad():
                given = cosines.gather(1, true)
                change = torch.zeros_like(cosines).scatter_(1, true, self.target(given, norms.detach()) - given)
            return self.scale * (cosines + change)

    def target(self, cosines: Tensor, norms: Tensor) -> Tensor:
        """Return what the true class's cosines (B, 1) become; norms (B, 1) are the features'."""
        raise NotImplementedError

    def _check(self, features: Tensor, labels: Tensor) -> None:
        if features.ndim != 2 or features.shape[1] != self.features or labels.shape != features.shape[:1]:
            raise KpstraError(
                f"{type(self).__name__}: features {tuple(features.shape)} and labels {tuple(labels.shape)}: expected "
                f"(B, {self.features}) and (B,)"
            )
        if labels.dtype != torch.int64:
            raise KpstraError(f"{type(self).__name__}: labels {labels.dtype}: expected torch.int64")
        if not labels.is_cuda and not torch.compiler.is_compiling() and len(labels):
            least, most = labels.aminmax()
            if least < 0 or most >= self.classes:
                raise KpstraError(
                    f"{type(self).__name__}: labels {int(least)} to {int(most)}: expected 0 to {self.classes - 1}"
                )

    def extra_repr(self) -> str:
        """Return what the head was built with."""
        return f"{self.features}, {self.classes}, margin={self.margin:g}, scale={self.scale:g}"


class CosFace(MarginHead):
    """Cosines minus m (Wang et al., CVPR 2018), m = 0.4.

    Example:
        >>> head = CosFace(512, classes=10_572)
        >>> loss = torch.nn.functional.cross_entropy(head(features, labels), labels)
    """

    default_margin = 0.4

    def target(self, cosines: Tensor, norms: Tensor) -> Tensor:
        """Return cos theta - m."""
        return cosines - self.margin


class ArcFace(MarginHead):
    """Angles plus m (Deng et al., CVPR 2019), m = 0.5, without a guard beyond pi, as insightface trains it."""

    default_margin = 0.5

    def target(self, cosines: Tensor, norms: Tensor) -> Tensor:
        """Return cos(theta + m)."""
        return torch.cos(torch.acos(cosines) + self.margin)


class AdaFace(MarginHead):
    """A margin that adapts to the image's quality, seen by the norm of its feature (Kim et al., CVPR 2022).

    z = clip(h (norm - mu) / (sigma + 1e-3), -1, 1), with norms clipped to [0.001, 100]; the target is
    cos(theta - m z) - (m + m z). mu and sigma, ``batch_mean`` and ``batch_std`` of the state dict, are running
    statistics of all norms, which each batch in training moves before they are used.

    Args:
        features, classes, margin, scale: see :class:`MarginHead`; m = 0.4.
        h: width of the norms that z does not clip.
        t_alpha: share of a batch in the running statistics.
    """

    default_margin = 0.4
    eps = 1e-3

    def __init__(
        self,
        features: int,
        classes: int,
        margin: float | None = None,
        scale: float = SCALE,
        h: float = 0.333,
        t_alpha: float = 0.01,
    ) -> None:
        super().__init__(features, classes, margin, scale)
        if not (h > 0 and 0 <= t_alpha <= 1):
            raise KpstraError(f"AdaFace: h {h}, t_alpha {t_alpha}: expected h above 0, and t_alpha from 0 to 1")
        self.h, self.t_alpha = h, t_alpha
        self.register_buffer("batch_mean", torch.full((1,), 20.0))
        self.register_buffer("batch_std", torch.full((1,), 100.0))

    def target(self, cosines: Tensor, norms: Tensor) -> Tensor:
        """Return cos(theta - m z) - (m + m z)."""
        norms = norms.clamp(1e-3, 100)
        if self.training:
            if len(norms) < 2:
                raise KpstraError("AdaFace: a batch of one image has no spread of norms; raise train.batch_size")
            self.batch_mean.lerp_(norms.mean(), self.t_alpha)
            self.batch_std.lerp_(norms.std(), self.t_alpha)
        z = (self.h * (norms - self.batch_mean) / (self.batch_std + self.eps)).clamp(-1, 1)
        return torch.cos(torch.acos(cosines) - self.margin * z) - (self.margin + self.margin * z)


MARGINS: dict[str, type[MarginHead]] = {"adaface": AdaFace, "arcface": ArcFace, "cosface": CosFace}


class MarginClassifier(nn.Module):
    """A margin head in the place of a network's classifier.

    Labels are not known inside the network: it passes features on, which become the training outputs, and the engine
    calls ``head`` with them and the labels.
    """

    def __init__(self, head: MarginHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Tensor) -> Tensor:
        """Return the features as they are."""
        return features


def give_margin(model: nn.Module, name: str, **settings: float) -> None:
    """Put a margin head into a model of torchreid's factory that was built for ``softmax``.

    Args:
        model: its ``classifier`` is linear.
        name: of :data:`MARGINS`.
        settings: of the head, such as ``margin=0.4``.

    Raises:
        KpstraError: an unknown name, or a model without such a classifier.

    Example:
        >>> model = torchreid.models.build_model("vit_small_face", 10_572, pretrained=False)
        >>> give_margin(model, "adaface")
    """
    one_of(name, MARGINS, "loss.name")
    classifier = getattr(model, "classifier", None)
    if not isinstance(classifier, nn.Linear):
        raise KpstraError(
            f"loss.name {name}: {type(model).__name__} has no linear layer named classifier to put a margin into; use "
            "loss.name softmax, or another model"
        )
    head = MARGINS[name](classifier.in_features, classifier.out_features, **settings)
    model.classifier = MarginClassifier(head).to(classifier.weight.device)
