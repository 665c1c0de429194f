"""The same module on a CPU and on CUDA."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn


def outputs_and_gradients(module: nn.Module, forward: Callable[[nn.Module, str], Tensor], device: str) -> list[Tensor]:
    """Return the output of a copy of ``module`` on a device and the gradients of its mean square, on the CPU."""
    module = copy.deepcopy(module).to(device)
    output = forward(module, device)
    output.float().square().mean().backward()
    return [t.detach().float().cpu() for t in (output, *(p.grad for p in module.parameters() if p.grad is not None))]


def assert_same_on_cuda(module: nn.Module, forward: Callable[[nn.Module, str], Tensor], rtol=1e-4, atol=1e-5) -> None:
    """Hold output and gradients on CUDA against those on the CPU, to a share of the largest value of each."""
    pairs = zip(*(outputs_and_gradients(module, forward, device) for device in ("cpu", "cuda")), strict=True)
    for number, (here, there) in enumerate(pairs):
        assert torch.isfinite(there).all() and here.abs().max() > 0, number
        torch.testing.assert_close(there, here, rtol=rtol, atol=atol + rtol * float(here.abs().max()))
