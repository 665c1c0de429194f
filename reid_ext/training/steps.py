"""One step of training where the losses are not the host's: a margin head's, and the diversity loss beside any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plugins.errors import KpstraError

from ..host import torchreid
from ..models.networks import GivesDiversity
from .checkpoints import inner

Losses = dict[str, tuple[float, Tensor]]  # name -> (weight, loss)


class OwnStep:
    """Mixed into a host's engine, in front of it: the host's step, of losses that subclasses name.

    A subclass gives :meth:`losses`, and may change :meth:`outputs`.
    """

    def outputs(self, images: Tensor, pids: Tensor) -> list[Tensor]:
        """Return the model's training outputs, the logits first."""
        outputs = self.model(images)
        return list(outputs) if isinstance(outputs, tuple | list) else [outputs]

    def losses(self, outputs: list[Tensor], pids: Tensor) -> Losses:
        """Return the losses by name, each with its weight."""
        raise NotImplementedError

    def forward_backward(self, data: Mapping) -> dict[str, float]:
        """Train on one batch; return the total ``loss``, each part by its name, and ``acc``."""
        images, pids = self.parse_data_for_train(data)
        if self.use_gpu:
            images, pids = images.cuda(), pids.cuda()
        outputs = self.outputs(images, pids)
        losses = self.losses(outputs, pids)
        loss = sum(weight * value for weight, value in losses.values())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        parts = {name: value.detach() for name, (_, value) in losses.items()}
        accuracy = torchreid.metrics.accuracy(outputs[0], pids)[0].squeeze()
        measured = {"loss": loss.detach(), **parts, "acc": accuracy}
        values = torch.stack([*measured.values()]).tolist()  # one wait for the device
        return self.watched(data, dict(zip(measured, values, strict=True)))


class SoftmaxLosses(OwnStep):
    """The host's softmax loss."""

    def losses(self, outputs: list[Tensor], pids: Tensor) -> Losses:
        """Return cross entropy, with the host's label smoothing."""
        return {"loss_x": (1.0, self.compute_loss(self.criterion, outputs[0], pids))}


class TripletLosses(OwnStep):
    """The host's hard triplet loss and softmax loss."""

    def losses(self, outputs: list[Tensor], pids: Tensor) -> Losses:
        """Return both; parts of weight 0 are left out."""
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


class MarginLosses(OwnStep):
    """Cross entropy of a margin head (:class:`reid_ext.training.margins.MarginHead`), without label smoothing.

    The model's classifier is a :class:`reid_ext.training.margins.MarginClassifier`. Under DataParallel the head works
    on the features of all devices, so that AdaFace's statistics are the whole batch's.
    """

    loss = "margin"

    def outputs(self, images: Tensor, pids: Tensor) -> list[Tensor]:
        """Return the logits under the margin for the feature, then the model's other outputs."""
        features, *others = super().outputs(images, pids)
        return [inner(self.model).classifier.head(features, pids), *others]

    def losses(self, outputs: list[Tensor], pids: Tensor) -> Losses:
        """Return cross entropy, the mean over the batch."""
        return {"loss_x": (1.0, F.cross_entropy(outputs[0], pids))}


class DiversityLoss(OwnStep):
    """``weight_d * mean(diversity)`` (StRA paper, appendix A) beside the losses of the class that follows this one."""

    def __init__(self, datamanager, model: nn.Module, *args, weight_d: float = 1.0, **kwargs) -> None:
        if not isinstance(inner(model), GivesDiversity):
            raise KpstraError(f"{type(inner(model)).__name__} has no diversity loss: use torchreid's own engine")
        super().__init__(datamanager, model, *args, **kwargs)
        self.weight_d = weight_d

    def outputs(self, images: Tensor, pids: Tensor) -> list[Tensor]:
        """Return the model's outputs, the diversity (B,) last."""
        with returning_diversity(self.model):
            return super().outputs(images, pids)

    def losses(self, outputs: list[Tensor], pids: Tensor) -> Losses:
        """Return the identity losses and ``loss_d``."""
        *outputs, diversity = outputs
        return {**super().losses(outputs, pids), "loss_d": (self.weight_d, diversity.mean())}


@contextmanager
def returning_diversity(model: nn.Module) -> Iterator[None]:
    """Let ``model`` (also inside DataParallel) end its training outputs with the diversity for one forward."""
    network = inner(model)
    network.return_diversity = True
    try:
        yield
    finally:
        network.return_diversity = False
