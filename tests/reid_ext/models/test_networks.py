"""Our models in torchreid's factory: its contract, the published complexity, one step through its own engines."""

from types import SimpleNamespace

import pytest
import torch
from reid_data import COMPLEXITY
from torch.utils.flop_counter import FlopCounterMode

import reid_ext
from plugins.errors import KpstraError
from reid_ext.host import torchreid
from reid_ext.models.factory import MODELS
from reid_ext.models.networks import DiversityOutputs, StRAResNet

reid_ext.register()
QUICK = ("resnet50_stra", "resnet50_conv", "mobilenetv2_x1_0_stra", "mobilenetv2_x1_0_ls1")
MOST_SLOW = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]


# parameters in millions without the classifier, multiply-accumulates in G at 256x128 (None: not published)
def build(name, **kwargs):
    return torchreid.models.build_model(name, 10, pretrained=False, use_gpu=False, **kwargs)


def complexity(name):
    model = build(name).eval()
    parameters = sum(p.numel() for key, p in model.named_parameters() if not key.startswith("classifier"))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 256, 128))
    by_kernel = {str(kernel): flops / 2 for kernel, flops in counter.get_flop_counts()["Global"].items()}
    return parameters, sum(by_kernel.values()), by_kernel["aten.convolution"]


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in COMPLEXITY]
)
def test_complexity_is_the_published_one(name):
    parameters, flops, _ = complexity(name)
    millions, giga = COMPLEXITY[name]
    if millions is not None:
        assert parameters / 1e6 == pytest.approx(millions, rel=0.01)
    assert flops / 1e9 == pytest.approx(giga, rel=0.01)


def test_nonlocal_convolutions_alone_are_the_papers_count():
    assert complexity("resnet50_nonlocal")[2] / 1e9 == pytest.approx(7.28, rel=0.01)


def test_the_matched_baseline_is_the_row_with_convolutions():
    """torchreid's blocks under its names: equal to StRA's block with a convolution and no mode attention."""
    ours, row = build("resnet50_conv").eval(), StRAResNet(10, "softmax", operator="conv", mode_attention=False).eval()
    renamed = {key.replace("conv2.local.", "conv2."): value for key, value in row.state_dict().items()}
    ours.load_state_dict(renamed)
    x = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), row(x))
    assert not isinstance(ours, DiversityOutputs)


def test_the_matched_baseline_has_the_papers_size_to_four_digits():
    parameters, flops, _ = complexity("resnet50_conv")
    assert (round(parameters / 1e6, 2), round(flops / 1e9, 3)) == (24.56, 4.054)


@pytest.mark.parametrize(
    ("width", "published", "eight", "sixteen"), [("x1_0", 370, 371.9, 366.4), ("x1_4", 720, 707.8, 697.1)]
)
def test_mobilenet_with_8_modes_is_nearest_to_the_published_size(width, published, eight, sixteen):
    counted = [round(complexity(f"mobilenetv2_{width}_stra{modes}")[1] / 1e6, 1) for modes in ("", "_g16")]
    assert counted == [eight, sixteen]
    assert abs(eight - published) < abs(sixteen - published) and eight == pytest.approx(published, rel=0.02)


def test_the_factory_lists_ours_beside_the_hosts(capsys):
    reid_ext.register()
    torchreid.models.show_avai_models()
    listed = capsys.readouterr().out
    assert all(f"'{name}'" in listed for name in [*MODELS, "resnet50_fc512"])


@pytest.mark.parametrize("name", MOST_SLOW)
def test_outputs_honour_the_hosts_contract(name):
    width = 1792 if "x1_4" in name else 1280 if "mobilenet" in name else 512
    x = torch.randn(2, 3, 64, 32)
    model = build(name)
    assert model(x).shape == (2, 10)
    assert model.eval()(x).shape == (2, width)
    logits, features = build(name, loss="triplet")(x)
    assert logits.shape == (2, 10) and features.shape == (2, width)


@pytest.mark.parametrize(("loss", "count"), [("softmax", 2), ("triplet", 3)])
@pytest.mark.parametrize("name", ["resnet50_stra", "mobilenetv2_x1_0_stra"])
def test_diversity_comes_only_when_asked_for(name, loss, count):
    model, x = build(name, loss=loss), torch.randn(5, 3, 64, 32)
    model.return_diversity = True
    outputs = model(x)
    assert len(outputs) == count and outputs[-1].shape == (5,)
    assert (outputs[-1] > 0).all() and (outputs[-1] < 3 * 8).all()  # three blocks, each below G
    assert isinstance(model.eval()(x), torch.Tensor)


def test_without_mode_attention_the_diversity_is_zero():
    model = build("resnet50_stra_local")
    model.return_diversity = True
    assert torch.equal(model(torch.randn(2, 3, 64, 32))[1], torch.zeros(2))


def test_featuremaps_are_what_is_pooled():
    model, x = build("resnet50_stra").eval(), torch.randn(2, 3, 64, 32)
    torch.testing.assert_close(model.fc(model.featuremaps(x).mean((2, 3))), model(x))


@pytest.mark.parametrize("name", ["resnet50_stra", "mobilenetv2_x1_0_stra"])
def test_the_hosts_counter_counts_our_layers(name):
    model, counts = build(name).eval(), []

    def count(layer, inputs, output):
        weights, bias = layer.weight[0].numel(), layer.bias is not None
        counts.append(output.numel() * weights + output.numel() * bias // getattr(layer, "groups", 1))  # as the host

    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(count)
    _, flops = torchreid.utils.compute_model_complexity(model, (1, 3, 64, 32))
    assert flops == sum(counts)


def test_unknown_loss_is_refused():
    with pytest.raises(KpstraError, match="'softmaxx' is not one of softmax, triplet"):
        build("resnet50_stra", loss="softmaxx")


@pytest.mark.parametrize("name", ["resnet50_stra", "mobilenetv2_x1_0_stra"])
def test_scripted_copies_and_state_dicts_round_trip(name):
    first, second = build(name).eval(), build(name).eval()
    second.load_state_dict(first.state_dict())
    x = torch.randn(2, 3, 64, 32)
    assert torch.equal(first(x), second(x))


def stub_data(batch):
    return SimpleNamespace(train_loader=[batch], test_loader={}, num_train_pids=10, sources=[])


@pytest.mark.parametrize("loss", ["softmax", "triplet"])
@pytest.mark.parametrize("name", MOST_SLOW)
def test_trains_one_step_through_the_hosts_unmodified_engine(name, loss):
    model = build(name, loss=loss)
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    engine_class = torchreid.engine.ImageSoftmaxEngine if loss == "softmax" else torchreid.engine.ImageTripletEngine
    batch = {"img": torch.randn(4, 3, 64, 32), "pid": torch.tensor([0, 0, 1, 1])}
    optimizer = torchreid.optim.build_optimizer(model, optim="sgd", lr=0.1)
    engine = engine_class(stub_data(batch), model, optimizer=optimizer, use_gpu=False)
    engine.set_model_mode("train")
    summary = engine.forward_backward(batch)
    assert all(value == value for value in summary.values())
    unmoved = [key for key, p in model.named_parameters() if torch.equal(before[key], p)]
    # biases before a batch norm have no gradient, nor have convolutions behind non-local's zero-initialised norm
    assert not [key for key in unmoved if key.endswith("weight") and "nonlocal_block" not in key]


@pytest.mark.parametrize("name", ["resnet50_stra", "mobilenetv2_x1_4_stra"])
def test_models_with_diversity_are_recognised(name):
    assert isinstance(build(name), DiversityOutputs)
