"""The injected attentions of a network: their keypoints, their parameters, and taking them out again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import KpstraError
from .adapters import KeypointAttention
from .context import KeypointContext
from .keypoints import Keypoints, check_keypoints, checked
from .position.global_grid import KeypointRPE
from .position.pose import moments
from .position.share import image_share


class Injected(NamedTuple):
    """One injected attention."""

    name: str
    heads: int
    window: tuple[int, ...] | None  # None for global attention
    shift: tuple[int, ...] | None
    grid: str | tuple[int, int]  # window or image; the patch grid of global attention


class KPRPEHandle:
    """The injected attentions of a network: sets their keypoints, lists and removes them.

    :func:`inject_kprpe` returns one; a copy of the network, whether of an EMA, ``copy.deepcopy`` or ``torch.load``, has
    keypoints of its own, and so needs a handle of its own.

    Args:
        module: a network that has KP-RPE, or a wrapper of one.

    Raises:
        KpstraError: there is no KP-RPE in it.

    Example:
        >>> handle = inject_kprpe(network, {"num_keypoints": 17})
        >>> ema = timm.utils.ModelEmaV3(network)
        >>> with KPRPEHandle(ema).set_keypoints(points):
        ...     features = ema(images)
    """

    def __init__(self, module: nn.Module) -> None:
        self.attentions = {n: m for n, m in module.named_modules() if isinstance(m, KeypointAttention)}
        if not self.attentions:
            raise KpstraError(f"{type(module).__name__}: no KP-RPE in it; call inject_kprpe first")
        self.context: KeypointContext = next(iter(self.attentions.values())).kprpe_context

    def set_keypoints(
        self,
        points: Tensor | np.ndarray | Keypoints,
        confidence: Tensor | np.ndarray | None = None,
        learned: bool = False,
    ) -> AbstractContextManager[None]:
        """Return a context in which the network sees these keypoints: ``with handle.set_keypoints(p): y = net(x)``.

        Args:
            points: (B, L, 2), (x, y) in [0, 1] of the network input (:func:`normalise_keypoints` makes them from
                pixels), or (B, T, L, 2) per frame; NumPy arrays come to the network's device.
            confidence: (B, L) or (B, T, L); 0 for absent joints.
            learned: the keypoints come from a network, and gradients go back to it through f(P); given ones get none.
                Rotary positions pass none. Activation checkpointing then needs ``use_reentrant=False``.

        Raises:
            KpstraError: wrong shape or type, NaN or infinite values, or pixels. On CUDA the values are told of at the
                end of the block, so that the host need not wait for the device.
        """
        if not self.attentions:
            raise KpstraError("set_keypoints: KP-RPE was removed from the network; call inject_kprpe again")
        keypoints = points if isinstance(points, Keypoints) else Keypoints(points, confidence)
        if keypoints.points is None:
            raise KpstraError("KP-RPE: keypoints: expected a tensor or a NumPy array, got None")
        keypoints = Keypoints(*map(self._tensor, keypoints))
        self._check_shapes(*keypoints)
        if not learned:
            keypoints = Keypoints(*(None if values is None else values.detach() for values in keypoints))
        if torch.compiler.is_compiling():
            return self.context.set(keypoints)
        return self._set(keypoints, checked(*keypoints))

    @contextmanager
    def _set(self, keypoints: Keypoints, checking: AbstractContextManager[None]) -> Iterator[None]:
        """Set the keypoints for a block, at whose end their check ends too."""
        with checking, self.context.set(keypoints):
            yield

    def _tensor(self, values: Tensor | np.ndarray | None) -> Tensor | None:
        if isinstance(values, np.ndarray):
            return torch.as_tensor(values, device=next(iter(self.attentions.values())).kprpe.index.device)
        if values is not None and not isinstance(values, Tensor):
            raise KpstraError(f"KP-RPE: keypoints: expected a tensor or a NumPy array, got {type(values).__name__}")
        return values

    def _check_shapes(self, points: Tensor, confidence: Tensor | None) -> None:
        joints = next(iter(self.attentions.values())).kprpe.num_keypoints
        if points.ndim not in (3, 4) or points.shape[-2:] != (joints, 2) or not points.is_floating_point():
            raise KpstraError(
                f"KP-RPE: keypoints: expected floating (B, {joints}, 2) or (B, T, {joints}, 2), "
                f"got {points.dtype} {tuple(points.shape)}"
            )
        if confidence is not None and confidence.shape != points.shape[:-1]:
            raise KpstraError(
                f"KP-RPE: confidence: expected {tuple(points.shape[:-1])} as the keypoints have, "
                f"got {tuple(confidence.shape)}"
            )

    @property
    def layers(self) -> list[Injected]:
        """The injected attentions in the network's order."""
        return [_describe(name, attention) for name, attention in self.attentions.items()]

    def __str__(self) -> str:
        return "\n".join(
            f"{i:2d} {at.name}: {at.heads} heads, "
            + (f"grid {at.grid}" if at.window is None else f"window {at.window}, shift {at.shift}, grid {at.grid}")
            for i, at in enumerate(self.layers)
        )

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield KP-RPE's parameters once each; they take no weight decay."""
        seen = {id(p): p for attention in self.attentions.values() for p in attention.kprpe.parameters()}
        yield from seen.values()

    def fit_pose(self, points: Tensor, confidence: Tensor | None = None) -> None:
        """Give every table that wants it the mean pose of a training set and the spread around it, before training.

        Args:
            points: (..., L, 2), some thousands of poses as :meth:`set_keypoints` will be given them.
            confidence: (..., L); weights the poses, joint by joint.

        Raises:
            KpstraError: NaN or infinite values of joints that are not absent.
        """
        poses = [a.kprpe.pose for a in self.attentions.values() if a.kprpe.pose is not None]
        check_keypoints(points.flatten(0, -3), None if confidence is None else confidence.flatten(0, -2))
        if poses:
            mean, spread = moments(points, confidence)
            for pose in poses:
                pose.set(mean, spread, points.shape[:-2].numel())

    @torch.no_grad()
    def image_shares(self, points: Tensor, confidence: Tensor | None = None) -> dict[str, float]:
        """Return, by attention, the share of B's variance that these images decide, see :func:`image_share`.

        Near 0 the table acts as one without keypoints. Rotary positions without a bias have none, and are left out.

        Args:
            points, confidence: as for :meth:`set_keypoints`.

        Raises:
            KpstraError: the windows' frame is the image, and the network does not tell the size of its maps.
        """
        frames = points.shape[1] if points.ndim == 4 else 1
        points = points.flatten(0, -3)
        confidence = None if confidence is None else confidence.flatten(0, -2)
        shares = {}
        for name, attention in self.attentions.items():
            rpe = attention.kprpe
            if rpe.formulation == "none":
                continue
            factors = rpe.factors(points, confidence)
            bias = rpe.bias(factors, 0) if isinstance(rpe, KeypointRPE) else rpe.frame_bias(factors, 0, frames)
            shares[name] = image_share(bias).item()
        return shares

    def load_reference(self, weight: Tensor, bias: Tensor) -> None:
        """Load the authors' linear layer for all attentions, (sum of heads*K, 2L) and (sum of heads*K,), in order."""
        tables = [attention.kprpe for attention in self.attentions.values()]
        if tables[0].formulation in ("absolute", "relative"):
            tables = tables[:1]
        sizes = [table.table_bias.numel() for table in tables]
        if weight.shape[0] != sum(sizes) or bias.shape[0] != sum(sizes):
            raise KpstraError(f"load_reference: {weight.shape[0]} and {bias.shape[0]} outputs, expected {sum(sizes)}")
        for table, w, b in zip(tables, weight.split(sizes), bias.split(sizes), strict=True):
            table.load_reference(w, b)

    def remove(self) -> None:
        """Restore the network: its classes and, after ``mode="replace"``, its tables with their values."""
        for attention in self.attentions.values():
            weight = next(attention.parameters())
            for name, table in attention.kprpe_removed.items():
                setattr(attention, name, table)
            for name in [name for name in vars(attention) if name.startswith("kprpe_")]:
                delattr(attention, name)
            del attention.kprpe
            attention.__class__ = type(attention).__bases__[1]
            attention.to(weight)  # tables were not there when the network moved
        self.attentions = {}


def _describe(name: str, attention: KeypointAttention) -> Injected:
    rpe = attention.kprpe
    if isinstance(rpe, KeypointRPE):
        return Injected(name, attention.num_heads, None, None, rpe.grid_size)
    return Injected(name, attention.num_heads, tuple(attention.window_size), rpe.shifts[0], rpe.grid)
