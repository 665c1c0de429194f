"""A network in threads, as torch.nn.parallel.DataParallel runs it."""

import threading
from collections.abc import Sequence

import torch
from torch import nn


def in_threads(model: nn.Module, inputs: Sequence[tuple]) -> list[torch.Tensor]:
    """Return the outputs of replicas, each in a thread of its own, all at once."""
    replicas, found = [replica(model) for _ in inputs], [None] * len(inputs)

    def run(i: int) -> None:
        with torch.no_grad():
            found[i] = replicas[i](*inputs[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def replica(module: nn.Module) -> nn.Module:
    """As torch.nn.parallel.replicate makes them: modules are new, parameters and all else are shared."""
    new = module._replicate_for_data_parallel()
    for name, child in module._modules.items():
        new._modules[name] = None if child is None else replica(child)
    for name, parameter in module._parameters.items():
        setattr(new, name, parameter)
    return new
