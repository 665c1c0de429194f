"""Keypoints reach a network that is called with images alone."""

import warnings

import pytest
import torch
from keypoint_network import TinyKeypoints
from torch import nn

from reid_ext.host import torchreid
from reid_ext.models import factory
from reid_ext.models.feed import KeypointFeed, complexity, takes_keypoints
from reid_ext.models.options import building


def test_the_next_call_gets_them_and_no_other():
    model = TinyKeypoints(4).eval()
    images, keypoints = torch.rand(2, 3, 16, 8), torch.rand(2, 17, 3)
    expected = model(images, keypoints)
    feed = KeypointFeed(model)
    feed.give(keypoints)
    assert torch.equal(model(images), expected)
    try:
        model(images)
    except TypeError as error:
        assert "keypoints" in str(error)
    else:
        raise AssertionError("the keypoints of another batch were used")
    feed.give(torch.zeros(2, 17, 3))
    assert torch.equal(model(images, keypoints), expected)  # given by hand: those count


def test_tracklets_are_flattened_as_their_frames_are():
    model, keypoints = TinyKeypoints(4).eval(), torch.rand(2, 5, 17, 3)
    KeypointFeed(model).give(keypoints)
    assert model(torch.rand(10, 3, 16, 8)).shape == (10, 8)
    assert torch.equal(model.seen[1], keypoints.view(10, 17, 3))


def test_what_takes_keypoints():
    model = TinyKeypoints(4)
    assert takes_keypoints(model) and takes_keypoints(nn.DataParallel(model)) and not takes_keypoints(nn.Linear(2, 2))


def test_complexity_is_counted_with_keypoints():
    """Two linear layers an image, as the host counts them; the network takes no keypoints by itself afterwards."""
    model = TinyKeypoints(4)
    parameters, operations = complexity(model, (1, 3, 16, 8))
    assert parameters == sum(p.numel() for p in model.parameters()) - sum(
        p.numel() for p in model.classifier.parameters()
    )
    assert operations == 8 * (3 + 1) + 8 * (51 + 1)  # with the biases
    assert not model._forward_pre_hooks


@pytest.mark.parametrize("settings", [{"rotary": "body"}, {"standardised": True}, {"keypoints": "constant"}], ids=str)
def test_counting_warns_of_no_missing_mean_pose_and_hides_no_warning(settings):
    factory.register()
    with building((32, 32), settings):
        model = torchreid.models.build_model("vit_mini_patch8_kprpe", 3, pretrained=False).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        complexity(model, (1, 3, 32, 32))
    keypoints = torch.rand(1, 17, 3)
    with pytest.warns(UserWarning, match="no mean pose"):
        model(torch.rand(1, 3, 32, 32), keypoints)
