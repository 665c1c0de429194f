"""Early word of how long a run will take."""

from __future__ import annotations

from datetime import timedelta

LONG = timedelta(days=1)


def first_batch_line(seconds: float, left: int, device: str) -> str:
    """Return what the first batch took, and what as many as are ``left`` will take at that pace, tests not included."""
    remaining = timedelta(seconds=round(seconds * left))
    line = f"First iteration: {seconds:.2f} s; the {left:,} that follow take about {remaining} on {device}"
    if remaining > LONG and device.endswith("(CPU)"):
        line += "; this recipe is meant for a GPU"
    return line
