"""Keypoints of several threads: each has its own, and compiled code, which cannot tell them apart, takes no other's."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest import mock

import pytest
import torch
from attention_networks import JOINTS as L
from attention_networks import NETWORKS, randomise

from plugins.errors import KpstraError
from plugins.kprpe import inject_kprpe
from plugins.kprpe.context import KeypointContext
from plugins.kprpe.keypoints import Keypoints

ONE, OTHER = Keypoints(torch.zeros(1, 1, 2)), Keypoints(torch.ones(1, 1, 2))


@contextmanager
def set_in_another_thread(context, keypoints):
    """Hold keypoints in another thread for the block."""
    within, end = threading.Event(), threading.Event()

    def hold():
        with torch.no_grad(), context.set(keypoints):
            within.set()
            end.wait(10)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(hold)
        assert within.wait(10)
        try:
            yield end
        finally:
            end.set()
            running.result()


def compiled(context):
    """What compiled code reads."""
    with mock.patch("torch.compiler.is_compiling", return_value=True):
        return context.get()


def test_compiled_code_takes_the_keypoints_of_no_other_thread():
    context = KeypointContext()
    with context.set(ONE):
        with set_in_another_thread(context, OTHER):
            assert context.get() is ONE
            with pytest.raises(KpstraError, match="several threads have set keypoints of one network"):
                compiled(context)
        assert context.get() is ONE and compiled(context) is ONE
        with context.set(OTHER):
            assert compiled(context) is OTHER
        assert compiled(context) is ONE
    with pytest.raises(KpstraError, match="no keypoints set"):
        compiled(context)


def test_nothing_is_left_of_threads_that_overlap():
    context = KeypointContext()
    mine = context.set(ONE)
    with torch.no_grad():
        mine.__enter__()
        with set_in_another_thread(context, OTHER):
            mine.__exit__(None, None, None)
            with pytest.raises(KpstraError, match="no keypoints set"):
                context.get()
        with pytest.raises(KpstraError, match="no keypoints set"):
            compiled(context)


@pytest.mark.slow
def test_a_compiled_network_in_two_threads_is_right():
    """It is not compiled while two threads have keypoints."""
    network, x, points = NETWORKS["timm vit"].parts()
    handle = inject_kprpe(network.eval(), {"num_keypoints": L})
    randomise(handle)
    run = torch.compile(network, backend="eager")
    with torch.no_grad(), handle.set_keypoints(points):
        expected = network(x)
        torch.testing.assert_close(run(x), expected)
        with set_in_another_thread(handle.context, Keypoints(points.flip(0))):
            torch.testing.assert_close(run(x), expected)
    with torch.no_grad(), pytest.raises(KpstraError, match="no keypoints set"):
        run(x)
