"""The embedded host's networks against OpenGait itself, where a checkout is at hand: same seed, same everything."""

import copy
import sys

import numpy as np
import pytest
import torch
import yaml
from host_parity import BACKBONE, NECKS, assert_same, seed
from torch import nn

pytest_plugins = ["host_folders"]


def network(cls, model_cfg):
    """A model without loaders, losses and optimiser."""
    model = cls.__new__(cls)
    nn.Module.__init__(model)
    model.T_max_iter, model.iteration, model.optimizer = 10, 0, torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    model.optimizer.param_groups[0]["initial_lr"] = 1.0
    seed(3)
    model.build_network(model_cfg)
    model.init_parameters()
    return model


def outputs(model, frames=4):
    """State, and outputs in training (with its randomness) and, of two sequences of unequal length, in evaluation."""
    state = copy.deepcopy(model.state_dict())
    sils, labels = torch.rand(3, frames, 64, 44), torch.arange(3)
    model.train()
    seed(4)
    trained = model(([sils], labels, None, None, None))
    loss = trained["training_feat"]["softmax"]["logits"].square().mean()
    loss.backward()
    model.eval()
    with torch.no_grad():
        tested = model(([sils[:1]], labels[:1], None, None, torch.tensor([[frames - 3, 3]])))
    return state, [trained, tested, {name: p.grad for name, p in model.named_parameters()}]


@pytest.mark.parametrize("frames", [4, 7])
def test_swingait(both, frames):
    cfg = {"Backbone": BACKBONE, "SeparateBNNecks": NECKS, "bin_num": [15]}
    (state, out), (their_state, their_out) = both(
        lambda host: outputs(network(host("modeling.models.swingait").SwinGait, cfg), frames)
    )
    assert_same(state, their_state)
    assert_same(out, their_out, exactly=False)


@pytest.mark.parametrize("mode", ["2d", "p3d", "3d"])
def test_deepgaitv2(both, mode):
    cfg = {"Backbone": {**BACKBONE, "mode": mode}, "SeparateBNNecks": NECKS, "use_emb2": mode == "2d"}
    (state, out), (their_state, their_out) = both(
        lambda host: outputs(network(host("modeling.models.deepgaitv2").DeepGaitV2, cfg))
    )
    assert_same(state, their_state)
    assert_same(out, their_out, exactly=False)


def test_window_functions(both):
    """The mask of shifted windows, windows of small features, and the initialiser."""

    def compute(host):
        swin = host("modeling.models.swingait")
        found = []
        for window, shift in (((3, 3, 5), (1, 1, 2)), ((1, 3, 5), (0, 1, 2)), ((2, 4, 4), (0, 0, 0))):
            size = tuple(3 * side for side in window)
            found.append(swin.compute_mask(*size, window, shift, torch.device("cpu")))
            found.append(swin.get_window_size((2, 3, 9), window, shift))
            windows = swin.window_partition(torch.arange(2.0 * 27 * np.prod(window)).view(2, *size, 1), window)
            found += [windows, swin.window_reverse(windows, window, 2, *size)]
        seed(0)
        return [*found, swin.trunc_normal_(torch.empty(999)), swin.trunc_normal_(torch.empty(99), 0.5, 0.02, -1.0, 0.5)]

    assert_same(*both(compute))


@pytest.mark.parametrize("window", [[1, 3, 5], [3, 3, 5], [2, 7, 7]])
@pytest.mark.parametrize("frames", [1, 5])
def test_shifted_windows_of_any_size(both, window, frames):
    def compute(host):
        seed(0)
        net = host("modeling.models.swingait").SwinTransformer3D(
            patch_size=[2, 2, 2],
            in_chans=3,
            embed_dim=16,
            depths=[2],
            num_heads=[2],
            window_size=window,
            drop_path_rate=0.3,
            drop_rate=0.1,
            patch_norm=True,
            downsample=[0],
        )
        net.norm = nn.Identity()
        for parameter in net.parameters():
            nn.init.normal_(parameter, 0, 0.3)
        x = torch.randn(2, 3, frames, 21, 13)
        net.train()
        return net(x)

    assert_same(*both(compute), exactly=False)


def test_default_configuration(both):
    """The same keys and values."""

    def compute(host):
        return yaml.safe_load((host.root / "configs" / "default.yaml").read_text())

    ours, theirs = both(compute)
    assert ours == theirs


def test_names(both):
    """Every public helper of ours is OpenGait's, but the one for devices; what nothing here calls is left out."""
    ours, theirs = both(lambda host: {name for name in vars(host("utils")) if not name.startswith("_")})
    assert ours - theirs == {"run_device", "DDPPassthrough"}
    unused = {"is_str", "is_int", "is_int_list", "is_array", "config_loader"}
    assert theirs - ours == {"handler", "Ntuple", *unused}
    assert "modeling" not in sys.modules
