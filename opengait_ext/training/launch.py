"""A run of OpenGait: session, settings, output folder, model; then the host's own training or test loop."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import distributed, nn

from plugins.common.memory import keep_freed_memory
from plugins.errors import KpstraError, one_of

from ..host.active import ActiveHost
from ..settings.load import default_values, read_settings, resolve_paths
from .folder import go_on, of_an_earlier_run, training_folder
from .hosted import hosted_class
from .log import LOGGER, MetricsAsTable, close_log, table
from .record import output_folder, scalars, write_test
from .session import adapt, session


@dataclass(frozen=True)
class Run:
    """The options of a run; see :mod:`opengait_ext.commands.train`."""

    config: str
    phase: str = "train"
    restore: int = 0
    log_to_file: bool = False
    host: str = "auto"
    device: str = "auto"
    workdir: str = "."
    overrides: Sequence[str] = ()
    resume: bool = False
    bfloat16: bool = False


def launch(run: Run) -> dict[str, float] | None:
    """Train or test.

    Returns:
        The metrics of a test on rank 0, as the host's evaluation names them; otherwise ``None``.

    Raises:
        KpstraError: any mistake in the settings, the data or the installation.
    """
    one_of(run.phase, ("train", "test"), "--phase")
    if run.resume and (run.restore or run.phase == "test"):
        raise KpstraError(
            "--resume: goes on with training from the last whole checkpoint; --iter N names one, and tests one"
        )
    with ExitStack() as stack:
        host, device = stack.enter_context(session(run.host, run.device))
        if device == "cpu":
            keep_freed_memory()
        settings, doubts = read_settings(host, run.config, run.overrides, run.restore)
        if run.bfloat16:
            for section in ("trainer_cfg", "evaluator_cfg"):
                settings[section]["enable_bfloat16"] = True
        resolve_paths(settings, host, run.phase)
        stack.enter_context(working_directory(run.workdir))
        notes = go_on(settings) if run.resume else []
        found = of_an_earlier_run(settings, training=run.phase == "train")
        if run.phase == "train" and distributed.get_rank() == 0:
            hint = settings["trainer_cfg"]["restore_hint"]
            found += stack.enter_context(
                training_folder(settings, default_values(host), goes_on=isinstance(hint, int) and hint > 0)
            )
        notes += adapt(settings, device)
        stack.callback(close_log, host)
        return execute(run, host, device, settings, notes, [*doubts, *found])


def execute(
    run: Run, host: ActiveHost, device: str, settings: dict[str, Any], notes: Sequence[str], warnings: Sequence[str]
) -> dict[str, float] | None:
    """Build the model and hand it to the host's loop, as OpenGait's ``main.py`` does."""
    messages, shown = host.messages, MetricsAsTable()
    LOGGER.addFilter(shown)
    model = build(run, host, device, settings, notes, warnings)
    cls = type(getattr(model, "module", model))
    if run.phase == "train":
        return cls.run_train(model)
    results, engine = cls.run_test(model), settings["evaluator_cfg"]
    if metrics := scalars(results):
        if not shown.shown:
            messages.log_info(table(metrics))
        hint, output = engine["restore_hint"], output_folder(settings, training=False)
        name = f"{engine['save_name']}-{hint:0>5}" if isinstance(hint, int) else hint
        messages.log_info(f"Metrics are in {write_test(output, name, settings, metrics)}")
    return results


def build(
    run: Run,
    host: ActiveHost,
    device: str,
    settings: dict[str, Any],
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    mixins: Sequence[type] = (),
) -> nn.Module:
    """Open the run's log, seed, and build the model as the host's loops want it, inside a session.

    Args:
        run: ``phase`` and ``log_to_file`` count.
        host, device: of the session.
        settings: of the run, fitted to the device.
        notes, warnings: said first.
        mixins: go in front of the model's class, see :func:`opengait_ext.training.hosted.hosted_class`.
    """
    training, messages = run.phase == "train", host.messages
    engine = settings["trainer_cfg" if training else "evaluator_cfg"]
    output = output_folder(settings, training)
    cls = hosted_class(host, settings["model_cfg"]["model"], *mixins)
    if training:
        start = engine["restore_hint"] if isinstance(engine["restore_hint"], int) else 0
        messages.init_manager(output, run.log_to_file, engine["log_iter"], start)
    else:
        messages.init_logger(output, run.log_to_file)
    seed, rank = settings["trainer_cfg"].get("seed"), distributed.get_rank()
    host.utils.init_seeds(rank if seed is None else seed + rank)
    messages.log_info(f"Host: {host}; device: {device}; processes: {distributed.get_world_size()}")
    for warning in warnings:
        messages.log_warning(warning)
    for note in (*notes, str(engine), str(settings["model_cfg"])):
        messages.log_info(note)
    if not training and engine["restore_hint"] == 0:
        messages.log_warning("evaluator_cfg.restore_hint: 0: random weights are tested; --iter N takes a checkpoint's")
    model = cls(settings, training)
    if training and settings["trainer_cfg"]["sync_BN"]:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    if settings["trainer_cfg"]["fix_BN"]:
        model.fix_BN()
    model = host.utils.get_ddp_module(model, settings["trainer_cfg"]["find_unused_parameters"])
    messages.log_info(host.utils.params_count(model))
    return model


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
