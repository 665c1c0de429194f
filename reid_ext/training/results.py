"""Reading back what torchreid's engine measured, from the log that the run wrote."""

from __future__ import annotations

import re
from pathlib import Path

from plugins.errors import KpstraError


def read_results(save_dir: str | Path) -> dict[str, float]:
    """Return the last evaluation in the newest log of ``save_dir``: mAP and ``Rank-<k>``, as fractions.

    Raises:
        KpstraError: no log, or one without a finished evaluation.
    """
    logs = sorted(Path(save_dir).glob("*.log-*"), key=lambda path: path.stat().st_mtime)
    if not logs:
        raise KpstraError(f"{save_dir}: no train.log-* or test.log-* there: has a run finished?")
    evaluations = logs[-1].read_text(encoding="utf-8").split("** Results **")[1:]
    found = re.findall(r"^(mAP|Rank-\d+)\s*: +([\d.]+)%", evaluations[-1], re.MULTILINE) if evaluations else []
    if not found:
        raise KpstraError(f"{logs[-1]}: holds no finished evaluation")
    return {name: float(value) / 100 for name, value in found}
