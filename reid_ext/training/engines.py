"""torchreid's engines with the diversity loss and a checkpoint after every epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor, nn
from yacs.config import CfgNode

from plugins.errors import KpstraError

from ..data.images import reading
from ..host import torchreid
from ..models.networks import DiversityOutputs
from . import checkpoints as checkpoint
from .numerics import WatchedEngine
from .ranking import ranking


class CheckpointedEngine(WatchedEngine):
    """Save after every epoch, whole or not at all, with everything that a resumed run needs to go on exactly.

    The host saves only after an evaluation, in place, and its evaluation draws random numbers; here a checkpoint is
    written as soon as an epoch's training ends, and again with ``rank1`` once the epoch is evaluated.
    """

    def run(self, save_dir: str = "log", **kwargs) -> None:
        """Run the host's training and evaluation; checkpoints go to ``save_dir/model/model.pth.tar-<epoch>``."""
        self.save_dir = save_dir
        super().run(save_dir=save_dir, **kwargs)

    def train(self, *args, **kwargs) -> None:
        """Train one epoch as the host does, then save."""
        with reading():
            super().train(*args, **kwargs)
        self.save_model(self.epoch, None, self.save_dir)

    def test(self, *args, **kwargs) -> float:
        """Evaluate as the host does, leaving the random streams as they were, and rank faster."""
        with checkpoint.preserved_rng(), reading(), ranking():
            return super().test(*args, **kwargs)

    def save_model(self, epoch: int, rank1: float | None, save_dir: str, is_best: bool = False) -> None:
        """Write ``save_dir/<name>/model.pth.tar-<epoch + 1>`` (and ``model-best.pth.tar``) atomically."""
        self.require_finite_weights()
        for name in self.get_model_names():
            state = checkpoint.training_state(
                self._models[name], self._optims[name], self._scheds[name], epoch + 1, rank1
            )
            path = Path(save_dir) / name / f"model.pth.tar-{epoch + 1}"
            checkpoint.save_checkpoint(state, path)
            if is_best:
                checkpoint.save_checkpoint(state, Path(save_dir) / "model-best.pth.tar")


class DiversityLoss:
    """Add ``weight_d * mean(diversity)`` (StRA paper, appendix A) to the identity losses of a host's engine."""

    def __init__(self, datamanager, model: nn.Module, *args, weight_d: float = 1.0, **kwargs) -> None:
        if not isinstance(_inner(model), DiversityOutputs):
            raise KpstraError(f"{type(_inner(model)).__name__} has no diversity loss: use torchreid's own engine")
        super().__init__(datamanager, model, *args, **kwargs)
        self.weight_d = weight_d

    def forward_backward(self, data: dict) -> dict[str, float]:
        """Train on one batch; return the total ``loss`` and each part by its host name, with ``loss_d`` and ``acc``."""
        imgs, pids = self.parse_data_for_train(data)
        if self.use_gpu:
            imgs, pids = imgs.cuda(), pids.cuda()
        with returning_diversity(self.model):
            *outputs, diversity = self.model(imgs)
        losses = self.identity_losses(outputs, pids)
        losses["loss_d"] = (self.weight_d, diversity.mean())
        loss = sum(weight * value for weight, value in losses.values())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        accuracy = torchreid.metrics.accuracy(outputs[0], pids)[0].item()
        parts = {name: value.item() for name, (_, value) in losses.items()}
        return self.watched(data, {"loss": loss.item(), **parts, "acc": accuracy})


class SoftmaxDiversity(DiversityLoss):
    """Softmax loss + ``weight_d`` diversity loss, the paper's objective (weight 1.0 for re-identification)."""

    def identity_losses(self, outputs: list[Tensor], pids: Tensor) -> dict[str, tuple[float, Tensor]]:
        """Return name -> (weight, loss) of the host's softmax engines."""
        return {"loss_x": (1.0, self.compute_loss(self.criterion, outputs[0], pids))}


class TripletDiversity(DiversityLoss):
    """Hard triplet loss + softmax loss + ``weight_d`` diversity loss."""

    def identity_losses(self, outputs: list[Tensor], pids: Tensor) -> dict[str, tuple[float, Tensor]]:
        """Return name -> (weight, loss) of the host's triplet engines; parts of weight 0 are left out."""
        logits, features = outputs
        parts = {
            "loss_t": (self.weight_t, self.criterion_t, features),
            "loss_x": (self.weight_x, self.criterion_x, logits),
        }
        return {
            name: (weight, self.compute_loss(criterion, output, pids))
            for name, (weight, criterion, output) in parts.items()
            if weight > 0
        }


class SoftmaxEngine(CheckpointedEngine, torchreid.engine.ImageSoftmaxEngine):
    """torchreid's image softmax engine with checkpoints after every epoch."""


class TripletEngine(CheckpointedEngine, torchreid.engine.ImageTripletEngine):
    """torchreid's image triplet engine with checkpoints after every epoch."""


class VideoSoftmaxEngine(CheckpointedEngine, torchreid.engine.VideoSoftmaxEngine):
    """torchreid's video softmax engine with checkpoints after every epoch."""


class VideoTripletEngine(CheckpointedEngine, torchreid.engine.VideoTripletEngine):
    """torchreid's video triplet engine with checkpoints after every epoch."""


class StRASoftmaxEngine(SoftmaxDiversity, SoftmaxEngine):
    """Image softmax engine with the diversity loss."""


class StRATripletEngine(TripletDiversity, TripletEngine):
    """Image triplet engine with the diversity loss."""


class StRAVideoSoftmaxEngine(SoftmaxDiversity, VideoSoftmaxEngine):
    """Video softmax engine with the diversity loss."""


class StRAVideoTripletEngine(TripletDiversity, VideoTripletEngine):
    """Video triplet engine with the diversity loss."""


# (data type, loss) -> engine for a network without and with a diversity loss
ENGINES = {
    ("image", "softmax"): (SoftmaxEngine, StRASoftmaxEngine),
    ("image", "triplet"): (TripletEngine, StRATripletEngine),
    ("video", "softmax"): (VideoSoftmaxEngine, StRAVideoSoftmaxEngine),
    ("video", "triplet"): (VideoTripletEngine, StRAVideoTripletEngine),
}


@contextmanager
def returning_diversity(model: nn.Module) -> Iterator[None]:
    """Let ``model`` (also inside DataParallel) end its training outputs with the diversity for one forward."""
    inner = _inner(model)
    inner.return_diversity = True
    try:
        yield
    finally:
        inner.return_diversity = False


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
    diverse = isinstance(_inner(model), DiversityOutputs)
    if diverse:
        arguments["weight_d"] = cfg.stra.weight_d
    return ENGINES[cfg.data.type, cfg.loss.name][diverse](datamanager, model, **arguments)


def _inner(model: nn.Module) -> nn.Module:
    return model.module if isinstance(model, nn.DataParallel) else model
