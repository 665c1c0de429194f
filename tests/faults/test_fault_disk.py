"""Full disks and folders that cannot be written: one line, no part of a file, and the rerun finishes."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from gait_data import command, write_data
from hypothesis import given
from hypothesis import strategies as st
from reid_data import SMALL

from opengait_ext.data.safe_pickle import read_array
from plugins.common.files import atomic_write
from plugins.errors import KpstraError

FULL, CLOSED = "disk full", "output that cannot be written: read-only, no folder, name too long"
NAMED = "error names the file, nothing partial left"
RAW = Path(__file__).parents[1] / "data" / "pets-mini" / "gait_raw"


class Refusing:
    """A stream whose writes fail after so many bytes."""

    def __init__(self, stream, capacity, number):
        self.stream, self.capacity, self.number = stream, capacity, number

    def write(self, data):
        self.capacity -= len(data)
        if self.capacity < 0:
            raise OSError(self.number, os.strerror(self.number))
        return self.stream.write(data)


@given(
    old=st.one_of(st.none(), st.binary(max_size=9)),
    chunks=st.lists(st.binary(max_size=9), max_size=5),
    capacity=st.integers(0, 30),
    number=st.sampled_from([errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO]),
    wrapped=st.booleans(),
)
def test_a_write_that_fails_anywhere(tmp_path, record, old, chunks, capacity, number, wrapped):
    """The file is the old one or the new one; torch hides the disk's error behind one of its own."""
    path = tmp_path / "datei ü.bin"
    path.unlink(missing_ok=True)
    if old is not None:
        path.write_bytes(old)
    try:
        with atomic_write(path) as stream:
            try:
                for chunk in chunks:
                    Refusing(stream, capacity, number).write(chunk)
                    capacity -= len(chunk)
            except OSError as error:
                if wrapped:
                    raise RuntimeError("unexpected pos") from error
                raise
    except KpstraError as error:
        assert str(error).startswith(f"{path}: cannot be written: {os.strerror(number)}")
        assert (path.read_bytes() if path.exists() else None) == old
        record(FULL, NAMED)
    else:
        assert path.read_bytes() == b"".join(chunks)
        record(FULL, "written whole: it fitted")
    assert [p for p in tmp_path.iterdir() if p != path] == []


def test_other_errors_of_the_block_stay(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a"):
        (tmp_path / "missing").read_bytes()


@pytest.mark.parametrize("where", ["file/a", "a" * 300, "file"])
def test_places_that_cannot_be_written(tmp_path, record, where):
    (tmp_path / "file").write_text("old")
    path = tmp_path / where / "b" if where == "file" else tmp_path / where
    with pytest.raises(KpstraError, match="cannot be written"), atomic_write(path) as stream:
        stream.write(b"x")
    assert (tmp_path / "file").read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    record(CLOSED, NAMED)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_read_only_folders(tmp_path, monkeypatch, record, number):
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (_ for _ in ()).throw(OSError(number, os.strerror(number))))
    with pytest.raises(KpstraError, match=os.strerror(number)), atomic_write(tmp_path / "a"):
        pass
    record(CLOSED, NAMED)


def program(words, options):
    """The command line ``python -m WORDS`` with more options, whose values are paths."""
    return [sys.executable, "-m", *words.split(), *(str(word) for option in options.items() for word in option)]


def limited(arguments, kilobytes=None):
    """Run a command whose files may not grow beyond a size, as on a full disk."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        if kilobytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes << 10, kilobytes << 10))

    return subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=limit,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
    )


def told(done, prefix):
    """It ended with status 2 and one line, last of the errors."""
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert done.stderr.strip().splitlines()[-1].startswith(f"{prefix}: error: "), done.stderr[-2000:]


def test_prepare_then_again(tmp_path, record):
    options = {"--silhouettes": RAW / "2D_Silhouettes", "--poses": RAW / "2D_Poses", "--output": tmp_path / "out"}
    arguments = program("opengait_ext prepare --workers 1", options)
    for kilobytes in (0, 1, 20):
        told(limited(arguments, kilobytes), "opengait-ext prepare")
        assert not list(tmp_path.rglob("*.pkl")) and not list(tmp_path.rglob(".partial"))
        record(FULL, NAMED)
    again = limited(arguments)
    assert again.returncode == 0, again.stderr
    assert sum(len(read_array(path)) for path in (tmp_path / "out").rglob("0_sil.pkl")) == 620


@pytest.mark.slow
def test_training_gait(tmp_path, record):
    data = write_data(tmp_path, frames=3)
    done = limited(command(data, "trainer_cfg.total_iter=1", "trainer_cfg.sampler.frames_num_fixed=2"), 100)
    told(done, "opengait-ext")
    assert "-00001.pt: cannot be written: " in done.stderr and not list(tmp_path.rglob("*.pt*"))
    record(FULL, NAMED)


@pytest.mark.slow
def test_training_reid(tmp_path, market_root, record):
    small = [*program("reid_ext", {"--root": market_root}), *SMALL, "train.max_epoch", "1", "train.batch_size", "64"]
    done = limited([*small, "data.save_dir", str(tmp_path / "log")], 1000)
    told(done, "reid-ext")
    assert "model.pth.tar-1: cannot be written: " in done.stderr and not list(tmp_path.rglob("*.tar*"))
    record(FULL, NAMED)
    (tmp_path / "file").write_text("")
    told(limited([*small, "data.save_dir", str(tmp_path / "file" / "log")]), "reid-ext")
    record(CLOSED, NAMED)


@pytest.mark.parametrize("package", ["opengait_ext", "reid_ext"])
def test_walkers(tmp_path, record, package):
    size = {"opengait_ext": "--validation 0 --sequences 4 --frames 4", "reid_ext": "--crops 2 --cameras 2"}[package]
    arguments = program(f"{package} walkers --identities 4 --train 2 {size}", {"--output": tmp_path / "out"})
    done = limited(arguments, 0)
    told(done, f"{package.replace('_', '-')} walkers")
    data = [path for path in tmp_path.rglob("*") if path.suffix in (".pkl", ".jpg", ".json") and path.is_file()]
    assert [path for path in data if not path.stat().st_size] == []
    record(FULL, NAMED)
