"""The host's log: metrics as a small table, and everything closed at the end of a run."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from torch import distributed

from ..host.active import ActiveHost
from .record import scalars

LOGGER = logging.getLogger("opengait")


def table(metrics: Mapping[str, float]) -> str:
    """Return metrics as text, a line for each."""
    width = max(map(len, metrics), default=0)
    return "\n".join(["Metrics:", *(f"  {name:{width}} {value:8.2f}" for name, value in metrics.items())])


class MetricsAsTable(logging.Filter):
    """Shows the dictionary of metrics that the host logs as a table; ``shown`` once one was."""

    shown = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace such a message, in place."""
        if isinstance(record.msg, dict) and record.msg and all(str(key).startswith("scalar/") for key in record.msg):
            record.msg, self.shown = table(scalars(record.msg)), True
        return True


def close_log(host: ActiveHost) -> None:
    """Take handlers and filters off the host's logger, and close its TensorBoard files with the last scalars in them.

    Every run adds its own handlers, and a second would log each line twice.
    """
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    for one in list(LOGGER.filters):
        LOGGER.removeFilter(one)
    if distributed.get_rank() == 0 and (writer := getattr(host.messages, "writer", None)) is not None:
        writer.close()
