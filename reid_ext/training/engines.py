"""torchreid's engines with the diversity loss and a checkpoint after every epoch."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from yacs.config import CfgNode

from plugins.common.machine import device_name

from ..data.images import reading
from ..host import torchreid
from ..host_errors import host_call
from ..models.build import built_with
from ..models.layout import evaluate_channels_last
from ..models.networks import GivesDiversity
from ..settings.evaluation import evaluation_settings
from .checkpoints import inner, save_checkpoint, training_state
from .console import quiet
from .fed import FedEngine
from .folder import CHECKPOINT, NAME
from .margins import MARGINS
from .numerics import WatchedEngine
from .partners import check_partner, check_triplet_batch
from .progress import first_batch_line
from .protocols import has_protocol, test_by_protocol
from .ranking import ranking
from .results import Results
from .rng import preserved_rng
from .steps import DiversityLoss, MarginLosses, SoftmaxLosses, TripletLosses


class CheckpointedEngine(FedEngine, WatchedEngine):
    """Save after every epoch, whole or not at all, with everything that a resumed run needs to go on exactly.

    The host saves only after an evaluation, in place, and its evaluation draws random numbers; here a checkpoint is
    written as soon as an epoch's training ends, and again with ``rank1`` once the epoch is evaluated. What was measured
    is printed as a table, and written to ``save_dir`` (:class:`reid_ext.training.results.Results`).
    """

    loss = "softmax"  # what the model must have been built for
    settings: Mapping[str, Any] | None = None  # what is tested and how, to be written beside the results
    network_settings: Mapping[str, Any] | None = None  # what the model was built with, for its checkpoints
    evaluated_weights: tuple[str, int | None] = "", None  # file and epoch, in a test alone
    _begun: float | None = None  # when run() was called
    _test_only = False

    def run(self, save_dir: str = "log", *args, save_freq: int = 1, **kwargs) -> None:
        """Run the host's training and evaluation; checkpoints go to ``save_dir/model/model.pth.tar-<epoch>``.

        Args:
            save_dir: the run's folder.
            args, kwargs: the host's, in its order: ``max_epoch`` comes next.
            save_freq: the number of epochs between two checkpoints; the last epoch's is always written.
        """
        given = inspect.signature(super().run).bind(save_dir, *args, **kwargs).arguments
        self.save_dir, self.save_freq, self._begun = save_dir, save_freq, time.monotonic()
        self._test_only = given.get("test_only", False)
        try:
            super().run(save_dir, *args, **kwargs)
        finally:
            if self.writer is not None:  # the host closes it only where all went well; the last scalars would be lost
                self.writer.close()

    def train(self, *args, **kwargs) -> None:
        """Train one epoch as the host does, then save if it is this epoch's turn."""
        self._epoch_begun = time.monotonic()
        advice = "check the settings of train, loss and sampler, and the model"
        with reading(), host_call(f"training, epoch {self.epoch + 1}", advice, "train.batch_size"):
            super().train(*args, **kwargs)
        if (self.epoch + 1) % self.save_freq == 0 or self.epoch + 1 == self.max_epoch:
            self.save_model(self.epoch, None, self.save_dir)

    def parse_data_for_train(self, data: dict) -> tuple[Tensor, Tensor]:
        """Return what the host does: images and identities.

        Raises:
            KpstraError: a triplet loss, and all images are of one person.
        """
        images, pids = super().parse_data_for_train(data)
        if self.loss == "triplet" and self.weight_t > 0:
            check_triplet_batch(pids, f"epoch {self.epoch + 1}, batch {getattr(self, 'batch_idx', 0) + 1}")
        return images, pids

    def watched(self, data: dict, summary: dict[str, float]) -> dict[str, float]:
        """Check a batch's losses; after a run's first batch, say how long all of them will take."""
        summary = super().watched(data, summary)
        if self._begun is not None and (self.epoch, self.batch_idx) == (self.start_epoch, 0):
            left = self.num_batches * (self.max_epoch - self.epoch) - 1
            print(first_batch_line(time.monotonic() - self._epoch_begun, left, device_name(self.use_gpu)))
        return summary

    def test(self, *args, save_dir: str = "", **kwargs) -> float:
        """Evaluate as the host does, leaving the random streams as they were; print and write what was measured."""
        self._metrics = {}
        advice = "check the settings of test, and the model"
        with preserved_rng(), reading(), host_call("test", advice, "test.batch_size"):
            rank1 = super().test(*args, save_dir=save_dir, **kwargs)
        results = self.results()
        print(results.table())
        if save_dir:
            print(f"Results: {results.write(save_dir)}")
        return rank1

    def results(self) -> Results:
        """Return what the last test measured."""
        device = device_name(self.use_gpu)
        if self._begun is None or self._test_only:
            path, epoch = self.evaluated_weights
            return Results(self._metrics, True, None, None, device, path, epoch, self.settings)
        epoch = self.epoch + 1
        seconds = time.monotonic() - self._begun if self.start_epoch == 0 else None
        path = f"{NAME}/{CHECKPOINT}{epoch}"
        return Results(self._metrics, epoch == self.max_epoch, epoch, seconds, device, path, epoch, self.settings)

    def _evaluate(self, dataset_name: str = "", ranks: Sequence[int] = (1, 5, 10, 20), **kwargs) -> tuple[float, float]:
        if has_protocol(kwargs.get("query_loader")):
            loaders = kwargs["query_loader"], kwargs["gallery_loader"]
            metrics = test_by_protocol(self, dataset_name, *loaders, kwargs.get("save_dir", ""))
            self._metrics[dataset_name] = metrics
            return next(iter(metrics.values())), math.nan  # the host takes them for rank-1 and mAP
        with ranking() as measured, quiet():
            outcome = super()._evaluate(dataset_name=dataset_name, ranks=ranks, **kwargs)
        cmc, mean_ap = measured[-1]
        self._metrics[dataset_name] = {"mAP": float(mean_ap), **{f"Rank-{k}": float(cmc[k - 1]) for k in ranks}}
        return outcome

    def register_model(self, name: str = "model", model=None, optim=None, sched=None) -> None:
        """Register a model as the host does; on a CPU it is tested with images channels last in memory.

        Raises:
            KpstraError: it was built for another loss, or for fewer people than there are to train on.
        """
        check_partner(inner(model), self.loss, self.datamanager.num_train_pids, type(self).__name__)
        super().register_model(name, model, optim, sched)
        evaluate_channels_last(model)

    def save_model(self, epoch: int, rank1: float | None, save_dir: str, is_best: bool = False) -> None:
        """Write ``save_dir/<name>/model.pth.tar-<epoch + 1>`` (and ``model-best.pth.tar``) atomically."""
        self.require_finite_weights()
        for name in self.get_model_names():
            parts = self._models[name], self._optims[name], self._scheds[name]
            state = training_state(*parts, epoch + 1, rank1, self.network_settings)
            path = Path(save_dir) / name / f"{CHECKPOINT}{epoch + 1}"
            save_checkpoint(state, path)
            if is_best:
                save_checkpoint(state, Path(save_dir) / "model-best.pth.tar")


