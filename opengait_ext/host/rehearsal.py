"""The host's evaluation, tried on made-up features: what it refuses shows before the real ones are extracted."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
from torch import Tensor

from plugins.common.reasons import reason_of
from plugins.errors import KpstraError

from .active import ActiveHost

MOST = 10_000  # sequences: whole identities up to about that number, as rankings go with its square
NAMES = {  # the data set names that the tested commit's functions know
    "evaluate_indoor_dataset": ("CASIA-B", "OUMVLP", "CASIA-E", "SUSTech1K"),
    "evaluate_real_scene": ("0001-1000", "HID2021", "0001-1000-test", "GREW", "TTG-200"),
    "GREW_submission": ("GREW",),
    "evaluate_CCPG": ("CCPG",),
}


class MadeUp(dict):
    """Embeddings, labels, types and views, as the host's inference gives them; other features cannot be made up."""

    def __missing__(self, name: str) -> None:
        raise _Unknown(name)


class _Unknown(Exception):
    pass


def evaluations(host: ActiveHost) -> list[str]:
    """Return the names that ``evaluator_cfg.eval_func`` may have: functions of (data, dataset, ...)."""
    found = inspect.getmembers(host.evaluator, inspect.isfunction)
    return [name for name, one in found if list(inspect.signature(one).parameters)[:2] == ["data", "dataset"]]


def rehearse(host: ActiveHost, cfgs: Mapping[str, Any], dataset: Any) -> None:
    """Try ``evaluator_cfg.eval_func`` on a data set's sequences with made-up features; nothing is logged or kept.

    Args:
        host: whose function it is.
        cfgs: the run's settings.
        dataset: the test half, with ``label_list``, ``types_list`` and ``views_list``.

    Raises:
        KpstraError: the function fails on such sequences, or gives metrics that are NaN or infinite.
    """
    evaluator, data = cfgs["evaluator_cfg"], cfgs["data_cfg"]
    name, function = evaluator["eval_func"], getattr(host.evaluator, evaluator["eval_func"])
    known = inspect.signature(function).parameters
    options = {key: value for key, value in evaluator.items() if key in known}
    if "rerank" in known:
        options["rerank"] = False  # it takes long, and needs nothing besides
    target = data.get("test_dataset_name", data["dataset_name"])
    try:
        with _apart(host), _rankings() as rankings:
            results = function(_made_up(dataset), target, **options)
        wrong = [key for key, value in (results or {}).items() if not np.isfinite(value).all()]
        reason = _why_not_finite(name, wrong, dataset.views_list) if wrong else ""
    except (_Unknown, KpstraError):
        return
    except Exception as error:
        ranks, gallery = rankings[-1] if rankings else (0, 0)
        few = f"the gallery has {gallery} sequences where it needs {ranks}, as it counts so many ranks"
        reason = few if gallery < ranks else reason_of(error)
    if reason:
        first = "/".join(column[0] for column in (dataset.label_list, dataset.types_list, dataset.views_list))
        names = f"; data sets that it knows are {', '.join(NAMES[name])}" if name in NAMES else ""
        other = "; for other data choose evaluate_Gait3D, which takes its probes from data_cfg.dataset_partition"
        raise KpstraError(
            f"evaluator_cfg.eval_func: {name} cannot evaluate data_cfg.test_dataset_name {target!r} with these "
            f"sequences, such as {first} ({reason}){names}{'' if name == 'evaluate_Gait3D' else other}"
        )


def _why_not_finite(name: str, wrong: Sequence[str], views: Sequence[str]) -> str:
    """Return why metrics of an evaluation are not finite though all features were."""
    if name != "evaluate_indoor_dataset":
        return f"{', '.join(wrong)}: NaN or infinite"
    if len(set(views)) == 1:
        return f"all sequences are of one view, {views[0]}, and it compares different views"
    conditions = dict.fromkeys(re.split("@|-Rank|-mAP", key.rpartition("/")[2])[0] for key in wrong)
    return f"there is no probe of the conditions {', '.join(conditions)} in one view or more"


@contextlib.contextmanager
def _rankings() -> Iterator[list[tuple[int, int]]]:
    """Yield the list of (ranks asked for, gallery sequences) of every ranking in the block."""
    topk, seen = Tensor.topk, []

    def ranked(self: Tensor, k: int, *args: Any, **kwargs: Any) -> Any:
        seen.append((k, self.shape[-1]))
        return topk(self, k, *args, **kwargs)

    with patch.object(Tensor, "topk", ranked):
        yield seen


def _made_up(dataset: Any) -> MadeUp:
    labels, step = dataset.label_list, -(-len(dataset.label_list) // MOST)
    kept = set(sorted(set(labels))[::step])  # spread over all, as some may be in the gallery alone
    chosen = [i for i, label in enumerate(labels) if label in kept]
    embeddings = np.random.default_rng(0).standard_normal((len(chosen), 2, 1), np.float32)
    columns = {"labels": labels, "types": dataset.types_list, "views": dataset.views_list}
    return MadeUp(embeddings=embeddings, **{key: [column[i] for i in chosen] for key, column in columns.items()})


@contextlib.contextmanager
def _apart(host: ActiveHost) -> Iterator[None]:
    """Keep log lines, warnings and written files of the block apart."""
    before = os.getcwd()
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(host.evaluator, "get_msg_mgr", host.utils.NoOp),
        contextlib.redirect_stdout(io.StringIO()),
        np.errstate(all="ignore"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
