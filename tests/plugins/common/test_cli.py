"""How command lines end."""

import errno

import pytest

from plugins.common.cli import command
from plugins.errors import KpstraError


@pytest.mark.parametrize(
    ("ended", "status", "said"),
    [
        (None, 0, ""),
        (KpstraError("x: wrong"), 2, "p: error: x: wrong\n"),
        (OSError(errno.ENOSPC, "No space left on device", "file"), 2, "p: error: file: No space left on device\n"),
        (KeyboardInterrupt(), 130, "\np: interrupted; go on\n"),
        (KeyboardInterrupt("resume y"), 130, "\np: interrupted; resume y\n"),
    ],
)
def test_endings(capsys, ended, status, said):
    @command("p", "go on")
    def main():
        if ended:
            raise ended

    assert main() == status and capsys.readouterr().err == said


def test_a_status_and_a_mistake_of_ours_pass():
    assert command("p")(lambda status: status)(1) == 1
    with pytest.raises(ZeroDivisionError):
        command("p")(lambda: 1 / 0)()
