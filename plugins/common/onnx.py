"""Networks as ONNX files that were compared with the network before they were put in place."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import KpstraError
from .files import atomic_write, require_writable

TOLERANCE = 1e-4  # share of the largest output


def export_onnx(
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    others: Sequence[Mapping[str, Tensor]],
    axes: Sequence[str],
    output: str,
    path: str | os.PathLike,
) -> float:
    """Write a network as one ONNX file, if onnxruntime computes from it what torch does.

    Args:
        network: takes the inputs in their order, and returns one tensor; run in eval mode, on the inputs' device.
        inputs: an example of each input, of two or more in every free axis.
        others: inputs of other sizes, on which the outputs are compared too.
        axes: names of the leading axes that are free in every input, such as ``batch``.
        output: name of the output.
        path: of the file.

    Returns:
        The largest difference of an output from torch's, as a share of torch's largest.

    Raises:
        KpstraError: a package is missing, the file cannot be written, the network not exported, or outputs differ.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        raise KpstraError(f"export: {error}: pip install 'kpstra[export]'") from error

    require_writable(path)
    network.eval()
    with torch.no_grad(), _quiet():
        expected = [network(*given.values()) for given in (inputs, *others)]  # also fills what is remembered in eval
        free = {i: torch.export.Dim(name) for i, name in enumerate(axes)}
        try:
            program = torch.onnx.export(
                network,
                tuple(inputs.values()),
                dynamo=True,
                verbose=False,
                input_names=list(inputs),
                output_names=[output],
                dynamic_shapes=tuple(free for _ in inputs),
            )
        except Exception as error:  # the exporter raises what the network's own lines raise
            reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
            raise KpstraError(f"export: {type(network).__name__} cannot be exported: {reason[0][:300]}") from error
    content = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    largest = 0.0
    for given, wanted in zip((inputs, *others), expected, strict=True):
        try:
            found = session.run([output], {name: tensor.cpu().numpy() for name, tensor in given.items()})[0]
        except Exception as error:  # onnxruntime's own types
            shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in given.items())
            reason = " ".join(str(error).split())[:300]
            raise KpstraError(
                f"export: onnxruntime refuses {shapes}, which torch takes ({reason}); {path} was not "
                f"written: not all of {', '.join(axes)} are free in this network"
            ) from error
        largest = max(largest, relative_difference(found, wanted.cpu().numpy()))
    if not largest <= TOLERANCE:
        raise KpstraError(
            f"export: onnxruntime's outputs differ from torch's by {largest:.2g} of the largest; {path} was not written"
        )
    with atomic_write(Path(path)) as stream:
        stream.write(content)
    return largest


def relative_difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest difference as a share of the largest wanted value; infinite for another shape or NaN."""
    if found.shape != wanted.shape or not (np.isfinite(found).all() and np.isfinite(wanted).all()):
        return float("inf")
    largest = float(np.abs(wanted).max())
    return float(np.abs(found - wanted).max()) / (largest or 1.0)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from reporting how it traces, and every constant that it does not fold."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx", "torch._guards")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
