"""A run of OpenGait: process group, device, settings, model; then the host's own training or test loop."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn

from plugins.common.memory import keep_freed_memory
from plugins.errors import KpstraError, one_of

from ..host.find import Host, activate, find_host, model_class
from ..host.patches import on_cpu, probes_from
from ..settings.load import load_settings, resolve_paths


@dataclass(frozen=True)
class Run:
    """The options of a run; see :mod:`opengait_ext.__main__`."""

    config: str
    phase: str = "train"
    restore: int = 0
    log_to_file: bool = False
    host: str = "auto"
    device: str = "auto"
    workdir: str = "."
    overrides: Sequence[str] = ()


def launch(run: Run) -> dict[str, float] | None:
    """Train or test.

    Returns:
        The metrics of a test on rank 0, as the host's evaluation names them; otherwise ``None``.

    Raises:
        KpstraError: any mistake in the settings, the data or the installation.
    """
    one_of(run.phase, ("train", "test"), "--phase")
    with ExitStack() as stack:
        host, device = stack.enter_context(session(run.host, run.device))
        if device == "cpu":
            keep_freed_memory()
        settings = load_settings(host, run.config, run.overrides, run.restore)
        partition = resolve_paths(settings, host, run.phase)
        notes = adapt(settings, device)
        stack.enter_context(probes_from(partition))
        stack.enter_context(working_directory(run.workdir))
        stack.callback(close_log)
        return execute(run, host, device, settings, notes)


@contextmanager
def session(choice: str = "auto", device: str = "auto") -> Iterator[tuple[Host, str]]:
    """Make a host importable and its calls fit the device, in a process group; at the end that is put back.

    Args:
        choice: which host, see :func:`opengait_ext.host.find.find_host`.
        device: ``auto``, ``cpu`` or ``cuda``.

    Yields:
        The host, and ``cpu`` or ``cuda``.
    """
    host, device = find_host(choice), choose_device(device)
    with ExitStack() as stack:
        activate(host)
        stack.enter_context(process_group(device))
        stack.enter_context(on_cpu() if device == "cpu" else nullcontext())
        importlib.import_module("modeling.base_model")  # after the bridge: it binds the host's helpers by name
        yield host, device


def execute(run: Run, host: Host, device: str, settings: dict[str, Any], notes: list[str]) -> dict[str, float] | None:
    """Build the model and hand it to the host's loop, as OpenGait's ``main.py`` does."""
    from .hosted import Hosted

    utils, training = sys.modules["utils"], run.phase == "train"
    engine = settings["trainer_cfg" if training else "evaluator_cfg"]
    cls = model_class(host, settings["model_cfg"]["model"])
    cls = type(cls.__name__, (Hosted, cls), {})
    messages = utils.get_msg_mgr()
    output = os.path.join("output", settings["data_cfg"]["dataset_name"], cls.__name__, engine["save_name"])
    if training:
        start = engine["restore_hint"] if isinstance(engine["restore_hint"], int) else 0
        messages.init_manager(output, run.log_to_file, engine["log_iter"], start)
    else:
        messages.init_logger(output, run.log_to_file)
    seed, rank = settings["trainer_cfg"].get("seed"), distributed.get_rank()
    utils.init_seeds(rank if seed is None else seed + rank)
    for note in (
        f"Host: {host}; device: {device}; processes: {distributed.get_world_size()}",
        *notes,
        str(engine),
        str(settings["model_cfg"]),
    ):
        messages.log_info(note)
    model = cls(settings, training)
    if training and settings["trainer_cfg"]["sync_BN"]:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    if settings["trainer_cfg"]["fix_BN"]:
        model.fix_BN()
    model = utils.get_ddp_module(model, settings["trainer_cfg"]["find_unused_parameters"])
    messages.log_info(utils.params_count(model))
    return (cls.run_train if training else cls.run_test)(model)


def close_log() -> None:
    """Take the handlers off the host's logger; every run adds its own, and a second would log each line twice."""
    logger = logging.getLogger("opengait")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def adapt(settings: dict[str, Any], device: str) -> list[str]:
    """Fit the settings to the device and the number of processes; return a sentence for each change."""
    world, notes = distributed.get_world_size(), []
    sampler = settings["evaluator_cfg"]["sampler"]
    if sampler["batch_size"] != world:
        notes.append(f"evaluator_cfg.sampler.batch_size: {sampler['batch_size']} -> {world}, the number of processes")
        sampler["batch_size"] = world
    if device == "cpu":
        for section, key in (
            ("trainer_cfg", "sync_BN"),
            ("trainer_cfg", "enable_float16"),
            ("evaluator_cfg", "enable_float16"),
        ):
            if settings[section][key]:
                notes.append(f"{section}.{key}: true -> false, it needs CUDA")
                settings[section][key] = False
    return notes


def choose_device(choice: str) -> str:
    """Return ``cuda`` or ``cpu`` for ``auto``, ``cuda`` or ``cpu``; a missing CUDA device is an error."""
    one_of(choice, ("auto", "cpu", "cuda"), "--device")
    if choice == "cuda" and not torch.cuda.is_available():
        raise KpstraError("--device cuda: torch finds no CUDA device here; use --device cpu")
    return choice if choice != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """Join the processes that ``torchrun`` started, or be the only one: nccl on CUDA, gloo on a CPU.

    A group that the caller's own program is in already serves as it is.
    """
    if distributed.is_initialized():
        yield
        return
    backend = "nccl" if device == "cuda" else "gloo"
    world = int(os.environ.get("WORLD_SIZE", 1))
    if device == "cuda" and int(os.environ.get("LOCAL_WORLD_SIZE", world)) > torch.cuda.device_count():
        raise KpstraError(f"torchrun: {world} processes for {torch.cuda.device_count()} CUDA devices")
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    if world > 1 or "RANK" in os.environ:
        distributed.init_process_group(backend, init_method="env://")
    else:
        distributed.init_process_group(backend, store=distributed.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        distributed.destroy_process_group()


@contextmanager
def working_directory(folder: str) -> Iterator[None]:
    """Work in ``folder``, made if missing: the host writes ``output/`` below it."""
    before = Path.cwd()
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
    except OSError as error:
        raise KpstraError(f"--workdir {folder}: {error.strerror}") from error
    try:
        yield
    finally:
        os.chdir(before)
