"""Where OpenGait is, and how its code becomes importable: the only module that knows.

A host is a folder of OpenGait's layout: ``configs/default.yaml`` and ``opengait/{modeling,data,utils,evaluation}``.
It is either a checkout or the embedded stand-in that is part of this package; :func:`activate` treats both alike.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from plugins.errors import KpstraError, nearest

COMMIT = "0efafd4779f127fbce34f22aff301bd82e923da5"  # the OpenGait that the tests ran against
URL = "https://github.com/ShiqiYu/OpenGait"
EMBEDDED = Path(__file__).parent / "embedded"
TOP_LEVEL = ("modeling", "data", "utils", "evaluation")
MODELS = "modeling.models"


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
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    steps = (
        ["init", "--quiet"],
        ["fetch", "--quiet", "--depth", "1", URL, COMMIT],
        ["checkout", "--quiet", "FETCH_HEAD"],
    )
    try:
        partial.mkdir(parents=True)
        for step in steps:
            subprocess.run(["git", "-C", str(partial), *step], check=True, capture_output=True, text=True, timeout=600)
        partial.rename(target)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        raise KpstraError(
            f"setup: {URL} could not be cloned into {target}: {' '.join(reason)}. Without network: copy a clone of it "
            "here from another machine and set OPENGAIT_HOME to its folder, or go on with --host embedded"
        ) from error
    return target


def activate(host: Host) -> None:
    """Make the host's ``modeling``, ``data``, ``utils`` and ``evaluation`` importable, without its list of all models.

    OpenGait's ``modeling/models/__init__.py`` imports every model and with it packages that most users lack; an empty
    package takes its place, into which :func:`model_class` imports what a run asks for.

    Raises:
        KpstraError: a foreign module of one of these names is already imported or comes first on the path.
    """
    for name in TOP_LEVEL:
        _refuse_foreign(host, name)
    if str(host.code) not in sys.path:
        sys.path.insert(0, str(host.code))
    for name in TOP_LEVEL:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise _missing_package(f"the host {host}", error) from error
        _refuse_foreign(host, name)
    if MODELS not in sys.modules:
        package = ModuleType(MODELS)
        package.__path__ = [str(host.code / "modeling" / "models")]
        sys.modules[MODELS] = sys.modules["modeling"].models = package


def _refuse_foreign(host: Host, name: str) -> None:
    module = sys.modules.get(name)
    paths = list(getattr(module, "__path__", ()))
    if module is not None and not any(Path(path).is_relative_to(host.code) for path in paths):
        where = ", ".join(paths) or getattr(module, "__file__", module)
        raise KpstraError(
            f"host {host}: a foreign package `{name}` is imported from {where}; OpenGait needs that name for itself. "
            "Start from another working directory or in a fresh process"
        )


def model_class(host: Host, name: str) -> type:
    """Return the model class ``name``: one of ours, or the host's, of which only the file that defines it is imported.

    Raises:
        KpstraError: no such model, or a package that it imports is missing.
    """
    from ..models import MODELS as OURS

    package = sys.modules[MODELS]
    if name in OURS:
        cls = getattr(importlib.import_module(f"opengait_ext.models.{OURS[name]}"), name)
    else:
        files = {n: f for f in sorted((host.code / "modeling" / "models").glob("*.py")) for n in _classes(f)}
        if name not in files:
            known = [*OURS, *files]
            raise KpstraError(
                f"model_cfg.model: {name!r}: no such model in the host {host} or here"
                f"{nearest(name, known)}; ours are {', '.join(OURS)}"
            )
        try:
            cls = getattr(importlib.import_module(f"{MODELS}.{files[name].stem}"), name)
        except ImportError as error:
            raise _missing_package(f"model_cfg.model: {name!r}", error) from error
    setattr(package, name, cls)
    return cls


def _classes(file: Path) -> list[str]:
    return re.findall(r"^class (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)


def _missing_package(what: str, error: ImportError) -> KpstraError:
    return KpstraError(
        f"{what}: {error}; install that package (OpenGait needs einops, kornia, tqdm, pyyaml, "
        "tensorboard and opencv-python-headless beside torch and torchvision)"
    )