class SoftmaxEngine(CheckpointedEngine, torchreid.engine.ImageSoftmaxEngine):
    """torchreid's image softmax engine with checkpoints after every epoch."""


class TripletEngine(CheckpointedEngine, torchreid.engine.ImageTripletEngine):
    """torchreid's image triplet engine with checkpoints after every epoch."""

    loss = "triplet"


class VideoSoftmaxEngine(CheckpointedEngine, torchreid.engine.VideoSoftmaxEngine):
    """torchreid's video softmax engine with checkpoints after every epoch."""


class VideoTripletEngine(CheckpointedEngine, torchreid.engine.VideoTripletEngine):
    """torchreid's video triplet engine with checkpoints after every epoch."""

    loss = "triplet"


class StRASoftmaxEngine(DiversityLoss, SoftmaxLosses, SoftmaxEngine):
    """Image softmax engine with the diversity loss."""


class StRATripletEngine(DiversityLoss, TripletLosses, TripletEngine):
    """Image triplet engine with the diversity loss."""


class StRAVideoSoftmaxEngine(DiversityLoss, SoftmaxLosses, VideoSoftmaxEngine):
    """Video softmax engine with the diversity loss."""


class StRAVideoTripletEngine(DiversityLoss, TripletLosses, VideoTripletEngine):
    """Video triplet engine with the diversity loss."""


class MarginEngine(MarginLosses, SoftmaxEngine):
    """Image engine of a model with a margin head: AdaFace, ArcFace or CosFace."""


class StRAMarginEngine(DiversityLoss, MarginEngine):
    """The same with the diversity loss."""


# (data type, loss) -> engine for a network without and with a diversity loss
ENGINES = {
    ("image", "softmax"): (SoftmaxEngine, StRASoftmaxEngine),
    ("image", "triplet"): (TripletEngine, StRATripletEngine),
    **{("image", name): (MarginEngine, StRAMarginEngine) for name in MARGINS},
    ("video", "softmax"): (VideoSoftmaxEngine, StRAVideoSoftmaxEngine),
    ("video", "triplet"): (VideoTripletEngine, StRAVideoTripletEngine),
}


def build_engine(cfg: CfgNode, datamanager, model: nn.Module, optimizer, scheduler):
    """Build the engine for ``cfg.data.type`` and ``cfg.loss.name``, with the diversity loss where ``model`` has one."""
    arguments = {
        "optimizer": optimizer,
        "scheduler": scheduler,
        "use_gpu": cfg.use_gpu,
        "label_smooth": cfg.loss.softmax.label_smooth,
    }
    if cfg.loss.name == "triplet":
        arguments.update(cfg.loss.triplet)  # margin, weight_t, weight_x
    if cfg.data.type == "video":
        arguments["pooling_method"] = cfg.video.pooling_method
    diverse = isinstance(inner(model), GivesDiversity)
    if diverse:
        arguments["weight_d"] = cfg.stra.weight_d
    engine = ENGINES[cfg.data.type, cfg.loss.name][diverse](datamanager, model, **arguments)
    engine.settings = evaluation_settings(cfg)
    engine.network_settings = built_with(cfg)
    return engine
