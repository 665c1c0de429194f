"""The host of this process: OpenGait's packages by name, imported once and checked against the contract."""

from __future__ import annotations

import importlib
import logging
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from plugins.errors import KpstraError, nearest

from .contract import DEEPGAIT_CONTRACT, MODELS_CONTRACT, check_contract
from .find import COMMIT, Host, commit_of

TOP_LEVEL = ("utils", "data", "evaluation", "modeling")
MODELS = "modeling.models"
_told: set[Path] = set()  # checkouts of another commit that were warned of


@dataclass(frozen=True)
class ActiveHost(Host):
    """A host folder whose code is imported, with those of its modules that our code calls."""

    utils: ModuleType
    datasets: ModuleType  # data.dataset
    collate: ModuleType  # data.collate_fn
    samplers: ModuleType  # data.sampler
    transforms: ModuleType  # data.transform
    evaluator: ModuleType  # evaluation.evaluator
    losses: ModuleType  # modeling.losses
    base_model: ModuleType  # modeling.base_model

    def __str__(self) -> str:
        return f"{self.kind} ({self.root})"

    @property
    def messages(self) -> Any:
        """OpenGait's message manager: log and TensorBoard; without effect in all processes but the first."""
        return self.utils.get_msg_mgr()


def activate(host: Host) -> ActiveHost:
    """Import the host's ``modeling``, ``data``, ``utils`` and ``evaluation``, and check what our code needs of them.

    OpenGait's ``modeling/models/__init__.py`` imports every model and with it packages that most users lack; an empty
    package takes its place, into which :func:`model_class` imports what a run asks for.

    Raises:
        KpstraError: a foreign module of one of these names is already imported or comes first on the path, a package
            that the host needs is missing, or the host lacks a name of the contract.
    """
    for name in TOP_LEVEL:
        _refuse_foreign(host, name)
    if str(host.code) not in sys.path:
        sys.path.insert(0, str(host.code))
    for name in TOP_LEVEL:
        _import(name, f"the host {host}")
        _refuse_foreign(host, name)
    if MODELS not in sys.modules:
        package = ModuleType(MODELS)
        package.__path__ = [str(host.code / "modeling" / "models")]
        sys.modules[MODELS] = sys.modules["modeling"].models = package
    commit = commit_of(host)
    about = f"the host {host}"
    modules = check_contract(lambda name: _import(name, about), about, commit)
    if commit not in (None, COMMIT) and host.root not in _told:
        _told.add(host.root)
        logging.getLogger(__name__).warning(
            "%s is at commit %s; tested with %s (`opengait-ext setup` clones that)", about, commit[:7], COMMIT[:7]
        )
    return ActiveHost(
        host.root,
        host.kind,
        utils=modules["utils"],
        datasets=modules["data.dataset"],
        collate=modules["data.collate_fn"],
        samplers=modules["data.sampler"],
        transforms=modules["data.transform"],
        evaluator=modules["evaluation.evaluator"],
        losses=modules["modeling.losses"],
        base_model=modules["modeling.base_model"],
    )


def _refuse_foreign(host: Host, name: str) -> None:
    module = sys.modules.get(name)
    paths = list(getattr(module, "__path__", ()))
    if module is not None and not any(Path(path).is_relative_to(host.code) for path in paths):
        where = ", ".join(paths) or getattr(module, "__file__", module)
        raise KpstraError(
            f"host {host}: a foreign package `{name}` is imported from {where}; OpenGait needs that name for itself. "
            "Start from another working directory or in a fresh process"
        )


def model_class(host: ActiveHost, name: str) -> type:
    """Return the model class ``name``: one of ours, or the host's, of which only the file that defines it is imported.

    Raises:
        KpstraError: no such model, a package that it imports is missing, or a part of the host's that it builds on.
    """
    from ..models import MODELS as OURS

    if name in OURS:
        commit, about = commit_of(host), f"the host {host}"
        contract = DEEPGAIT_CONTRACT if name.startswith("DeepGaitV2") else MODELS_CONTRACT
        check_contract(lambda module: _import(module, about), about, commit, contract)
        cls = getattr(importlib.import_module(f"opengait_ext.models.{OURS[name]}"), name)
    else:
        files = {n: f for f in sorted((host.code / "modeling" / "models").glob("*.py")) for n in _classes(f)}
        if name not in files:
            known = [*OURS, *files]
            raise KpstraError(
                f"model_cfg.model: {name!r}: no such model in the host {host} or here"
                f"{nearest(name, known)}; ours are {', '.join(OURS)}"
            )
        cls = getattr(_import(f"{MODELS}.{files[name].stem}", f"model_cfg.model: {name!r}"), name)
    setattr(sys.modules[MODELS], name, cls)
    return cls


def _classes(file: Path) -> list[str]:
    return re.findall(r"^class (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)


def _import(name: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        own = (error.name or "").split(".")[0] in TOP_LEVEL
        advice = (
            f"; tested with OpenGait {COMMIT[:7]}, `opengait-ext setup` clones it"
            if own
            else (
                "; install that package (OpenGait needs einops, kornia, tqdm, pyyaml, "
                "tensorboard and opencv-python-headless beside torch and torchvision)"
            )
        )
        raise KpstraError(f"{what}: {error}{advice}") from error
