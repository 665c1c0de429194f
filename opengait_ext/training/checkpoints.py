"""What of a checkpoint fits a model: ``restore_ckpt_strict: false`` also over other shapes and class counts."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from plugins.errors import KpstraError


def fitting(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> tuple[dict[str, Tensor], str]:
    """Split a checkpoint by name and shape.

    Args:
        given: the checkpoint's weights; a ``module.`` prefix is dropped.
        wanted: the model's state dict.
        source: the file, for messages.

    Returns:
        The weights that fit, and a report of these, of those that do not, and of what keeps its start.

    Raises:
        KpstraError: nothing fits.
    """
    given = {name.removeprefix("module."): value for name, value in given.items()}
    fits = {name: v for name, v in given.items() if name in wanted and v.shape == wanted[name].shape}
    if not fits:
        raise KpstraError(f"{source}: none of its {len(given)} weights fits this model by name and shape")
    reshaped = [
        f"{name} {tuple(v.shape)} here {tuple(wanted[name].shape)}"
        for name, v in given.items()
        if name in wanted and name not in fits
    ]
    unknown = [name for name in given if name not in wanted]
    fresh = [name for name in wanted if name not in fits]
    lines = [f"{source}: {len(fits)} of the model's {len(wanted)} weights restored: {', '.join(sorted(fits))}"]
    for title, names in (
        ("left out, of another shape", reshaped),
        ("left out, not in this model", unknown),
        ("not in the file, start as initialised", fresh),
    ):
        if names:
            lines.append(f"{len(names)} {title}: {', '.join(sorted(names))}")
    return fits, "\n".join(lines)
