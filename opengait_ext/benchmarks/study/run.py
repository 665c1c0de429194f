"""One run: trained by the host's trainer, then the test people under every test, all in one process."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from plugins.benchmarks.robustness.store import digest
from plugins.common.files import atomic_write
from plugins.common.machine import device_name
from plugins.kprpe import normalise_keypoints

from ...data.dataset import ArrayDataset
from ...host.active import ActiveHost
from ...pictures.tensorboard import mean_image_share
from ...settings.load import load_settings, resolve_paths
from ...training.launch import Run, build, working_directory
from ...training.restore import UNSEEN
from ...training.session import adapt
from ..walkers.write import PARTITION
from .people import Arrays, TestBatches, test_names
from .plan import Job, start_of
from .score import leave_one_out
from .table import Study

_training_data: dict[str, list] = {}  # read once in a process, for all its runs


class ReadOnce:
    """Mixed into a model class, in front of it: training sequences come from memory, read by the first run."""

    def get_loader(self, data_cfg: Mapping, train: bool = True) -> DataLoader:
        """Return the loader."""
        loader = super().get_loader(data_cfg, train)
        dataset = loader.dataset
        while not isinstance(dataset, ArrayDataset):
            dataset = dataset.dataset
        key = data_cfg["dataset_root"]
        if key not in _training_data:
            _training_data[key] = dataset.read_all()
        dataset.kept = _training_data[key]
        return loader


class Place(NamedTuple):
    """Where runs read and write, the walkers, the weights to start from, a scratch folder and the event files; and in
    what numbers they compute."""

    walkers: Path
    weights: Path
    scratch: Path
    summaries: Path
    bfloat16: bool = False  # in what numbers is computed

    def weights_of(self, job: Job) -> Path:
        """The file of a job's weights, if others start from them."""
        return self.weights / f"{job}.pt"


def settings_of(host: ActiveHost, study: Study, job: Job, place: Place) -> dict[str, Any]:
    """Return a run's settings, checked.

    Raises:
        KpstraError: a mistake in its configuration or in what the table sets.
    """
    settings = load_settings(
        host, study.row(job.row).config, study.overrides(study.row(job.row), job.training, job.seed)
    )
    settings["data_cfg"].update(
        dataset_root=str(place.walkers), dataset_partition=str(place.walkers / PARTITION), num_workers=0, cache=False
    )
    if place.bfloat16:
        for section in ("trainer_cfg", "evaluator_cfg"):
            settings[section]["enable_bfloat16"] = True
    trainer = settings["trainer_cfg"]
    trainer.update(save_iter=trainer["total_iter"], restore_hint=0, with_test=False, save_name=str(job))
    return settings


def carry_out(
    host: ActiveHost,
    device: str,
    study: Study,
    job: Job,
    place: Place,
    tests: Mapping[str, Arrays],
    finished: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], bool]:
    """Train and test, inside a session.

    A finished run whose weights are kept is not trained again: it is tested where it was not yet.

    Args:
        host, device: of the session.
        study, job: what to run.
        place: where.
        tests: arrays by test.
        finished: what the run's file holds already.

    Returns:
        What the run's file holds beside its settings, and whether the run was trained.

    Raises:
        KpstraError: any mistake in the settings or the data, or training that diverges.
    """
    settings, before = settings_of(host, study, job, place), start_of(study, job)
    notes = adapt(settings, device)
    made = {
        "device": device_name(device == "cuda"),
        "precision": precision(settings),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "host": host.kind,
    }
    kept = place.weights_of(job)
    only_test = finished is not None and _has_weights(finished, kept) and {**finished, **made} == finished
    if only_test:
        tests = {name: arrays for name, arrays in tests.items() if name not in finished["tests"]}
        settings["trainer_cfg"].update(restore_hint=str(kept.resolve()), restore_ckpt_strict=True)
    elif before is not None:
        settings["trainer_cfg"]["restore_hint"] = str(place.weights_of(before).resolve())
    resolve_paths(settings, host, "train")
    with working_directory(str(place.scratch / str(job))):
        began = time.monotonic()
        model = build(Run(study.row(job.row).config), host, device, settings, notes, mixins=[ReadOnce])
        module = getattr(model, "module", model)
        if not hasattr(module, "evaluator_trfs"):  # OpenGait builds them for a test alone
            module.evaluator_trfs = host.transforms.get_transform(settings["evaluator_cfg"]["transform"])
        if study.row(job.row).trained and not only_test:
            type(module).run_train(model)
        trained = time.monotonic()
        results, share = measure(host, module, study, tests)
    results = {name: {"definition": study.test(name).definition(), **found} for name, found in results.items()}
    if only_test:
        seconds = finished["seconds"]
        seconds = {**seconds, "testing": round(seconds["testing"] + time.monotonic() - began, 1)}
        return {**finished, "tests": {**finished["tests"], **results}, "seconds": seconds}, False
    weights = None
    if any(start_of(study, job._replace(row=row.name)) == job for row in study.rows):
        with atomic_write(kept) as stream:
            torch.save({"model": {name: value.cpu() for name, value in module.state_dict().items()}}, stream)
        weights = digest(kept)
    return {
        "tests": results,
        "image_share": share,
        "starts_from": None if before is None else digest(place.weights_of(before)),
        "weights": weights,
        "seconds": {"training": round(trained - began, 1), "testing": round(time.monotonic() - trained, 1)},
        **made,
    }, True


def _has_weights(finished: Mapping[str, Any], kept: Path) -> bool:
    """Whether the weights that a finished run ended with are there."""
    return bool(finished["weights"]) and kept.exists() and digest(kept) == finished["weights"]


@torch.no_grad()
def measure(
    host: ActiveHost, module: nn.Module, study: Study, tests: Mapping[str, Arrays]
) -> tuple[dict[str, dict[str, float]], float | None]:
    """Return rank-1 and mAP by test, and the share of B's variance that images decide."""
    names, share = test_names(study.walkers), None
    module.eval()
    results = {}
    for name, arrays in tests.items():
        module.test_loader = TestBatches(arrays, names)
        if not results:
            share = image_share(module, next(iter(module.test_loader)))
        features = module.inference(UNSEEN)["embeddings"]
        labels = module.test_loader.dataset.label_list
        results[name] = leave_one_out(host, features, labels, module.cfgs["evaluator_cfg"]["metric"])
    return results, share


def image_share(module: nn.Module, batch: list) -> float | None:
    """Return the share for a batch of the first test; ``None`` for networks without a bias from keypoints."""
    handle = getattr(module, "kprpe", None)
    if handle is None or all(one.kprpe.formulation == "none" for one in handle.attentions.values()):
        return None
    (silhouettes, joints), *_ = module.inputs_pretreament(batch)
    confidence = joints[..., 2].clamp(0, 1) if module.uses_confidence else None
    return mean_image_share(handle, normalise_keypoints(joints, silhouettes.shape[-2:]), confidence).item()


def precision(settings: Mapping[str, Any]) -> str:
    """Say in what numbers the run computed."""
    engine = settings["trainer_cfg"]
    if engine.get("enable_bfloat16"):
        return "bfloat16"
    return "float16" if engine["enable_float16"] else "float32"
