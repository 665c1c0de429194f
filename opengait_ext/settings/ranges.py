"""Which numbers settings may hold: nowhere NaN or infinite ones, and some within bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from plugins.common.processes import MOST_WORKERS
from plugins.common.settings import flatten
from plugins.errors import KpstraError, one_of

METRICS = ("euc", "cos")
MOST = {"num_workers": MOST_WORKERS, "frames_num_fixed": 10**5, "frames_num_min": 10**5, "frames_num_max": 10**5}
WHOLE = {  # least values of whole numbers, where they are given
    "trainer_cfg.log_iter": 1,
    "trainer_cfg.save_iter": 1,
    "trainer_cfg.total_iter": 1,
    "trainer_cfg.T_max_iter": 1,
    "trainer_cfg.iteration_per_epoch": 1,
    "trainer_cfg.seed": 0,
    "data_cfg.num_workers": 0,
    "trainer_cfg.restore_hint": 0,
    "evaluator_cfg.restore_hint": 0,
    **{
        f"{section}.sampler.{key}": least
        for section in ("trainer_cfg", "evaluator_cfg")
        for key, least in (
            ("frames_num_fixed", 1),
            ("frames_num_min", 1),
            ("frames_num_max", 1),
            ("frames_skip_num", 0),
            ("frames_all_limit", -1),
        )
    },
}


def check_ranges(settings: Mapping[str, Any], source: str) -> None:
    """Refuse numbers that make no sense.

    Raises:
        KpstraError: names source, key and value.
    """
    values = flatten(settings)
    for key, value in flatten(settings, lists=True).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise KpstraError(f"{source}: {key}: {value!r}: expected a number")
    for key, least in WHOLE.items():
        value, last = values.get(key), key.rpartition(".")[2]
        is_path = last == "restore_hint" and _is_path(value, several=key.startswith("trainer_cfg"))
        if value is not None and not is_path and not _whole(value, least):
            raise KpstraError(f"{source}: {key}: {value!r}: expected a whole number of at least {least}")
        if not is_path and value is not None and value > MOST.get(last, math.inf):
            raise KpstraError(f"{source}: {key}: {value!r}: expected at most {MOST[last]}")
    rate = settings["optimizer_cfg"]["lr"]
    if isinstance(rate, bool) or rate <= 0:
        raise KpstraError(f"{source}: optimizer_cfg.lr: {rate!r}: expected a number above 0")
    one_of(settings["evaluator_cfg"].get("metric", METRICS[0]), METRICS, f"{source}: evaluator_cfg.metric")
    for section in ("trainer_cfg", "evaluator_cfg"):
        check_sampler(settings[section]["sampler"], f"{source}: {section}.sampler")


def check_sampler(sampler: Mapping[str, Any], where: str) -> None:
    """Refuse batches of no sequences, and a longest sequence below the shortest."""
    size = sampler.get("batch_size", 1)
    sizes = size if isinstance(size, list) else [size]
    if len(sizes) not in (1, 2) or not all(_whole(one, 1) for one in sizes):
        raise KpstraError(f"{where}.batch_size: {size!r}: expected a whole number, or [identities, sequences of each]")
    shortest, longest = sampler.get("frames_num_min", 1), sampler.get("frames_num_max", math.inf)
    if longest is not None and shortest is not None and longest < shortest:
        raise KpstraError(f"{where}.frames_num_max: {longest!r}: below frames_num_min {shortest!r}")


def _is_path(value: Any, several: bool) -> bool:
    """Whether it is a path, or where several may be restored one after another, a list of them."""
    listed = several and isinstance(value, list) and value
    return isinstance(value, str) or bool(listed and all(isinstance(one, str) for one in value))


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
