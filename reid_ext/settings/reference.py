"""The reference of settings: keys, defaults and bounds of the schema, and what each key means."""

from __future__ import annotations

from importlib import resources

from plugins.common.pages import prose, table
from plugins.common.settings import flatten, in_one_line, read_yaml
from plugins.errors import KpstraError

from .schema import AT_LEAST_ONE, AT_MOST, BELOW_ONE, CHOICES, NOT_NEGATIVE, POSITIVE, SCHEMA, THREE, UP_TO_ONE

BOUNDS = {
    "from 1": AT_LEAST_ONE,
    "from 0": NOT_NEGATIVE,
    "above 0": POSITIVE,
    "from 0, below 1": BELOW_ONE,
    "0 to 1": UP_TO_ONE,
    "three numbers": THREE,
}
OURS = (
    "stra",
    "kprpe",
    "model.partial_weights",
    "data.affine",
    "train.warmup_epoch",
    "data.keypoints",
    "data.keypoints_sources",
    "data.keypoints_targets",
    "loss.adaface",
    "loss.arcface",
    "loss.cosface",
)


def setting_lines() -> list[str]:
    """Return the reference of settings as Markdown.

    Raises:
        KpstraError: a key without a meaning in ``meanings.yaml``, or a meaning without a key.
    """
    meanings, keys = flatten(read_yaml(str(resources.files(__package__) / "meanings.yaml"))), flatten(SCHEMA)
    for key in keys.keys() ^ meanings.keys():
        raise KpstraError(f"reid_ext/settings/meanings.yaml: {key}: {'no meaning' if key in keys else 'no such key'}")
    lines = ["## Re-identification, in torchreid's YAML", ""]
    lines += [
        "`reid-ext config NAME [key=value ...]` prints all of a configuration; `key value` behind a command sets one."
    ]
    lines += [f"Keys and defaults are torchreid's; {', '.join(f'`{key}`' for key in OURS)} are added.", ""]
    for section, content in SCHEMA.items():
        heading = section if isinstance(content, dict) else "Outside the sections"
        rows = [
            (f"`{key}`", f"`{in_one_line(value)}`", prose(meanings[key]) + bounds(key))
            for key, value in keys.items()
            if key == section or key.startswith(f"{section}.")
        ]
        title = f"### `{section}`" if isinstance(content, dict) else f"### {heading}"
        lines += [title, "", *table(("key", "default", "what it is"), rows), ""]
    return lines[:-1]


def bounds(key: str) -> str:
    """Return which values a key takes."""
    said = [text for text, keys in BOUNDS.items() if key in keys]
    if key in AT_MOST:
        said.append(f"at most {AT_MOST[key]}")
    if key in CHOICES:
        said.append(f"one of {', '.join(f'`{choice}`' for choice in CHOICES[key])}")
    return f"; {', '.join(said)}" if said else ""
