"""The learned tables f(P) in factorised form: what depends on the image never meets what depends on the patch."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import KpstraError, one_of
from ..keypoints import check_keypoints
from . import direct
from .direct import Joints
from .expansion import TERMS, expansion, image_rank, monomials
from .pose import MeanPose
from .remembering import Remembering
from .rotary import ROTARY, body_frame

FORMULATIONS = ("multihead", "relative", "absolute", "static", "second_order", "nonlinear", "none")
KEYPOINTS = ("given", "constant")
HIDDEN = 32  # units of the nonlinear form


class Factors(NamedTuple):
    """The image's part of f(P) for all layers: coefficients U of the monomials of M_i, ``None`` where it has no part.

    (B, R, layers, heads, K), R = 1, 3 or 6; for ``nonlinear`` (B, R, 1, 1, hidden), the image's part of the hidden
    layer. A table that heads or layers share has 1 there.
    """

    coefficients: Tensor | None
    joints: Joints | None = None  # on devices where the formula is not multiplied out, see :mod:`.direct`

    def layer(self, layer: int) -> Tensor | None:
        """Return the coefficients of one layer, (B, R, heads, K); a shared table serves all layers."""
        u = self.coefficients
        return None if u is None else u[:, :, min(layer, u.shape[2] - 1)]


class KeypointTable(Remembering):
    """f(P), the table that every query looks its biases up in, and its exact factorisation.

    - ``multihead`` (eq. 11, the paper's best), ``relative`` (eq. 9): ``f(P)_i[k] = sum_l (M_i - P_l) . W_l[k] + b[k]``
    - ``absolute`` (eq. 8): ``sum_l P_l . W_l[k] + b[k]``
    - ``second_order``: ``sum_l phi(M_i - P_l) . W_l[k] + b[k]``, phi(dx, dy) = (dx, dy, dx^2, dy^2, dx dy)
    - ``nonlinear``: ``f(P)_i = GELU(sum_l V_l (M_i - P_l) + a) W + b``, with 32 hidden units for all heads and layers
    - ``static``: the control of the published form, ``M_i . sum_l W_l[k] + b[k]``
    - ``none``: no bias at all; for ``rotary``

    All but ``nonlinear`` are polynomials in M_i: ``f(P)_i = monomials(M_i) . (C + U(P))``, C the same for all images, U
    for all patches (:mod:`.expansion`). With joint confidences s_l every joint's term is multiplied by s_l.

    ``standardised``: what moves f(P) is the difference from the mean pose in units of the spread, and the part that no
    image changes has parameters S of its own (``table_static``, ``hidden_static``):
    ``f(P)_i = monomials(M_i) . S + sum_l s_l [phi(M_i - P_l) - phi(M_i - mean_l)] / scale_l . W_l`` with
    scale = (sx, sy, sx, sy, sqrt(sx sy)). A joint of confidence 0 is where the mean pose has it.

    W and b are plain parameters that start at zero, V at random: hosts re-initialise every ``nn.Linear`` after building
    a network.

    Args:
        num_keypoints: L.
        num_buckets: K.
        num_heads, num_layers: tables of W; ``relative`` and ``absolute`` share one table.
        formulation: see above.
        standardised: see above; set the statistics by ``pose.fit(points)`` before training.
        keypoints: ``given``, or ``constant``: the control of every form, all images have the mean pose.
        rotary: ``none``; ``image`` or ``body``: queries and keys are rotated besides, see :mod:`.rotary`. The template
            is the mean pose.
    """

    def __init__(
        self,
        num_keypoints: int,
        num_buckets: int,
        num_heads: int,
        num_layers: int,
        formulation: str = "multihead",
        standardised: bool = False,
        keypoints: str = "given",
        rotary: str = "none",
    ) -> None:
        super().__init__()
        one_of(formulation, FORMULATIONS, "formulation")
        one_of(keypoints, KEYPOINTS, "keypoints")
        one_of(rotary, ROTARY, "rotary")
        if min(num_keypoints, num_heads, num_layers) < 1:
            raise KpstraError(
                f"KP-RPE: num_keypoints {num_keypoints}, num_heads {num_heads}, num_layers {num_layers}: expected >= 1"
            )
        if formulation in ("static", "none") and (standardised or (keypoints == "constant" and rotary != "body")):
            raise KpstraError(
                f"KP-RPE: formulation {formulation!r} knows no keypoints: standardised and constant mean nothing"
            )
        if formulation == "none" and rotary == "none":
            raise KpstraError("KP-RPE: formulation 'none' without rotary: nothing would encode positions")
        self.num_keypoints, self.num_buckets, self.formulation = num_keypoints, num_buckets, formulation
        self.num_heads, self.num_layers = num_heads, num_layers
        self.standardised, self.keypoints, self.rotary = standardised, keypoints, rotary
        self.order = 2 if formulation == "second_order" else 1
        tables = (1, 1) if formulation in ("relative", "absolute") else (num_layers, num_heads)
        inputs = (HIDDEN,) if self.nonlinear else (num_keypoints, TERMS[self.order])
        if formulation != "none":
            self.table_weight = nn.Parameter(torch.zeros(*tables, num_buckets, *inputs))
            self.table_bias = nn.Parameter(torch.zeros(*tables, num_buckets))
        if self.nonlinear:
            self.hidden_weight = nn.Parameter(torch.randn(HIDDEN, num_keypoints, 2) * num_keypoints**-0.5)
            self.hidden_bias = nn.Parameter(torch.zeros(HIDDEN))
            if standardised:
                self.hidden_static = nn.Parameter(torch.randn(HIDDEN, 2))
        elif standardised and formulation != "absolute":
            self.table_static = nn.Parameter(torch.zeros(*tables, num_buckets, TERMS[self.order]))
        posed = standardised or keypoints == "constant" or rotary == "body"
        self.pose = MeanPose(num_keypoints) if posed else None

    @property
    def nonlinear(self) -> bool:
        """Whether a hidden layer stands between the keypoints and the tables."""
        return self.formulation == "nonlinear"

    def extra_repr(self) -> str:
        return f"formulation={self.formulation}, keypoints={self.num_keypoints}, buckets={self.num_buckets}"

    def shared_parameters(self) -> tuple[str, ...]:
        """Return the names of the parameters that all layers of a network have in common."""
        if self.formulation in ("relative", "absolute"):
            names = ("table_weight", "table_bias", "table_static")
        else:
            names = ("hidden_weight", "hidden_bias", "hidden_static")
        return tuple(name for name in names if hasattr(self, name))

    def factors(
        self, keypoints: Tensor, confidence: Tensor | None = None, finite: bool = False, known: dict | None = None
    ) -> Factors:
        """Compute the image's part for all layers at once, in float32 also under autocast.

        Args:
            keypoints: P, (B, L, 2), (x, y) in [0, 1] of the network input; joints may lie a little outside.
            confidence: s, (B, L); a joint of confidence 0 contributes nothing, whatever its coordinates.
            finite: the caller has checked the values; looking costs a wait for the device.
            known: what tables of the same forward, given the same keypoints, have in common; each adds to it.

        Raises:
            KpstraError: wrong shape or type, NaN or infinite values, or pixels.
        """
        keypoints, confidence = self._checked(keypoints, confidence)
        if not finite and not torch.compiler.is_compiling():
            check_keypoints(keypoints, confidence)
        if self.formulation not in ("static", "none") and self.keypoints == "constant":
            self.pose.warn_unless_set("keypoints 'constant' has no mean pose and takes (0, 0) for all joints")
        elif self.standardised:
            self.pose.warn_unless_set("standardised has no mean pose and spread and takes 0 and 1")
        if self.formulation != "none" and self._direct(keypoints.device):
            return Factors(None, Joints(keypoints, confidence, {} if known is None else known))
        if self.formulation in ("static", "none"):
            return Factors(None)
        with torch.autocast(keypoints.device.type, enabled=False):
            weight = self._exact(self.hidden_weight[None, None] if self.nonlinear else self.table_weight)
            p = keypoints.to(weight.dtype)
            s = None if confidence is None else confidence.to(weight.dtype)
            if self.keypoints == "constant":
                p, s = self.pose.mean.to(p.dtype).expand_as(p), None if s is None else torch.ones_like(s)
            return Factors(torch.einsum("blrc,dhklc->brdhk", self._image_terms(p, s), weight))

    def _direct(self, device: torch.device) -> bool:
        """Whether f(P) is computed by the formula itself, see :mod:`.direct`."""
        return direct.suits(device)

    @torch.no_grad()
    def frames(self, keypoints: Tensor, confidence: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return T(p) = A p + t of every image, (B, 2, 2) and (B, 2), for ``rotary="body"``."""
        self.pose.warn_unless_set("rotary 'body' has no mean pose to fit and takes the image's axes")
        keypoints, confidence = self._checked(keypoints, confidence)
        with torch.autocast(keypoints.device.type, enabled=False):
            template = self._exact(self.pose.mean)
            points = keypoints.to(template.dtype)
            if self.keypoints == "constant":
                points, confidence = template.expand_as(points), None
            return body_frame(points, confidence, template)

    def _image_terms(self, p: Tensor, s: Tensor | None) -> Tensor:
        """Return what W is multiplied by for the image's coefficients: (B, L, R, D)."""
        weights = 1.0 if s is None else s[..., None, None]
        if self.standardised:
            rank = image_rank(self.order, weighted=False)
            mean = self.pose.mean.to(p.dtype)
            moved = expansion(p, self.order)[..., :rank, :] - expansion(mean, self.order)[..., :rank, :]
            terms = moved / self.scale(p.dtype).unsqueeze(-2) * weights
        else:
            rank = 1 if self.formulation == "absolute" else image_rank(self.order, weighted=s is not None)
            terms = expansion(p, self.order)[..., :rank, :] * weights
            terms = terms - expansion(torch.zeros_like(p[:1, :1]), self.order)[..., :rank, :]
        return -terms if self.formulation == "absolute" else terms

    def scale(self, dtype: torch.dtype) -> Tensor:
        """Return the unit of every term of phi, (L, D)."""
        spread = self.pose.spread.to(dtype)
        if self.order == 1:
            return spread
        return torch.cat((spread, spread, spread.prod(dim=-1, keepdim=True).sqrt()), dim=-1)

    def static(self, centres: Tensor, layer: int) -> Tensor:
        """Return what no image changes of one layer: (heads, N, K) for the patch centres M (N, 2)."""
        coefficients = self.coefficients(layer)
        with torch.autocast(centres.device.type, enabled=False):
            basis = monomials(centres.to(coefficients.dtype), len(coefficients))
            return basis @ coefficients.transpose(0, 1)

    def coefficients(self, layer: int) -> Tensor:
        """Return C of one layer, (S, heads, K): b, and those of the monomials beyond 1 where the form has them."""
        bias, *slopes = self.static_weights(layer)
        slopes = [slope if self.standardised else slope.sum(dim=2) for slope in slopes]
        return torch.cat((bias.unsqueeze(0), *(slope.movedim(-1, 0) for slope in slopes)))

    def static_weights(self, layer: int) -> list[Tensor]:
        """Return what C of one layer follows from: b, and W or S where the form has a slope."""
        if self.formulation == "none":
            raise KpstraError("KP-RPE: formulation 'none' has no bias")
        layer = min(layer, self.table_weight.shape[0] - 1)
        if self.nonlinear or self.formulation == "absolute":
            return [self.table_bias[layer]]
        return [self.table_bias[layer], (self.table_static if self.standardised else self.table_weight)[layer]]

    def hidden(self, image: Tensor, basis: Tensor) -> Tensor:
        """Return the hidden layer of the nonlinear form.

        Args:
            image: its coefficients, (..., R, hidden).
            basis: the monomials of M, (..., N, 3).

        Returns:
            (..., N, hidden), float32 or the weights' float64.
        """
        with torch.autocast(image.device.type, enabled=False):
            slope = self.hidden_static if self.standardised else self.hidden_weight.sum(dim=1)  # hidden, 2
            basis = basis.to(image.dtype)
            fixed = torch.cat((self.hidden_bias.unsqueeze(0), slope.T)).to(image.dtype)
            return F.gelu(basis @ fixed + basis[..., : image.shape[-2]] @ image)

    def layer_weight(self, layer: int) -> Tensor:
        """Return W of one layer of the nonlinear form, (heads, K, hidden)."""
        return self._exact(self.table_weight[layer])

    def _exact(self, weight: Tensor) -> Tensor:
        return weight if weight.dtype == torch.float64 else weight.float()

    def load_reference(self, weight: Tensor, bias: Tensor) -> None:
        """Load the authors' linear layer: ``weight`` (layers*heads*K, 2L) and ``bias`` (layers*heads*K).

        Outputs are ordered (layer, head, bucket), inputs (keypoint, xy). The second order takes it as its first two
        terms, a standardised table as what it is around the mean pose: f(P) is the authors' in each case.

        Raises:
            KpstraError: sizes that do not fit, or a form that no linear layer is.
        """
        if self.nonlinear or self.formulation == "none":
            raise KpstraError(f"load_reference: formulation {self.formulation!r} does not hold a linear layer")
        tables, buckets = self.table_weight.shape[:2], self.num_buckets
        outputs, inputs = tables.numel() * buckets, 2 * self.num_keypoints
        if weight.numel() != outputs * inputs or bias.numel() != outputs:
            raise KpstraError(
                f"load_reference: weight {tuple(weight.shape)} and bias {tuple(bias.shape)} do not fit "
                f"({tables.numel()} tables x {buckets} buckets, {self.num_keypoints} keypoints x 2)"
            )
        with torch.no_grad():
            weight = weight.reshape(*tables, buckets, self.num_keypoints, 2).to(self.table_weight)
            weight = F.pad(weight, (0, TERMS[self.order] - 2))
            bias = bias.view_as(self.table_bias).to(self.table_bias)
            if self.standardised:
                at_mean = torch.einsum("lrc,dhklc->dhkr", expansion(self.pose.mean.to(weight), self.order), weight)
                weight = weight * self.scale(weight.dtype)
                if self.formulation == "absolute":
                    bias = bias - at_mean[..., 0]
                else:
                    bias = bias + at_mean[..., 0]
                    self.table_static.copy_(at_mean[..., 1:])
            self.table_weight.copy_(weight)
            self.table_bias.copy_(bias)

    def _checked(self, keypoints: Tensor, confidence: Tensor | None) -> tuple[Tensor, Tensor | None]:
        expected = f"(B, {self.num_keypoints}, 2)"
        if keypoints.ndim != 3 or keypoints.shape[1:] != (self.num_keypoints, 2) or not keypoints.is_floating_point():
            raise KpstraError(
                f"KP-RPE: keypoints: expected floating {expected}, got {keypoints.dtype} {tuple(keypoints.shape)}"
            )
        if confidence is not None:
            if confidence.shape != keypoints.shape[:2]:
                raise KpstraError(
                    f"KP-RPE: confidence: expected {tuple(keypoints.shape[:2])} as the keypoints have, "
                    f"got {tuple(confidence.shape)}"
                )
            keypoints = torch.where(confidence.unsqueeze(-1) == 0, 0.0, keypoints)
        return keypoints, confidence
