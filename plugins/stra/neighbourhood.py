"""Weighted sums over K x K neighbourhoods with zero padding (the sum in eq. 2 of the StRA paper).

Three operators, each the derivative of the others, so that derivatives of every order are made of the three. With
o_k the k-th offset of a neighbourhood and nothing outside the map::

    gather_sum(a, u)[i]          = sum_k a[k, i] u[i + o_k]
    scatter_sum(a, u)[j]         = sum_k a[k, j - o_k] u[j - o_k]
    neighbour_products(u, v)[k, i] = sum_c u[c, i] v[c, i + o_k]

A CPU makes products with band matrices of them (:mod:`.bands`), CUDA one Triton kernel each (:mod:`.kernels`).
Operators of their own: FLOP counters know products only, and should count a weighted sum as little when it is made of
products, most of them with zeros, as when it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._triton import has_triton_package

from . import bands


def shifts(x: Tensor, kernel_size: int) -> Iterator[Tensor]:
    """Yield the K*K zero-padded shifts of ``x`` (..., H, W), row by row: the columns of an unfold, one by one."""
    height, width = x.shape[-2:]
    padding = kernel_size // 2
    padded = F.pad(x, (padding,) * 4)
    for top in range(kernel_size):
        for left in range(kernel_size):
            yield padded[..., top : top + height, left : left + width]


def aggregate(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """Return ``sum_j a_ij u(x_j)`` over the neighbourhood of every node (the sum in eq. 2).

    Args:
        weights: ``a_ij``, (B, G, K*K, H, W).
        values: ``u(x)``, (B, C, H, W); group g owns the channels [g C/G, (g+1) C/G).

    Returns:
        (B, C, H, W). Only ``weights`` and ``values`` are kept for the backward.
    """
    batch, groups, _, height, width = weights.shape
    if torch.onnx.is_in_onnx_export():  # it knows no operators of ours
        return sum_of_shifts(weights, values, kernel_size)
    grouped = values.reshape(batch * groups, -1, height, width)
    weights = weights.to(values.dtype).reshape(batch * groups, -1, height, width)
    return gather_sum(weights, grouped, kernel_size).reshape(values.shape)


def sum_of_shifts(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """As :func:`aggregate`, by the formula: every shift of the values times its weights."""
    grouped = values.unflatten(1, (weights.shape[1], -1))  # B, G, n, H, W
    terms = zip(weights.unsqueeze(3).unbind(2), shifts(grouped, kernel_size), strict=True)
    return sum(weight * shifted for weight, shifted in terms).flatten(1, 2)


@torch.library.custom_op("kpstra::gather_sum", mutates_args=())
def gather_sum(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """Sum the neighbours of every node: weights (N, K*K, H, W), values and result (N, n, H, W)."""
    return _run("gather_sum", weights, values, kernel_size)


@torch.library.custom_op("kpstra::scatter_sum", mutates_args=())
def scatter_sum(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """Add every node to its neighbours: weights (N, K*K, H, W), values and result (N, n, H, W)."""
    return _run("scatter_sum", weights, values, kernel_size)


@torch.library.custom_op("kpstra::neighbour_products", mutates_args=())
def neighbour_products(left: Tensor, right: Tensor, kernel_size: int) -> Tensor:
    """Inner products of every node of ``left`` with its neighbours in ``right``: (N, n, H, W) to (N, K*K, H, W)."""
    return _run("neighbour_products", left, right, kernel_size)


def _run(name: str, left: Tensor, right: Tensor, kernel_size: int) -> Tensor:
    """Call the formulation for the device of the tensors, outside of autocast: the sums are in their own dtype."""
    with torch.autocast(right.device.type, enabled=False):
        return getattr(formulation(right.device), name)(left.contiguous(), right.contiguous(), kernel_size)


def formulation(device: torch.device) -> ModuleType:
    """Return the module with the three sums for a device.

    Triton's on CUDA are not measured; they start the fewest kernels and move the fewest bytes. Without Triton, and
    elsewhere, it is the one for CPUs.
    """
    if device.type == "cuda" and has_triton_package():
        from . import kernels

        return kernels
    return bands


@gather_sum.register_fake
@scatter_sum.register_fake
def _like_values(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    return values.new_empty(values.shape)


@neighbour_products.register_fake
def _like_weights(left: Tensor, right: Tensor, kernel_size: int) -> Tensor:
    return left.new_empty(left.shape[0], kernel_size**2, *left.shape[2:])


def _keep(ctx, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
    left, right, ctx.kernel_size = inputs
    ctx.save_for_backward(left, right)


def _gradients(to_left: Callable[..., Tensor], to_right: Callable[..., Tensor]) -> Callable[..., tuple]:
    """Make a backward of what gives the gradients of the left and of the right tensor."""

    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        given, wanted = (*ctx.saved_tensors, grad, ctx.kernel_size), ctx.needs_input_grad
        return to_left(*given) if wanted[0] else None, to_right(*given) if wanted[1] else None, None

    return backward


gather_sum.register_autograd(
    _gradients(lambda a, u, grad, k: neighbour_products(grad, u, k), lambda a, u, grad, k: scatter_sum(a, grad, k)),
    setup_context=_keep,
)
scatter_sum.register_autograd(
    _gradients(lambda a, u, grad, k: neighbour_products(u, grad, k), lambda a, u, grad, k: gather_sum(a, grad, k)),
    setup_context=_keep,
)
neighbour_products.register_autograd(
    _gradients(lambda u, v, grad, k: gather_sum(grad, v, k), lambda u, v, grad, k: scatter_sum(grad, u, k)),
    setup_context=_keep,
)
