"""Whether a test set and its partition give the host's evaluation probes, and a gallery for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins.errors import KpstraError, some

from .partition import MIN_GALLERY, read_partition

SETS = {"evaluate_Gait3D": "PROBE_SET", "evaluate_FreeGait": "PROBE_SET", "evaluate_CCGR_MINI": "GALLERY_SET"}


def check_probes(dataset: Any, cfgs: Mapping[str, Any]) -> str:
    """Refuse a partition that the evaluation cannot rank with: no probes, too small a gallery, nobody in both.

    Returns:
        How many probes and gallery sequences there are, and which listed ones are missing, for the log.
    """
    function = cfgs["evaluator_cfg"]["eval_func"]
    if function not in SETS:
        return f"{len(dataset)} test sequences"
    key, path = SETS[function], cfgs["data_cfg"]["dataset_partition"]
    listed = read_partition(path).get(key)
    if not listed:
        raise KpstraError(f"{path}: {key}: missing; {function} needs names such as 0002-camid33_videoid2-seq0")
    people = {"-".join(info[:3]): info[0] for info in dataset.seqs_info}
    found = set(listed) & set(people)
    if not found:
        raise KpstraError(
            f"{path}: {key}: none of its names is in {cfgs['data_cfg']['dataset_root']}; "
            f"there the first is {next(iter(people))}"
        )
    others = set(people) - found
    probes, gallery = (found, others) if key == "PROBE_SET" else (others, found)
    if not probes:
        raise KpstraError(f"{path}: {key}: holds every test sequence; no probe is left")
    if len(gallery) < MIN_GALLERY:
        raise KpstraError(f"{path}: {len(gallery)} gallery sequences; {function} needs at least {MIN_GALLERY}")
    if not {people[name] for name in probes} & {people[name] for name in gallery}:
        raise KpstraError(
            f"{path}: {key}: no probe's person has a sequence in the gallery (probes are of "
            f"{some(sorted({people[name] for name in probes}))}); leave some sequences of each person out of the probes"
        )
    missing, what = sorted(set(listed) - found), "probes" if key == "PROBE_SET" else "gallery sequences"
    absent = f"; not in the data and not counted: {len(missing)} {what}, such as {missing[0]}" if missing else ""
    return f"{len(probes)} probes, {len(gallery)} gallery sequences{absent}"
