"""Unpickling: arrays of every protocol and of Python 2, and nothing that runs code."""

import io
import os
import pickle

import numpy as np
import pytest

from plugins.common.unpickling import ArrayUnpickler

PYTHON2 = (  # pickle.dumps([np.array([1, 2], 'uint8'), 'ab'], 2) of Python 2
    b"\x80\x02]q\x00(cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03("
    b"K\x01K\x02\x85cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    b"K\x00tb\x89U\x02\x01\x02tbU\x02abe."
)


def load(content, **options):
    return ArrayUnpickler(io.BytesIO(content), **options).load()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_lists_bytes_and_truth_values(protocol):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = load(pickle.dumps((array, [b"a", True], {"one": 1}), protocol))
    np.testing.assert_array_equal(content[0].array, array)
    assert content[1:] == ([b"a", True], {"one": 1})


def test_what_python_2_wrote():
    array, text = load(PYTHON2, encoding="bytes")
    assert (array.array.tolist(), array.array.dtype, text) == ([1, 2], np.uint8, b"ab")


@pytest.mark.parametrize("called", [os.getcwd, np.load, eval, bytes.fromhex])
def test_nothing_is_called(called):
    class Caller:
        def __reduce__(self):
            return called, ()

    with pytest.raises(pickle.UnpicklingError, match="which no array needs"):
        load(pickle.dumps([Caller()]))
