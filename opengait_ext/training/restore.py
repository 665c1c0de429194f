"""A trained model as ``python -m opengait_ext --phase test`` has it, for whatever else asks it for features."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from plugins.errors import KpstraError

from ..host.active import ActiveHost
from ..settings.load import load_settings, resolve_paths
from .hosted import hosted_class
from .log import close_log
from .session import adapt

UNSEEN = 1  # given to a model's `inference` as the process number: only in the first does the host show its bar


class Unfed:
    """Mixed into a model class, in front of it: no data set and no loader."""

    def get_loader(self, data_cfg: Mapping, train: bool = True) -> None:
        """Return nothing: the batches are made elsewhere."""


def restore(
    host: ActiveHost,
    device: str,
    config: str,
    checkpoint: str | Path,
    overrides: Sequence[str] = (),
    mixin: type = Unfed,
) -> nn.Module:
    """Build a configuration's model for testing and restore a checkpoint, inside a session.

    Args:
        host: of the session.
        device: of the session.
        config: a path, or the name of a shipped configuration.
        checkpoint: a file; ``evaluator_cfg.restore_ckpt_strict`` says how it is taken.
        overrides: ``section.key=value`` pairs.
        mixin: goes in front of the model's class; with :class:`Unfed` no data set is needed.

    Raises:
        KpstraError: any mistake in the settings, the checkpoint or the data.
    """
    if not isinstance(checkpoint, (str, Path)) or not Path(checkpoint).is_file():
        raise KpstraError(
            f"{checkpoint}: no such checkpoint; a run's are in output/<dataset>/<model>/<save_name>/checkpoints"
        )
    settings = load_settings(host, config, overrides)
    settings["evaluator_cfg"]["restore_hint"] = str(Path(checkpoint).resolve())
    if not issubclass(mixin, Unfed):
        resolve_paths(settings, host, "test")
    adapt(settings, device)
    return hosted_class(host, settings["model_cfg"]["model"], mixin)(settings, training=False)


@contextmanager
def quiet(host: ActiveHost) -> Iterator[None]:
    """Let the host's log show warnings alone."""
    host.messages.init_logger("", False)
    logging.getLogger("opengait").setLevel(logging.WARNING)
    try:
        yield
    finally:
        close_log(host)
