"""A run of OpenGait: process group, device, settings, model; then the host's own training or test loop."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import distributed, nn

from plugins.common.memory import keep_freed_memory
from plugins.errors import KpstraError, one_of

from ..host.active import ActiveHost, model_class
from ..host.patches import probes_from
from ..settings.load import load_settings, resolve_paths
from .session import adapt, session


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
        stack.enter_context(probes_from(host, partition))
        stack.enter_context(working_directory(run.workdir))
        stack.callback(close_log)
        return execute(run, host, device, settings, notes)


def execute(
    run: Run, host: ActiveHost, device: str, settings: dict[str, Any], notes: list[str]
) -> dict[str, float] | None:
    """Build the model and hand it to the host's loop, as OpenGait's ``main.py`` does."""
    from .hosted import Hosted

    utils, training = host.utils, run.phase == "train"
    engine = settings["trainer_cfg" if training else "evaluator_cfg"]
    cls = model_class(host, settings["model_cfg"]["model"])
    cls = type(cls.__name__, (Hosted, cls), {})
    messages = host.messages
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
