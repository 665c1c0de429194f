"""Windows in the order of the hosts, and back."""

import pytest
import torch

from plugins.kprpe.position.partition import effective_window, window_partition, window_reverse


def test_partition_orders_windows_and_tokens_as_swin():
    x = torch.arange(24.0).view(4, 6, 1)
    windows = window_partition(x[None, None], (1, 2, 3), (0, 0, 0)).squeeze(-1)
    assert windows.tolist()[0] == [0, 1, 2, 6, 7, 8] and windows.tolist()[3] == [15, 16, 17, 21, 22, 23]
    assert window_partition(x[None, None], (1, 2, 3), (0, 1, 0))[0, 0] == 6
    assert window_partition(torch.ones(1, 1, 3, 5, 1), (1, 2, 3), (0, 0, 0)).sum() == 15  # padding is zero


def test_timm_rolls_before_it_pads():
    x = torch.arange(1.0, 6.0).view(1, 1, 1, 5, 1)
    assert window_partition(x, (1, 1, 3), (0, 0, 1)).squeeze(-1).tolist() == [[2, 3, 4], [5, 0, 1]]
    assert window_partition(x, (1, 1, 3), (0, 0, 1), roll_first=True).squeeze(-1).tolist() == [[2, 3, 4], [5, 1, 0]]


@pytest.mark.parametrize("size", [(1, 4, 6), (3, 5, 7)])
def test_reverse_undoes_partition(size):
    x = torch.randn(2, *size, 3)
    window, shift = effective_window(size, (2, 4, 3), (1, 2, 1), shrink=True)
    assert torch.equal(window_reverse(window_partition(x, window, shift), window, shift, size), x)
