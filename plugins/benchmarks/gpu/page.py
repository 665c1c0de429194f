"""One JSON file and one Markdown page of everything measured on a GPU: each program writes its tables into both."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...common.files import atomic_write, read_json, require_writable, write_json
from ...errors import KpstraError

PHASES = ("forward", "train step")
JSON, PAGE, NOT_MEASURED = "gpu.json", "gpu.md", "not measured"
TITLES = {  # table: its title, and the program that measures it
    "transformers": ("KP-RPE in vision transformers (the KP-RPE paper's Table 3)", "python -m plugins bench gpu"),
    "attention": ("StRA's attention against a 3x3 convolution", "python -m plugins bench gpu"),
    "swingait": ("SwinGait-2D with and without KP-RPE", "python -m opengait_ext bench gpu"),
    "networks": ("ResNet50 with StRA", "python -m reid_ext bench gpu"),
    "walkers": (
        "A short training: walkers, one seed of the study at its full length",
        "python -m opengait_ext bench gpu",
    ),
}


def card() -> dict[str, str]:
    """Return the names of the GPU, of its driver and of torch.

    Raises:
        KpstraError: torch finds no CUDA device.
    """
    import torch

    if not torch.cuda.is_available():
        raise KpstraError("bench gpu: torch finds no CUDA device here: nothing is measured, and the page says so")
    return {
        "card": torch.cuda.get_device_name(),
        "driver": _driver(),
        "CUDA": str(torch.version.cuda),
        "cuDNN": str(torch.backends.cudnn.version()),
        "torch": torch.__version__,
    }


def _driver() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return "unknown"
    query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    told = subprocess.run(query, capture_output=True, text=True, check=False)
    return told.stdout.splitlines()[0].strip() if told.returncode == 0 and told.stdout.strip() else "unknown"


def read_page(folder: Path) -> dict[str, Any]:
    """Return what was measured so far: ``setting``, empty before anything was, ``tables``, and ``parts`` of them.

    Raises:
        KpstraError: a damaged file.
    """
    file = folder / JSON
    if not file.exists():
        return {"setting": {}, "tables": {}}
    content = read_json(file, "what bench gpu wrote; remove it to measure anew")
    if not all(isinstance(content.get(key), dict) for key in ("setting", "tables")):
        raise KpstraError(f"{file}: no setting and tables: expected what bench gpu wrote; remove it to measure anew")
    return content


def parts_measured(folder: Path, setting: Mapping[str, str], table: str, whole: int) -> int:
    """Return how many of a table's ``whole`` parts were measured in this setting; 0 where it had other parts."""
    content = read_page(folder)
    done, parts = content.get("parts", {}).get(table, (0, 0))
    return done if content["setting"] == dict(setting) and parts == whole else 0


def write_page(
    folder: Path,
    setting: Mapping[str, str],
    tables: Mapping[str, Sequence[Mapping]],
    parts: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """Put tables beside those that were measured before in the same setting; those of another one are dropped.

    Args:
        folder: holds :data:`JSON` and :data:`PAGE`.
        setting: of :func:`card`; empty where there is none, which leaves what was measured before.
        tables: rows by table, one of :data:`TITLES`.
        parts: how many parts of a table were measured, and how many it has; all, if it is not named.
    """
    for name in (JSON, PAGE):
        require_writable(folder / name)
    content = read_page(folder)
    if setting and content["setting"] != dict(setting):
        content = {"setting": dict(setting), "tables": {}, "parts": {}}
    content["tables"].update(tables)
    content.setdefault("parts", {}).update(parts or {})
    write_json(folder / JSON, content)
    with atomic_write(folder / PAGE, "w") as stream:
        stream.write(render(content))


def render(content: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    setting = ", ".join(f"{key} {value}" for key, value in content["setting"].items()) or NOT_MEASURED
    lines = [
        "# Costs on a GPU",
        "",
        f"Measured on: {setting}.",
        "",
        "Networks are timed in turn after a warm-up; the device is waited for before and after each step. Medians, and",
        "the time over the first network's of a setting in the same round (median, least to most). Memory is the peak",
        "of a step beyond the weights. A train step is forward and backward, and SwinGait's also the optimiser's step.",
        "Float32 is torch's default: TF32 in convolutions, not in products.",
    ]
    for table, (title, command) in TITLES.items():
        rows = content["tables"].get(table)
        lines += ["", f"## {title}", "", *(_table(rows) if rows else [f"{NOT_MEASURED}: `{command}` measures it."])]
        done, whole = content.get("parts", {}).get(table, (0, 0))
        if done < whole:
            lines += ["", f"{done} of {whole} parts were measured in the time there was: `{command}` measures all."]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Mapping]) -> list[str]:
    setting = [key for key in rows[0] if key not in ("network", *PHASES)]
    phases = [phase for phase in PHASES if any(phase in row for row in rows)]
    columns = ["network", *setting]
    columns += [f"{phase}{what}" for phase in phases for what in (", images/s", " over", ", MB at its peak")]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows:
        cells = [row["network"], *(str(row[key]) for key in setting)]
        for phase in phases:
            cells += _cells(row.get(phase))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cells(measured: Mapping[str, Any] | None) -> list[str]:
    if measured is None:
        return [NOT_MEASURED, "", ""]
    over, peak = measured["over"], measured["peak bytes"]
    ends = f"{over['median']:.3f} ({over['min']:.3f} to {over['max']:.3f})"
    return [f"{measured['images per second']:.0f}", ends, "" if peak is None else f"{peak / 1e6:.0f}"]
