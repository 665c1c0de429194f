"""The reference of settings: keys, defaults and bounds of the schema, and what each key means."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, fields
from importlib import resources
from typing import Any

from plugins.common.pages import prose, table
from plugins.common.settings import flatten, in_one_line, read_yaml
from plugins.errors import KpstraError
from plugins.kprpe.config import MODES, KPRPEConfig
from plugins.kprpe.position.buckets import DISTANCES
from plugins.kprpe.position.rotary import ROTARY
from plugins.kprpe.position.table import FORMULATIONS, KEYPOINTS
from plugins.kprpe.position.window_queries import GRIDS

from ..data.joint_transform.steps import STEPS
from ..host.find import EMBEDDED
from .model import SECTIONS
from .ranges import METRICS, MOST, WHOLE
from .schema import BEYOND_DEFAULTS, PRETREATMENT, SAMPLE_TYPES, SAMPLER

CHOICES = {
    "data_cfg.pretreatment": PRETREATMENT,
    "model_cfg.kprpe.formulation": FORMULATIONS,
    "model_cfg.kprpe.distance": DISTANCES,
    "model_cfg.kprpe.keypoints": KEYPOINTS,
    "model_cfg.kprpe.rotary": ROTARY,
    "model_cfg.kprpe.grid": GRIDS,
    "model_cfg.kprpe.mode": MODES,
    "model_cfg.heatmaps.keypoints": KEYPOINTS,
    "evaluator_cfg.metric": METRICS,
    "trainer_cfg.sampler.sample_type": SAMPLE_TYPES,
    "evaluator_cfg.sampler.sample_type": SAMPLE_TYPES,
}
HEADINGS = {
    "data_cfg": "Data",
    "model_cfg": "Model",
    "optimizer_cfg": "Optimiser",
    "scheduler_cfg": "Learning rate",
    "loss_cfg": "Losses",
    "trainer_cfg": "Training",
    "evaluator_cfg": "Test",
}
NO_DEFAULT = object()


def setting_lines() -> list[str]:
    """Return the reference of settings as Markdown.

    Raises:
        KpstraError: a key without a meaning in ``meanings.yaml``, or a meaning without a key.
    """
    meanings = flatten(read_yaml(str(resources.files(__package__) / "meanings.yaml")))
    keys = known_keys()
    for key in keys.keys() ^ meanings.keys():
        raise KpstraError(
            f"opengait_ext/settings/meanings.yaml: {key}: {'no meaning' if key in keys else 'no such key'}"
        )
    lines = ["## Gait, in OpenGait's YAML", ""]
    lines += [
        "`opengait-ext config NAME [key=value ...]` prints a configuration; `key=value` behind a command sets one."
    ]
    lines += ["Defaults are OpenGait's where a configuration says nothing.", ""]
    for section, heading in HEADINGS.items():
        rows = [
            (
                f"`{key}`",
                "" if default is NO_DEFAULT else f"`{in_one_line(default)}`",
                prose(meanings[key]) + bounds(key),
            )
            for key, default in keys.items()
            if key.startswith(f"{section}.")
        ]
        lines += [f"### {heading}: `{section}`", "", *table(("key", "default", "what it is"), rows), ""]
    return [*lines, *step_lines()]


def known_keys() -> dict[str, Any]:
    """Return every key and its default: the host's, those it reads besides, and ours."""
    keys = flatten(read_yaml(EMBEDDED / "configs" / "default.yaml"))
    for section, names in BEYOND_DEFAULTS.items():
        keys |= {f"{section}.{name}": NO_DEFAULT for name in names}
    for section in ("trainer_cfg", "evaluator_cfg"):
        keys |= {f"{section}.sampler.{name}": keys.get(f"{section}.sampler.{name}", NO_DEFAULT) for name in SAMPLER}
    return keys | dict(model_keys())


def model_keys() -> Iterator[tuple[str, Any]]:
    """Yield the keys of ``model_cfg``; those of ``Backbone`` and ``SeparateBNNecks`` are the host's own."""
    for needed, others in SECTIONS.values():
        for name in (*needed, *others):
            if name not in ("kprpe", "transformer", "heatmaps", "modes", "stra", "attention"):
                yield f"model_cfg.{name}", NO_DEFAULT
    from ..training.session import session

    with session("embedded", "cpu"):
        from ..models.deepgaitv2 import DEFAULTS as STRA_DEFAULTS
        from ..models.deepgaitv2_kprpe import DEFAULTS as ATTENTION_DEFAULTS
        from ..models.heatmaps import DEFAULTS
        from ..models.modes import DEFAULTS as MODES_DEFAULTS
        from ..models.swingait import DROP_PATH, HEADS, WIDTH, SwinGait2D

    sizes = {"embed_dim": WIDTH, "num_heads": list(HEADS), "window": list(SwinGait2D.window), "drop_path": DROP_PATH}
    for name, default in {**sizes, "checkpoint": False}.items():
        yield f"model_cfg.transformer.{name}", default
    for field in fields(KPRPEConfig):
        yield f"model_cfg.kprpe.{field.name}", NO_DEFAULT if field.default is MISSING else field.default
    yield "model_cfg.kprpe.confidence", False
    for name, default in DEFAULTS.items():
        yield f"model_cfg.heatmaps.{name}", default
    for name, default in MODES_DEFAULTS.items():
        yield f"model_cfg.modes.{name}", default
    for name, default in STRA_DEFAULTS.items():
        yield f"model_cfg.stra.{name}", default
    for name, default in ATTENTION_DEFAULTS.items():
        yield f"model_cfg.attention.{name}", default


def bounds(key: str) -> str:
    """Return which values a key takes."""
    if key in CHOICES:
        return f"; one of {', '.join(f'`{choice}`' for choice in CHOICES[key])}"
    least, most = WHOLE.get(key), MOST.get(key.rpartition(".")[2])
    if key.endswith("restore_hint"):  # or a path, as its meaning says
        return ""
    said = [f"from {least}" if least is not None else "", f"at most {most}" if most is not None else ""]
    return f"; a whole number {', '.join(filter(None, said))}" if any(said) else ""


def step_lines() -> list[str]:
    """Return the table of the steps of a joint transform."""
    rows = []
    for name, step in STEPS.items():
        arguments = [f"`{key}: {in_one_line(p.default)}`" for key, p in inspect.signature(step).parameters.items()]
        rows.append((f"`{name}`", ", ".join(arguments), prose(inspect.getdoc(step).partition("\n")[0])))
    title = "### Steps of `joint_transform`"
    return [title, "", *table(("type", "arguments and defaults", "what it does"), rows)]
