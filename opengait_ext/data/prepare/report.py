"""The journal summed up: ``prepare_report.json`` and the table at the end of a run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plugins.errors import some

from .journal import REPORT, Record
from .poses import BOX_RULES, POSE_RULES
from .sample import findings
from .silhouettes import FRAME_RULES

SHOWN = (
    "poses without silhouette",
    "poses scaled from a crop of another size",
    "sequences ordered as text, not by number",
)
LEFT_OVER = "sequences of an earlier run, no more in the input"
REASONS = 5  # why sequences are not written, at most so many on the screen
APPROXIMATE = "APPROXIMATE keypoints, aligned by the body box: off by about 1.1 pixels of 64 in the mean"


def add_up(records: Iterable[Record]) -> Counter:
    """Sum the counts of some lines of the journal."""
    total: Counter = Counter()
    for record in records:
        total.update({key: value for key, value in record.items() if isinstance(value, int)})
    return total


def make_report(
    records: Sequence[Record], settings: Mapping[str, Any], strays: int, left_over: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the report.

    Args:
        records: of all sequences.
        settings: of the run.
        strays: the number of poses whose sequence has no silhouettes.
        left_over: sequences of an earlier run that are in the output and no more in the input.
    """
    total = add_up(records)
    exact, raw = settings["kind"] == "exact", "size" in settings
    pose_rules = {**(POSE_RULES if raw else {}), **({} if exact else BOX_RULES)}
    approximate = not exact and (raw or total["by body box"] > 0)
    skipped = {r["sequence"]: r.get("skipped", "no frame left") for r in records if not r["frames"]}
    return {
        **settings,
        **({"note": APPROXIMATE} if approximate else {}),
        **({} if raw else {"sequences aligned by the body box": total["by body box"]}),
        "sequences": len(records) - len(skipped),
        "sequences not written": skipped,
        **({LEFT_OVER: list(left_over)} if left_over else {}),
        "frames": total["frames"],
        "frames dropped": {rule: total[f"frames {rule}"] for rule in (FRAME_RULES if raw else ())},
        "frames with all joints absent": {rule: total[f"poses {rule}"] for rule in pose_rules},
        "joints absent": total["joints absent"],
        "poses without silhouette": total["stray poses"] + strays,
        "poses scaled from a crop of another size": total["scaled"],
        "sequences ordered as text, not by number": total["reordered"],
        "confident joints checked": total["joints confident"],
        "of these on the body": total["joints on body"],
        "warnings": [
            *_not_written(skipped, [record["sequence"] for record in records]),
            *(verdict.what for verdict in findings(total) if not verdict.well),
        ],
    }


def _not_written(skipped: Mapping[str, str], names: Sequence[str]) -> Iterator[str]:
    """Yield why sequences are not written, each reason with an example, and who is missing whole."""
    alike: dict[str, list[str]] = {}  # sequences by their reasons, but for names and numbers in these
    for name, reason in skipped.items():
        alike.setdefault(re.sub(r"\d+", "0", reason.replace(name, "")), []).append(name)
    groups = sorted(alike.values(), key=len, reverse=True)
    for group in groups[:REASONS]:
        yield f"sequences not written: {len(group)} of {len(names)}, for example {group[0]}: {skipped[group[0]]}"
    if rest := sum(map(len, groups[REASONS:])):
        yield f"sequences not written: {rest} of {len(names)} for other reasons, see {REPORT}"
    people = {name.split("/")[0] for name in names}
    gone = people - {name.split("/")[0] for name in names if name not in skipped}
    if gone:
        yield f"people of whom no sequence is written: {len(gone)} of {len(people)}: {some(sorted(gone))}"


def summary(report: Mapping[str, Any], output: Path) -> str:
    """Return the report as a short table."""
    checked = report["confident joints checked"]
    share = f"{report['of these on the body'] / checked:.1%}" if checked else "none"
    rows = [
        ("sequences written", report["sequences"]),
        ("sequences not written", len(report["sequences not written"])),
        ("frames", report["frames"]),
    ]
    for group in ("frames dropped", "frames with all joints absent"):
        rows += [(f"{group}: {rule.replace('_', ' ')}", n) for rule, n in report[group].items()]
    rows += [
        ("joints absent, filled in", report["joints absent"]),
        *((what, report[what]) for what in SHOWN),
        ("confident joints on the body", share),
    ]
    lines = [f"{what:44s}{value:>10}" for what, value in rows]
    lines += [f"warning: {warning}" for warning in report["warnings"]]
    if left_over := report.get(LEFT_OVER):
        lines.append(
            f"warning: {len(left_over)} sequences of an earlier run are in {output} and not in these folders: "
            f"{some(left_over)}; delete them if they are not wanted"
        )
    if "note" in report:
        lines.append(report["note"])
    return "\n".join([*lines, f"written to {output}; counts in {REPORT}"])
