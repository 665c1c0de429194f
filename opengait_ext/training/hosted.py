"""What every model of a run gains over OpenGait's; each part is a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import optim

from ..data.checks import check_groups
from ..host.active import ActiveHost, model_class
from ..host.errors import refused
from .checkpoints import Checkpoints
from .loading import Loading
from .numerics import Watched
from .precision import Precision
from .progress import Progress
from .seeding import Seeded
from .testing import Testing


class Hosted(Progress, Checkpoints, Testing, Seeded, Watched, Loading, Precision):
    """Mixed into a model class, in front of it; :func:`hosted_class` does so.

    Every part overrides what the host calls and passes on to the next: from the bar around the training loop, inwards
    to the data. What the host cannot build from the settings is told by their section.
    """

    def __init__(self, cfgs: Mapping[str, Any], training: bool) -> None:
        with refused("settings"):
            super().__init__(cfgs, training)

    def build_network(self, model_cfg: Mapping) -> None:
        """Build the model's network."""
        with refused("model_cfg"):
            super().build_network(model_cfg)

    def get_optimizer(self, optimizer_cfg: Mapping) -> optim.Optimizer:
        """Return the model's optimiser after checking that each trained parameter is in exactly one group."""
        with refused("optimizer_cfg", dict(optimizer_cfg)):
            optimizer = super().get_optimizer(optimizer_cfg)
        check_groups(self, optimizer)
        return optimizer

    def get_scheduler(self, scheduler_cfg: Mapping) -> optim.lr_scheduler.LRScheduler:
        """Return the model's schedule of the learning rate."""
        with refused("scheduler_cfg", dict(scheduler_cfg)):
            return super().get_scheduler(scheduler_cfg)


def hosted_class(host: ActiveHost, model: str | type, *mixins: type) -> type:
    """Return a model's class as a run has it.

    Args:
        host: of the session.
        model: ``model_cfg.model``, or the class.
        mixins: go in front, over :class:`Hosted`.

    Raises:
        KpstraError: no such model.
    """
    cls = model_class(host, model) if isinstance(model, str) else model
    return type(cls.__name__, (*mixins, Hosted, cls), {"host": host})
