"""StRA under DistributedDataParallel and on the uneven parts that DataParallel makes of a batch."""

import copy

import pytest
import torch
from ranks import run_ranks
from torch.nn.parallel import DataParallel, DistributedDataParallel

from plugins.stra import StRAttention


def loss_of(attention, x):
    y, diversity = attention(x)
    return y.square().mean() + diversity.mean()


def worker(rank, state, x, path):
    attention = StRAttention(16, 4).eval()  # running statistics: the parts' losses are then those of the whole
    attention.load_state_dict(state)
    wrapped = DistributedDataParallel(attention)  # kept alive: its hooks reduce the gradients
    loss_of(wrapped, x[rank::2]).backward()
    if rank == 0:
        torch.save({name: p.grad for name, p in attention.named_parameters()}, path)


def test_distributed_gradients_equal_the_whole_batch(tmp_path):
    attention, x = StRAttention(16, 4).eval(), torch.randn(6, 16, 5, 4)
    run_ranks(worker, attention.state_dict(), x, tmp_path / "grads.pt")
    loss_of(attention, x).backward()
    grads = torch.load(tmp_path / "grads.pt")
    for name, parameter in attention.named_parameters():
        torch.testing.assert_close(grads[name], parameter.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("sizes", [(4, 3), (5, 5, 1)])
def test_uneven_parts_gather_to_the_whole(sizes):
    attention, x = StRAttention(16, 4).eval(), torch.randn(sum(sizes), 16, 5, 4)
    parts = [copy.deepcopy(attention)(part) for part in x.split(sizes)]
    y, diversity = attention(x)
    torch.testing.assert_close(torch.cat([part[0] for part in parts]), y)
    torch.testing.assert_close(torch.cat([part[1] for part in parts]), diversity)
    wrapped = DataParallel(attention)
    torch.testing.assert_close(wrapped.cpu()(x)[1], diversity)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_data_parallel_on_two_devices():
    attention, x = StRAttention(16, 4).eval().cuda(), torch.randn(7, 16, 5, 4).cuda()
    y, diversity = DataParallel(attention, device_ids=[0, 1])(x)
    torch.testing.assert_close((y, diversity), attention(x), atol=1e-4, rtol=1e-4)
