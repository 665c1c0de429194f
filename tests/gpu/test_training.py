"""Training on CUDA: nothing waits for the device, overflow, several processes, going on from a checkpoint."""

import copy

import pytest
import timm
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from plugins.kprpe import KPRPEHandle, inject_kprpe
from plugins.stra import StRABottleneck

L = 5
FORMS = {
    "multihead": {},
    "second order": {"formulation": "second_order"},
    "nonlinear": {"formulation": "nonlinear"},
    "rotary, body": {"formulation": "none", "rotary": "body"},
}


class Vit(nn.Module):
    """A small vision transformer whose keypoints are an argument."""

    def __init__(self, **config) -> None:
        super().__init__()
        sizes = {"embed_dim": 32, "depth": 2, "num_heads": 2, "class_token": False, "global_pool": "avg"}
        self.network = timm.models.VisionTransformer(32, 8, 3, 6, **sizes)
        handle = inject_kprpe(self.network, {"num_keypoints": L, **config})
        handle.fit_pose(torch.rand(100, L, 2))
        for parameter in handle.parameters():
            nn.init.normal_(parameter, 0, 0.1)

    def forward(self, images, points):
        with KPRPEHandle(self.network).set_keypoints(points):
            return self.network(images)


class Stra(nn.Module):
    """A bottleneck with StRA; it has no use for keypoints."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 256, 4, 4), StRABottleneck(256, 64)

    def forward(self, images, points):
        features, diversity = self.block(self.stem(images))
        return features.mean((2, 3)) + diversity.unsqueeze(1)


NETWORKS = {**{form: (lambda config=config: Vit(**config)) for form, config in FORMS.items()}, "stra": Stra}


def batches(count, device="cuda", size=4):
    chance = torch.Generator().manual_seed(1)
    images, points = (
        torch.randn(count, size, 3, 32, 32, generator=chance),
        torch.rand(count, size, L, 2, generator=chance),
    )
    return list(zip(images.to(device), points.to(device), strict=True))


def optimiser_of(network):
    """Not Adam, which makes steps of rounding errors where the gradient is zero."""
    return torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)


def train(network, optimiser, data):
    for images, points in data:
        optimiser.zero_grad()
        network(images, points).square().mean().backward()
        optimiser.step()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", NETWORKS)
def test_no_step_waits_for_the_device(name, dtype):
    """From the second step on; the first builds what is remembered on the device."""
    network = NETWORKS[name]().cuda().train()
    for number, (images, points) in enumerate(batches(3)):
        torch.cuda.set_sync_debug_mode("default" if number == 0 else "error")
        try:
            with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
                loss = network(images, points).float().square().mean()
            loss.backward()
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", NETWORKS)
def test_an_overflow_leaves_the_step_out(name):
    """Infinite gradients: the weights stay, the scale is halved, and the next step is taken."""
    network = NETWORKS[name]().cuda().train()
    optimiser, scaler = torch.optim.AdamW(network.parameters(), 1e-3), torch.amp.GradScaler("cuda", init_scale=2.0)
    before = copy.deepcopy(dict(network.named_parameters()))
    for number, (images, points) in enumerate(batches(2)):
        with torch.autocast("cuda", torch.float16):
            loss = network(images, points).float().square().mean()
        scaler.scale(loss * (float("inf") if number == 0 else 1.0)).backward()
        scaler.step(optimiser)
        scaler.update()
        optimiser.zero_grad()
        same = [torch.equal(parameter, before[key]) for key, parameter in network.named_parameters()]
        assert all(same) if number == 0 else not all(same)
        assert scaler.get_scale() == 1.0


@pytest.mark.parametrize("name", NETWORKS)
def test_going_on_is_going_through(name, tmp_path):
    """Two steps, a checkpoint, two steps: as four, but for the order in which atomic sums are added."""
    torch.manual_seed(0)
    whole = NETWORKS[name]().cuda().train()
    part = copy.deepcopy(whole)
    data = batches(4)
    train(whole, optimiser_of(whole), data)

    optimiser = optimiser_of(part)
    train(part, optimiser, data[:2])
    torch.save({"network": part.state_dict(), "optimiser": optimiser.state_dict()}, tmp_path / "c.pt")
    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    again = NETWORKS[name]().cuda().train()
    optimiser = optimiser_of(again)
    again.load_state_dict(saved["network"])
    optimiser.load_state_dict(saved["optimiser"])
    train(again, optimiser, data[2:])
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, rtol=1e-4, atol=1e-5, msg=key)


def replica(rank, world, name, folder):
    torch.cuda.set_device(rank)
    dist.init_process_group("nccl", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    torch.manual_seed(3)
    network = DistributedDataParallel(NETWORKS[name]().cuda(rank), device_ids=[rank])
    images, points = batches(1, f"cuda:{rank}")[0]
    mine = slice(rank, None, world)
    network(images[mine], points[mine]).square().mean().backward()
    if rank == 0:
        torch.save([p.grad.cpu() for p in network.parameters()], f"{folder}/gradients.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.parametrize("name", ["multihead", "nonlinear"])
def test_gradients_of_several_processes(name, tmp_path):
    """On all devices there are, one to four: those of the whole batch on one."""
    world = max(count for count in (1, 2, 4) if count <= torch.cuda.device_count())
    torch.manual_seed(3)
    network = NETWORKS[name]().cuda()
    images, points = batches(1)[0]
    network(images, points).square().mean().backward()
    mp.spawn(replica, (world, name, str(tmp_path)), world)
    for parameter, found in zip(network.parameters(), torch.load(tmp_path / "gradients.pt"), strict=True):
        torch.testing.assert_close(found, parameter.grad.cpu(), rtol=1e-3, atol=1e-5)
