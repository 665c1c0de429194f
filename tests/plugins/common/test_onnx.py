"""ONNX files: compared before they are put in place, and what stands in for StRA's own operator."""

import numpy as np
import pytest
import torch
from torch import nn

from plugins.common.onnx import export_onnx, relative_difference
from plugins.errors import KpstraError
from plugins.stra import StRAttention
from plugins.stra.neighbourhood import aggregate, sum_of_shifts

onnxruntime = pytest.importorskip("onnxruntime")


def images(batch):
    return {"images": torch.randn(batch, 16, 6, 5)}


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = StRAttention(16, groups=2)

    def forward(self, x):
        return self.attention(x)[0]


@pytest.mark.slow
def test_other_outputs_are_refused(tmp_path):
    """The file that was there stays."""
    path, wrong = tmp_path / "x.onnx", {"images": torch.full((1, 16), float("nan"))}
    path.write_bytes(b"before")
    with pytest.raises(KpstraError, match=r"differ from torch's by inf of the largest; .*x.onnx was not written"):
        export_onnx(nn.Linear(16, 2), {"images": torch.randn(2, 16)}, [wrong], ("batch",), "y", path)
    assert path.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_a_file_that_cannot_be_written_is_refused_first(tmp_path):
    """Not after the minutes that an export takes."""
    asked = []
    network = nn.Linear(16, 2)
    network.register_forward_pre_hook(lambda *_: asked.append(1))
    with pytest.raises(KpstraError, match="cannot be written: Is a directory"):
        export_onnx(network, {"images": torch.randn(2, 16)}, [], ("batch",), "y", tmp_path)
    assert not asked


@pytest.mark.slow
def test_stra(tmp_path):
    """Outputs equal torch's for another batch."""
    network, path = Features().eval(), tmp_path / "x.onnx"
    assert export_onnx(network, images(2), [images(1), images(5)], ("batch",), "y", path) < 1e-5
    given = images(3)
    session = onnxruntime.InferenceSession(path)
    assert session.get_inputs()[0].shape == ["batch", 16, 6, 5] and len(list(tmp_path.iterdir())) == 1
    with torch.no_grad():
        np.testing.assert_allclose(
            session.run(["y"], {"images": given["images"].numpy()})[0], network(given["images"]), atol=1e-5
        )


def test_a_network_that_cannot_be_exported(tmp_path):
    class Looks(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(KpstraError, match=r"export: (Looks cannot be exported: |onnxruntime refuses images )"):
        export_onnx(Looks(), images(2), [], ("batch",), "y", tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_relative_difference():
    assert relative_difference(np.array([1.0, 4.5]), np.array([1.0, 5.0])) == pytest.approx(0.1)
    assert relative_difference(np.array([1e-9]), np.array([2e-9])) == pytest.approx(0.5)
    assert relative_difference(np.zeros(3), np.zeros(3)) == 0
    assert relative_difference(np.zeros((2, 3)), np.zeros(3)) == float("inf")
    assert relative_difference(np.array([np.nan]), np.zeros(1)) == float("inf")


@pytest.mark.parametrize("size", [(7, 9), (3, 2), (1, 1)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_the_sum_of_shifts_is_the_banded_product(size, kernel_size):
    weights, values = torch.randn(2, 4, kernel_size**2, *size), torch.randn(2, 12, *size)
    torch.testing.assert_close(sum_of_shifts(weights, values, kernel_size), aggregate(weights, values, kernel_size))
