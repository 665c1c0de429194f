"""The position encodings that the toy compares, each with the control that knows no keypoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Variant(NamedTuple):
    """A position encoding beside learned absolute embeddings.

    ``title``: as the tables call it. ``control``: the variant that it is compared with, seed by seed. ``kprpe``: the
    fields of :class:`KPRPEConfig`, where it is KP-RPE. ``modes``: its keypoints are found by the network itself.
    """

    title: str
    control: str | None
    kprpe: Mapping[str, Any] | None = None
    modes: bool = False

    @property
    def knows_keypoints(self) -> bool:
        """Whether it is KP-RPE, and no control."""
        return self.kprpe is not None and self.control is not None


def _form(name: str, title: str, modes: bool = False, **settings) -> dict[str, Variant]:
    """A form of KP-RPE, and the same with one constant pose for all images."""
    control, constant = f"{name}-constant", {**settings, "keypoints": "constant"}
    what = "centres" if modes else "pose"
    return {
        name: Variant(f"+ {title}", control, settings, modes),
        control: Variant(f"+ {title}, constant {what} (control)", None, constant, modes),
    }


VARIANTS = {
    "absolute": Variant("absolute PE", "static"),
    "drawn": Variant("absolute PE, keypoints drawn", "static"),
    "rpe": Variant("+ RPE", "static"),
    "irpe": Variant("+ iRPE", "static"),
    "kprpe-absolute": Variant("+ KP-RPE, absolute f(P)", "static", {"formulation": "absolute"}),
    "kprpe-relative": Variant("+ KP-RPE, relative f(P)", "static", {"formulation": "relative"}),
    "kprpe-multihead": Variant("+ KP-RPE, multihead relative f(P)", "static", {"formulation": "multihead"}),
    "static": Variant("+ per-query table, no keypoints (control)", None, {"formulation": "static"}),
    **_form("standardised", "KP-RPE, standardised keypoints", formulation="multihead", standardised=True),
    **_form("second-order", "KP-RPE, second order", formulation="second_order"),
    **_form(
        "second-order-standardised",
        "KP-RPE, second order, standardised keypoints",
        formulation="second_order",
        standardised=True,
    ),
    **_form("nonlinear", "KP-RPE, nonlinear", formulation="nonlinear"),
    **_form(
        "nonlinear-standardised",
        "KP-RPE, nonlinear, standardised keypoints",
        formulation="nonlinear",
        standardised=True,
    ),
    "rotary-body": Variant(
        "+ rotary positions in the body's frame", "rotary-image", {"formulation": "none", "rotary": "body"}
    ),
    "rotary-image": Variant(
        "+ rotary positions in the image's frame (control)", None, {"formulation": "none", "rotary": "image"}
    ),
    **_form("modes", "KP-RPE, modes for keypoints", modes=True, formulation="multihead"),
    **_form("modes-nonlinear", "KP-RPE, nonlinear, modes for keypoints", modes=True, formulation="nonlinear"),
}
