"""Optimisers: the host's as they are, and AdamW with the host's groups."""

import pytest
import torch
from torch import nn

from reid_ext.settings.load import load_config, optimizer_kwargs
from reid_ext.training.optimisers import OPTIMISERS, build_optimizer


class Two(nn.Module):
    """A base and a classifier."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.base, self.classifier = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.classifier(self.base(x))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_one_steps(name):
    model = Two()
    before = model.base.weight.clone()
    optimiser = build_optimizer(model, **optimizer_kwargs(load_config(opts=["train.optim", name])))
    model(torch.ones(2, 3)).sum().backward()
    optimiser.step()
    assert not torch.equal(model.base.weight, before)


def test_adamw_decays_beside_the_gradient():
    """A parameter of no gradient's size shrinks by lr x decay; the base has a tenth of the rate."""
    given = ["train.optim", "adamw", "train.lr", "0.01", "train.weight_decay", "0.3", "train.staged_lr", "True"]
    model = Two()
    optimiser = build_optimizer(model, **optimizer_kwargs(load_config(opts=[*given, "adam.beta1", "0.8"])))
    assert type(optimiser) is torch.optim.AdamW and {group["betas"] for group in optimiser.param_groups} == {
        (0.8, 0.999)
    }
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for value in model.parameters():
        value.grad = torch.zeros_like(value)
    optimiser.step()
    for name, value in model.named_parameters():
        rate = 0.01 if name.startswith("classifier") else 0.001
        torch.testing.assert_close(value, before[name] * (1 - rate * 0.3))
