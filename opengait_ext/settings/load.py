"""A run's settings: the user's YAML over the host's ``configs/default.yaml``, then overrides, all checked."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from plugins.common.settings import flatten, read_yaml, resolve_config, set_value
from plugins.errors import KpstraError

from ..host.active import ActiveHost
from ..host.find import Host
from ..models import MODELS
from .schema import OUR_DEFAULTS, check

LOGGER = logging.getLogger(__name__)
EXPONENT = re.compile(r"[+-]?\d+[eE][+-]?\d+")
GOING_ON = {"optimizer_reset": False, "scheduler_reset": False, "restore_ckpt_strict": True}  # from an own checkpoint
SECTIONS = "sections such as `data_cfg:` and `model_cfg:`"


def load_settings(host: ActiveHost, config: str, overrides: Sequence[str], restore: int = 0) -> dict[str, Any]:
    """Return the settings of a run as :func:`read_settings` does; what is doubtful about them is a warning."""
    settings, doubts = read_settings(host, config, overrides, restore)
    for doubt in doubts:
        LOGGER.warning(doubt)
    return settings


def read_settings(
    host: ActiveHost, config: str, overrides: Sequence[str], restore: int = 0
) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of a run, and what is doubtful about them.

    A key that the host only passes over is doubtful in a configuration of one of the host's models: OpenGait's own hold
    some. On the command line, and for a model of this package, it is an error.

    Args:
        config: a path, or the name of a shipped configuration.
        overrides: ``section.key=value`` pairs; the value is YAML, a list's items are named by their number.
        restore: the iteration of ``--iter``, 0 for none. One given here or as ``trainer_cfg.restore_hint`` names a
            checkpoint of the run itself, with which the optimiser's state is taken too and all must fit, whatever a
            configuration says for its warm start; ``trainer_cfg.optimizer_reset=true`` beside it still counts.

    Raises:
        KpstraError: no such file, unreadable YAML, unknown key, or a value that is out of range.
    """
    path = resolve_config(config, "opengait")
    given = read_yaml(path, SECTIONS)
    if not given:
        raise KpstraError(f"{path}: is empty; expected {SECTIONS}")
    defaults = read_yaml(host.root / "configs" / "default.yaml")
    if not given.keys() & defaults.keys():
        raise KpstraError(f"{path}: none of its keys is a section of a run ({', '.join(given)}); expected {SECTIONS}")
    settings = copy.deepcopy(defaults)
    host.utils.MergeCfgsDict(given, settings)
    doubts = check(host, settings, defaults, str(path))
    if doubts and settings["model_cfg"].get("model") in MODELS:
        raise KpstraError(f"{path}: {doubts[0]}")
    for override in overrides:
        apply_override(settings, override)
        if more := [doubt for doubt in check(host, settings, defaults, "command line") if doubt not in doubts]:
            raise KpstraError(f"command line: {more[0]}")
    if restore:
        settings["trainer_cfg"]["restore_hint"] = settings["evaluator_cfg"]["restore_hint"] = restore
    trainer, given = settings["trainer_cfg"], {override.partition("=")[0] for override in overrides}
    asked = restore or "trainer_cfg.restore_hint" in given
    if asked and isinstance(trainer["restore_hint"], int) and trainer["restore_hint"] > 0:
        trainer.update({key: value for key, value in GOING_ON.items() if f"trainer_cfg.{key}" not in given})
    passed_on = f"{path}: passed on to the host, which leaves out what it does not know: {'; '.join(doubts)}"
    return settings, [passed_on] if doubts else []


def default_values(host: Host) -> dict[str, Any]:
    """Return by dotted key what settings are worth where nothing sets them: the host's ``default.yaml``, and ours."""
    return {**flatten(read_yaml(host.root / "configs" / "default.yaml")), **OUR_DEFAULTS}


def recipe(config: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return a configuration with overrides but without the host's defaults, unchecked; no host is needed."""
    settings = read_yaml(resolve_config(config, "opengait"))
    for override in overrides:
        apply_override(settings, override)
    return settings


def apply_override(settings: dict[str, Any], override: str) -> None:
    """Set one value of the settings by ``section.key=value``, in place."""
    key, equals, text = override.partition("=")
    if not equals:
        raise KpstraError(f"command line: {override!r}: expected section.key=value, such as data_cfg.dataset_root=DATA")
    try:
        value = yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise KpstraError(f"command line: {key}: {text!r} is not YAML") from error
    if isinstance(value, str) and EXPONENT.fullmatch(value):
        value = float(value)  # 1e-5: YAML wants a point in it, people mean a number
    set_value(settings, key, value)


def resolve_paths(settings: dict, host: Host, phase: str) -> Path:
    """Make the settings' relative paths absolute, seen from the working directory, and check that they exist.

    Returns:
        The partition file. OpenGait's own ``./datasets/...`` partitions are also found in the host's folder.
    """
    data = settings["data_cfg"]
    if isinstance(data, list):
        raise KpstraError(
            f"data_cfg: {len(data)} data sets: a run here has one; training over several is done by OpenGait's own "
            "opengait/main.py, or with one of them as data_cfg"
        )
    root = Path(data["dataset_root"])
    if not root.is_dir():
        raise KpstraError(
            f"data_cfg.dataset_root: {str(root)!r}: no such folder; give the output of `opengait-ext prepare` "
            "as data_cfg.dataset_root=FOLDER"
        )
    partition = Path(data["dataset_partition"])
    partition = partition if partition.is_file() else host.root / partition
    if not partition.is_file():
        raise KpstraError(
            f"data_cfg.dataset_partition: {data['dataset_partition']!r}: no such file; `opengait-ext partition --data "
            f"{data['dataset_root']}` makes one, datasets/Gait3D/Gait3D.json and others come with OpenGait "
            "(`opengait-ext setup`); give data_cfg.dataset_partition=FILE"
        )
    data["dataset_root"], data["dataset_partition"] = str(root.resolve()), str(partition.resolve())
    engine = settings["trainer_cfg" if phase == "train" else "evaluator_cfg"]
    hint = engine["restore_hint"]
    if isinstance(hint, list):
        engine["restore_hint"] = [_checkpoint(one) for one in hint]
    elif isinstance(hint, str):
        engine["restore_hint"] = _checkpoint(hint)
    return partition.resolve()


def _checkpoint(path: str) -> str:
    """Return the absolute path of another run's checkpoint."""
    if not Path(path).is_file():
        raise KpstraError(
            f"restore_hint: {path!r}: no such checkpoint. A warm start takes one of another run, such "
            "as configs/opengait/deepgaitv2_2d_gait3d.yaml's; trainer_cfg.restore_hint=0 starts from scratch"
        )
    return str(Path(path).resolve())
