"""What a configuration must say of one's own prepared data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plugins.common.settings import in_one_line
from plugins.errors import KpstraError

from ..data.layout import find_sequences
from ..data.partition import read_partition

PARTITION = "partition.json"


def settings_for(data: Path, settings: Mapping[str, Any]) -> list[str]:
    """Return the settings that fit a configuration to a prepared folder, as ``section.key=value``.

    Root, partition and name of the data, the number of training identities, an evaluation that takes its probes from
    the partition, a batch of no more identities than there are, and the weights it starts from (:func:`start_on`).

    Args:
        data: ``<id>/<type>/<view>/*.pkl`` and ``partition.json``.
        settings: of the configuration.

    Raises:
        KpstraError: no prepared data, no partition, or nobody of its training set in the data.
    """
    names = find_sequences(data, ".pkl", "--for")
    partition = data / PARTITION
    if not partition.is_file():
        raise KpstraError(f"--for {data}: no {PARTITION} in it; make one with `opengait-ext partition --data {data}`")
    there = {name.split("/")[0] for name in names}
    training = [identity for identity in read_partition(partition)["TRAIN_SET"] if identity in there]
    if not training:
        raise KpstraError(f"{partition}: TRAIN_SET: none of its identities is in {data}")
    name = data.resolve().name
    fitted = {
        "data_cfg.dataset_name": name,
        "data_cfg.test_dataset_name": name,
        "data_cfg.dataset_root": str(data),
        "data_cfg.dataset_partition": str(partition),
        "model_cfg.SeparateBNNecks.class_num": len(training),
        "evaluator_cfg.eval_func": "evaluate_Gait3D",
    }
    hint = settings["trainer_cfg"].get("restore_hint")
    if isinstance(hint, str):
        fitted["trainer_cfg.restore_hint"] = start_on(name, hint)
    batch = settings["trainer_cfg"]["sampler"].get("batch_size")
    if isinstance(batch, list):
        fitted["trainer_cfg.sampler.batch_size"] = [min(batch[0], len(training)), *batch[1:]]
    return [f"{key}={in_one_line(value)}" for key, value in fitted.items()]


def start_on(name: str, hint: str) -> str | int:
    """Return the weights that a recipe starts from: as trained on one's own data, or as it names them, or 0 for random.

    Args:
        name: of the data.
        hint: the recipe's ``restore_hint``, such as ``./output/<dataset_name>/<model>/<save_name>/checkpoints/<file>``.
    """
    parts = Path(hint).parts
    own = Path(*parts[:-5], name, *parts[-4:])
    return next((str(path) for path in (own, Path(hint)) if path.is_file()), 0)
