"""What the adapters share: an injected attention is an instance of an adapter and of its own class."""

from __future__ import annotations

import inspect
import math
from functools import cache
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ...errors import KpstraError
from ..config import KPRPEConfig
from ..context import KeypointContext
from ..keypoints import Keypoints
from ..position.global_grid import KeypointRPE
from ..position.rotary import Rotation
from ..position.table import Factors
from ..position.windows import WindowedKeypointRPE

AGAIN = "call handle.remove() first, then change the input's size, then inject_kprpe"


class Place(NamedTuple):
    """Where an attention stands in a network."""

    name: str
    ancestors: tuple[nn.Module, ...]  # the whole network first, the module that holds the attention last

    @property
    def block(self) -> nn.Module:
        """The module that holds the attention."""
        return self.ancestors[-1]


class KeypointAttention:
    """An attention with KP-RPE: a mixin that :func:`inject_kprpe` puts before the class of a host's attention.

    An adapter says which modules it is for (``matches``), builds their KP-RPE (``build``), and computes the attention
    under it (``attend``). :func:`register_adapter` puts it into the list that injection goes through:

    Example:
        >>> @register_adapter
        ... class MyAdapter(KeypointAttention):
        ...     fits = "MyAttention"
        ...
        ...     @classmethod
        ...     def matches(cls, module):
        ...         return isinstance(module, MyAttention)
        ...
        ...     @classmethod
        ...     def build(cls, attention, place, config):
        ...         return build_global(config, attention.num_heads, grid=(14, 14))
        ...
        ...     def attend(self, x):
        ...         return self.host_forward(x, bias=self.global_bias(*x.shape[:2]))

    ``kprpe`` is a submodule, so its parameters follow the network's copies, replicas and state dicts;
    ``kprpe_context`` holds the running forward's keypoints; ``kprpe_adds`` keeps the host's table beside ours;
    ``kprpe_scales`` divides the bias by sqrt(d), as eq. 5 is written; ``kprpe_sized`` says where the host keeps the
    size of the grid, and what it was.
    """

    fits: ClassVar[str]  # the attentions it is for, as a message lists them
    replaces: ClassVar[tuple[str, ...]] = ()  # parameters or submodules of the host that ``mode="replace"`` drops

    kprpe: KeypointRPE | WindowedKeypointRPE
    kprpe_context: KeypointContext
    kprpe_adds: bool
    kprpe_scales: bool
    kprpe_sized: tuple[tuple[nn.Module, str], tuple[int, int]] | None

    @classmethod
    def matches(cls, module: nn.Module) -> bool:
        """Whether this adapter is for ``module``, seen by its structure."""
        raise NotImplementedError

    @classmethod
    def build(cls, attention: nn.Module, place: Place, config: KPRPEConfig) -> KeypointRPE | WindowedKeypointRPE:
        """Return the KP-RPE of one attention.

        Raises:
            KpstraError: the attention is of the right kind, but KP-RPE does not fit it here; says why.
        """
        raise NotImplementedError

    @classmethod
    def sized(cls, place: Place) -> tuple[nn.Module, str] | None:
        """Return the module and its attribute that hold the size of the tokens' grid, where the host can change it."""
        return None

    def attend(self, *args, **kwargs) -> Tensor:
        """The host's ``forward`` under the bias of the running forward's keypoints."""
        raise NotImplementedError

    def forward(self, x: Tensor, *args, **kwargs) -> Tensor:
        """As the host's; one node of a graph that torch.fx traces."""
        if isinstance(x, torch.fx.Proxy):
            path = x.tracer.path_of_module(self)
            return x.tracer.create_proxy("call_module", path, (x, *args), kwargs)
        return self.attend(x, *args, **kwargs)

    def host_forward(self, *args, **kwargs) -> Tensor:
        """The host's own ``forward``."""
        return super().forward(*args, **kwargs)

    def keypoints_of(self, images: int) -> Keypoints:
        """Return the running forward's keypoints, (images, L, 2) and (images, L).

        Raises:
            KpstraError: there are none, of another number of images, or on another device.
        """
        points, confidence = self.kprpe_context.get()
        self._check_size()
        given = math.prod(points.shape[:-2])
        if given != images:
            raise KpstraError(f"KP-RPE: keypoints of {given} images, but features of {images}")
        device = self.kprpe.index.device
        if points.device != device:
            raise KpstraError(f"KP-RPE: keypoints on {points.device}, but the network on {device}: move them there")
        return Keypoints(points.flatten(0, -3), None if confidence is None else confidence.flatten(0, -2))

    def _check_size(self) -> None:
        if self.kprpe_sized is None or torch.compiler.is_compiling():
            return
        (module, name), built = self.kprpe_sized
        now = tuple(getattr(module, name))
        if now != built:
            raise KpstraError(f"KP-RPE: built for {_by(built)} tokens, but the network has {_by(now)} now; {AGAIN}")

    def set_window_size(self, window_size: tuple[int, int]) -> None:
        """Refuse what timm's ``set_input_size`` would do to a bias that was built for other windows."""
        if tuple(window_size) != tuple(self.window_size):
            built, now = _by(self.window_size), _by(window_size)
            raise KpstraError(f"KP-RPE: built for windows of {built} tokens, but they become {now}; {AGAIN}")

    def factors_of(self, images: int) -> Factors:
        """Return the factors of the running forward's keypoints, which must be those of ``images`` images."""
        known = self.kprpe_context.once("joints", dict)
        return self.kprpe.factors(*self.keypoints_of(images), finite=True, known=known)

    def global_bias(self, images: int, tokens: int) -> Tensor | None:
        """Return the bias (images, heads, tokens, tokens) of global attention; ``None`` if there is none."""
        expected = self.kprpe.index.shape[-1]
        if tokens != expected:
            raise KpstraError(f"KP-RPE: built for {expected} tokens, got {tokens}: build the network for this size")
        if self.kprpe.formulation == "none":
            return None
        kind = self.kprpe.index.device.type
        rounds = torch.is_autocast_enabled(kind) and not self.kprpe_scales
        dtype = torch.get_autocast_dtype(kind) if rounds else None
        return self.scaled(self.kprpe.bias(self.factors_of(images), 0, dtype))

    def global_rotation(self, images: int, head_dim: int) -> Rotation | None:
        """Return the rotation of queries and keys of global attention; ``None`` if there is none."""
        if self.kprpe.rotary == "none":
            return None
        keypoints, key = self.keypoints_of(images), (self.kprpe.grid_size, self.kprpe.prefix_tokens, head_dim)
        return self.kprpe_context.once(key, lambda: self.kprpe.rotation(*keypoints, head_dim))

    def window_rotation(
        self, images: int, head_dim: int, frames: int = 1, feature_size: tuple[int, int] | None = None
    ) -> Rotation | None:
        """Return the rotation for the windows of ``images`` feature maps, compact; ``None`` if there is none."""
        rpe = self.kprpe
        if rpe.rotary == "none":
            return None
        keypoints, size = self.keypoints_of(images), feature_size or rpe.feature_size
        key = (rpe.window_size, rpe.shifts[0], rpe.roll_first, frames, size, head_dim)
        return self.kprpe_context.once(key, lambda: rpe.rotation(*keypoints, head_dim, 0, frames, size))

    def window_bias(self, images: int, frames: int = 1, feature_size: tuple[int, int] | None = None) -> Tensor | None:
        """Return the bias of ``images`` feature maps, ``frames`` to a sequence, compact as ``frame_bias`` gives it."""
        if self.kprpe.formulation == "none":
            return None
        return self.scaled(self.kprpe.frame_bias(self.factors_of(images), 0, frames, feature_size))

    def images_of(self, windows: int, frames: int, feature_size: tuple[int, int]) -> int:
        """Return of how many feature maps these windows are.

        Raises:
            KpstraError: of no whole number.
        """
        each = self.kprpe.windows(0, frames, feature_size)
        if windows % each:
            raise KpstraError(
                f"KP-RPE: {windows} windows of features, but maps of {_by(feature_size)} tokens have "
                f"{each}{f' in {frames} frames' if frames > 1 else ''}: {AGAIN}"
            )
        return windows // each * frames

    @staticmethod
    def added(bias: Tensor | None, table: Tensor) -> Tensor:
        """Return our compact bias, if there is one, and the host's table beside it, ([1,] heads, n, n)."""
        return table.reshape(1, 1, *table.shape[-3:]) if bias is None else bias + table

    def scaled(self, bias: Tensor) -> Tensor:
        """Divide the bias as eq. 5 does, where that is asked for."""
        return bias * self.head_scale if self.kprpe_scales else bias

    @property
    def head_scale(self) -> float:
        """What the host multiplies q k^T with."""
        return self.scale

    def __reduce_ex__(self, protocol):
        adapter, host = type(self).__bases__
        return _blank, (adapter, host), self.__dict__


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))


def has(module: nn.Module, *names: str) -> bool:
    """Whether ``module`` has all these attributes, none of them ``None``."""
    return all(getattr(module, name, None) is not None for name in names)


def forward_takes(module: nn.Module, name: str) -> bool:
    """Whether ``module.forward`` has an argument of this name."""
    return name in inspect.signature(module.forward).parameters


@cache
def adapted(adapter: type[KeypointAttention], host: type[nn.Module]) -> type[nn.Module]:
    """Return the class that is both ``adapter`` and ``host``."""
    return type(f"KPRPE{host.__name__}", (adapter, host), {})


def _blank(adapter: type[KeypointAttention], host: type[nn.Module]) -> nn.Module:
    cls = adapted(adapter, host)
    return cls.__new__(cls)
