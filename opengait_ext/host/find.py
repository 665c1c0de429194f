"""Where OpenGait is.

A host is a folder of OpenGait's layout: ``configs/default.yaml`` and ``opengait/{modeling,data,utils,evaluation}``.
It is either a checkout or the embedded stand-in that is part of this package; :func:`opengait_ext.host.active.activate`
makes either importable.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from plugins.common.files import atomic_folder
from plugins.errors import KpstraError

COMMIT = "0efafd4779f127fbce34f22aff301bd82e923da5"  # the OpenGait that the tests ran against
URL = "https://github.com/ShiqiYu/OpenGait"
EMBEDDED = Path(__file__).parent / "embedded"


@dataclass(frozen=True)
class Host:
    """A folder of OpenGait's layout; ``kind`` is ``opengait`` or ``embedded``."""

    root: Path
    kind: str

    @property
    def code(self) -> Path:
        """The folder that goes on the import path."""
        return self.root / "opengait"

    def __str__(self) -> str:
        return f"{self.kind} ({self.root})"


def cache_folder() -> Path:
    """Where ``opengait-ext setup`` puts its checkout: below ``XDG_CACHE_HOME``, or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kpstra" / f"OpenGait-{COMMIT[:7]}"


def find_host(choice: str = "auto") -> Host:
    """Find the host folder.

    Args:
        choice: ``auto`` (a checkout if there is one, else the embedded host), ``opengait``, ``embedded``, or a path.

    Raises:
        KpstraError: the folder named by ``choice`` or ``OPENGAIT_HOME`` is not OpenGait, or none was found.
    """
    if choice == "embedded":
        return Host(EMBEDDED, "embedded")
    if choice not in ("auto", "opengait"):
        return _checked(Path(choice), f"--host {choice}")
    if home := os.environ.get("OPENGAIT_HOME"):
        return _checked(Path(home), f"OPENGAIT_HOME={home}")
    if cache_folder().is_dir():
        return _checked(cache_folder(), f"{cache_folder()} (delete it and run `opengait-ext setup` again)")
    if choice == "auto":
        return Host(EMBEDDED, "embedded")
    raise KpstraError(
        "--host opengait: no OpenGait found. Run `opengait-ext setup` to clone it, or clone "
        f"{URL} yourself and set OPENGAIT_HOME to that folder, or use --host embedded"
    )


def _checked(root: Path, source: str) -> Host:
    root = root.expanduser().resolve()
    if root.name == "opengait" and (root / "modeling").is_dir():
        root = root.parent
    for part in ("opengait/modeling/base_model.py", "configs/default.yaml"):
        if not (root / part).is_file():
            raise KpstraError(f"{source}: not an OpenGait folder: {root / part} is missing; give the root of a clone")
    return Host(root, "embedded" if root == EMBEDDED.resolve() else "opengait")


def clone() -> Path:
    """Clone the pinned commit into :func:`cache_folder` and return that folder; an existing one is kept.

    Raises:
        KpstraError: git or the network is missing; the message says what to do instead.
    """
    target = cache_folder()
    if target.is_dir():
        return _checked(target, f"{target} (delete it and try again)").root
    steps = (
        ["init", "--quiet"],
        ["fetch", "--quiet", "--depth", "1", URL, COMMIT],
        ["checkout", "--quiet", "FETCH_HEAD"],
    )
    try:
        with atomic_folder(target) as folder:
            for step in steps:
                git = ["git", "-C", str(folder), *step]
                subprocess.run(git, check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        raise KpstraError(
            f"setup: {URL} could not be cloned into {target}: {' '.join(reason)}. Without network: copy a clone of it "
            "here from another machine and set OPENGAIT_HOME to its folder, or go on with --host embedded"
        ) from error
    return target


def commit_of(host: Host) -> str | None:
    """Return the commit of a checkout; ``None`` for the embedded host, and for a copy that git does not know."""
    if host.kind == "embedded" or not (host.root / ".git").exists():
        return None
    try:
        asked = ["git", "-C", str(host.root), "rev-parse", "HEAD"]
        return subprocess.run(asked, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
