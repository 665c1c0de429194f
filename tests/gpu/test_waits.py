"""A whole training step in the hosts' own loops makes nobody wait for the device beyond what the host waits for."""

import json
from types import SimpleNamespace

import programs
import pytest
import torch
from gait_data import EMBEDDED, OPENGAIT, write_data
from gait_waits import NETWORKS, counted

import reid_ext
from reid_ext.host import torchreid
from reid_ext.models.options import building
from reid_ext.training.engines import MarginEngine, SoftmaxEngine, StRASoftmaxEngine
from reid_ext.training.margins import MARGINS, give_margin

reid_ext.register()
SIZE, PEOPLE = (256, 128), 5
HOSTS = [
    EMBEDDED,
    pytest.param(OPENGAIT, marks=pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set")),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("gait"), frames=6)


@pytest.mark.parametrize("float16", ["true", "false"])
@pytest.mark.parametrize("host", HOSTS)
def test_gait(host, float16, data, tmp_path):
    """Copies of batches count too: the host waits for them, and our loader's are in pinned memory."""
    done = programs.run("opengait_ext", "-m", "gait_waits", host, str(data), float16, cwd=tmp_path)
    found = json.loads(done.stdout.splitlines()[-1])
    reference = found.pop("host")
    assert reference and len(found) == len(NETWORKS)
    for name, waits in found.items():
        assert len(waits) <= len(reference), (name, waits, reference)


def build(name, **kprpe):
    torch.manual_seed(0)
    with building(SIZE, kprpe):
        return torchreid.models.build_model(name, PEOPLE, "softmax", pretrained=False, use_gpu=False)


def reid_waits(engine_class, model, steps=4):
    """What the last of some steps of an engine waits for."""
    keypoints = torch.rand(4, 17, 3) * torch.tensor([SIZE[1], SIZE[0], 1.0])
    batch = {"img": torch.randn(4, 3, *SIZE), "pid": torch.tensor([0, 0, 1, 1]), "keypoints": keypoints}
    batch = {name: value.pin_memory() for name, value in batch.items()}  # as the host's loader gives them
    data = SimpleNamespace(train_loader=[batch], test_loader={}, num_train_pids=PEOPLE, sources=[])
    model.cuda()
    optimizer = torchreid.optim.build_optimizer(model, optim="amsgrad", lr=1e-4)
    engine = engine_class(data, model, optimizer=optimizer, use_gpu=True)
    engine.set_model_mode("train")
    for _ in range(steps):
        with counted() as found:
            engine.forward_backward(batch)
    return found


def with_margin(name):
    model = build("resnet50_fc512")
    give_margin(model, name)
    return model


STEPS = {
    "plain": (SoftmaxEngine, lambda: build("resnet50_fc512")),
    "StRA": (StRASoftmaxEngine, lambda: build("resnet50_stra")),
    "MobileNetV2, StRA": (StRASoftmaxEngine, lambda: build("mobilenetv2_x1_0_stra")),
    "KP-RPE": (SoftmaxEngine, lambda: build("vit_small_patch16_kprpe")),
    "KP-RPE, second order": (SoftmaxEngine, lambda: build("vit_small_patch16_kprpe", formulation="second_order")),
    **{name: (MarginEngine, lambda name=name: with_margin(name)) for name in MARGINS},
}


@pytest.fixture(scope="module")
def torchreids():
    """What torchreid's own engine waits for with a plain network."""
    return reid_waits(torchreid.engine.ImageSoftmaxEngine, build("resnet50_fc512"))


@pytest.mark.parametrize("step", STEPS)
def test_reid(step, torchreids):
    engine, make = STEPS[step]
    found = reid_waits(engine, make())
    assert torchreids and len(found) <= len(torchreids), (found, torchreids)
