"""Engines with models that are not theirs, and batches without a triplet."""

from types import SimpleNamespace

import pytest
import torch

import reid_ext
from plugins.errors import KpstraError
from reid_ext.host import torchreid
from reid_ext.training import engines

reid_ext.register()


def engine(name, loss, people=10, model="mobilenetv2_x1_0"):
    built = torchreid.models.build_model(model, 10, loss=loss, pretrained=False, use_gpu=False)
    optimizer = torchreid.optim.build_optimizer(built, optim="sgd", lr=0.01)
    data = SimpleNamespace(train_loader=[], test_loader={}, num_train_pids=people, sources=[])
    return getattr(engines, name)(data, built, optimizer=optimizer, use_gpu=False)


@pytest.mark.parametrize(
    ("name", "loss", "model"),
    [
        ("TripletEngine", "softmax", "mobilenetv2_x1_0"),
        ("SoftmaxEngine", "triplet", "mobilenetv2_x1_0"),
        ("StRATripletEngine", "softmax", "mobilenetv2_x1_0_stra"),
        ("StRASoftmaxEngine", "triplet", "mobilenetv2_x1_0_stra"),
    ],
)
def test_a_model_built_for_another_loss(name, loss, model):
    other = {"softmax": "triplet", "triplet": "softmax"}[loss]
    with pytest.raises(KpstraError, match=f"{name}: needs a model built with loss='{other}', .* with loss='{loss}'"):
        engine(name, loss, model=model)


def test_a_model_of_fewer_people():
    with pytest.raises(KpstraError, match="tells 10 people apart, but the training data has 11"):
        engine("SoftmaxEngine", "softmax", people=11)


def test_a_batch_of_one_person():
    batch = {"img": torch.randn(4, 3, 64, 32), "pid": torch.tensor([3, 3, 3, 3])}
    with pytest.raises(KpstraError, match="epoch 1, batch 1: all 4 images are of one person"):
        engine("TripletEngine", "triplet").forward_backward(batch)
