"""Losses, gradients and features that are NaN or infinite: noticed, named by iteration and sequences, never saved.

Without float16 a loss or gradients that are not finite end the run. With float16 OpenGait's GradScaler leaves such
steps out and lowers its scale; here each is logged and counted (TensorBoard: ``skipped_steps``), and only
``MAX_SKIPPED`` in a row, or a forward pass that overflowed into the running statistics of a batch norm, end the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, optim
from torch.utils.data import DataLoader

from plugins.answer import Answer
from plugins.common.numerics import GradientWatch, nonfinite_rows, require_finite
from plugins.errors import KpstraError, some

MAX_SKIPPED = 30  # in a row: GradScaler has then gone from 2**16 to 2**-14
AGAIN = (  # a run goes on with its own settings alone, and the optimiser's state has the old rate
    "the checkpoints are unharmed; lower optimizer_cfg.lr{} and begin another run from the last one: "
    "trainer_cfg.save_name=NAME trainer_cfg.restore_hint=CHECKPOINT.pt trainer_cfg.optimizer_reset=true "
    "trainer_cfg.scheduler_reset=true"
)


class Batch(NamedTuple):
    """Which sequences a batch holds; ``number`` counts the batches drawn."""

    number: int
    labels: Sequence[str]
    types: Sequence[str]
    views: Sequence[str]

    def __str__(self) -> str:
        names = ", ".join(map("/".join, zip(self.labels, self.types, self.views, strict=True)))
        return f"batch {self.number}, of the sequences {names}"


class StepWatch:
    """Watches the training steps of a hosted model.

    Without float16 the device is asked whether the loss is finite before the host reads the loss (``loss_sum <=
    1e-9``), and the answer is read after that, before the optimiser's step; whether the gradients were, at the next
    step. So nobody waits for the device but the host itself. The batch is set by :class:`Watched`.
    """

    def __init__(self, model: Any, optimizer: optim.Optimizer) -> None:
        self.model = model
        self.scaled = model.engine_cfg["enable_float16"]
        self.scale: float | None = None
        self.skipped = self.in_a_row = 0
        self.batch = self.stepped = Batch(0, (), (), ())
        self.loss: tuple[Tensor, Answer] | None = None
        if not self.scaled:
            optimizer.register_step_pre_hook(self._require_finite_loss)
        self.gradients = None if self.scaled else GradientWatch(optimizer)

    def before(self, loss: Tensor) -> None:
        """Check the last step's gradients, and begin to check this one's loss.

        Raises:
            KpstraError: not finite, without float16.
        """
        if self.scaled:
            self.scale = self.model.Scaler.get_scale() if self.scale is None else self.scale
            return
        self.settle()
        self.loss, self.stepped = (loss, Answer(torch.isfinite(loss))), self.batch

    def _require_finite_loss(self, *_: object) -> None:
        if self.loss is None:  # a step of somebody else's own loop
            return
        (loss, finite), self.loss = self.loss, None
        if not finite.read():
            where = f"iteration {self.model.iteration + 1}, {self.batch}"
            raise KpstraError(f"training: the loss is {loss.item()} at {where}; {AGAIN.format('')}")

    def settle(self) -> None:
        """Check the last step's gradients.

        Raises:
            KpstraError: not finite, without float16.
        """
        if self.gradients is not None and not self.gradients.finite():
            where = f"iteration {self.model.iteration}, {self.stepped}"
            raise KpstraError(f"training: the gradients are not finite at {where}; {AGAIN.format('')}")

    def after(self, done: bool, loss: Tensor) -> None:
        """Count the step if the scaler left it out.

        Raises:
            KpstraError: ``MAX_SKIPPED`` in a row, or running statistics that are NaN or infinite.
        """
        if done or not self.scaled:
            self.in_a_row = 0
            return
        before, self.scale = self.scale, self.model.Scaler.get_scale()
        if self.scale > before:  # the step was taken; the scaler tries a larger scale, and the host counts no iteration
            self.in_a_row = 0
            return
        self.skipped, self.in_a_row = self.skipped + 1, self.in_a_row + 1
        what = (
            f"float16 overflow (loss {loss.item():.4g}, scale {before:g}) at iteration {self.model.iteration + 1}, "
            f"{self.batch}: step left out, {self.in_a_row} in a row"
        )
        again = AGAIN.format(", or set trainer_cfg.enable_float16: false,")
        self.model.msg_mgr.log_warning(f"{what}, {self.skipped} in all")
        self.model.msg_mgr.write_to_tensorboard({"scalar/skipped_steps": self.skipped})
        if self.in_a_row >= MAX_SKIPPED:
            raise KpstraError(f"training: {what}; {again}")
        try:
            require_finite(self.model.named_buffers(), "running statistics")
        except KpstraError as error:
            raise KpstraError(f"training: {what}; {error}; {again}") from error


class Watched:
    """Part of :class:`opengait_ext.training.hosted.Hosted`: a :class:`StepWatch` around the training steps."""

    def get_loader(self, data_cfg: Mapping, train: bool = True) -> DataLoader:
        """Return the loader, and keep the names of the training identities for messages."""
        loader = super().get_loader(data_cfg, train)
        if train:
            self.identities = [label.removeprefix(f"{data_cfg['dataset_name']}-") for label in loader.dataset.label_set]
        return loader

    def get_optimizer(self, optimizer_cfg: Mapping) -> optim.Optimizer:
        """Return the optimiser, watched."""
        optimizer = super().get_optimizer(optimizer_cfg)
        self.watch = StepWatch(self, optimizer)
        return optimizer

    def inputs_pretreament(self, inputs: tuple) -> tuple:
        """Keep what the batch holds."""
        if self.training:
            self.watch.batch = Batch(self.batches, [self.identities[i] for i in inputs[1]], *inputs[2:4])
        return super().inputs_pretreament(inputs)

    def train_step(self, loss_sum: Tensor) -> bool:
        """Take the step; a loss that is NaN or infinite ends the run before it spoils the weights."""
        self.watch.before(loss_sum)
        done = super().train_step(loss_sum)
        self.watch.after(done, loss_sum)
        return done


def require_finite_features(features: dict[str, Any], labels: Sequence, types: Sequence, views: Sequence) -> None:
    """Refuse test features that are NaN or infinite, which would be ranked all the same.

    Args:
        features: by name, (sequences, ...) each.
        labels, types, views: of the sequences, in that order.

    Raises:
        KpstraError: names the sequences.
    """
    for name, values in features.items():
        wrong = ["/".join((labels[i], types[i], views[i])) for i in nonfinite_rows(values)]
        if wrong:
            raise KpstraError(
                f"test: {name} of {len(wrong)} of {len(values)} sequences not finite: {some(wrong, 5)}; "
                "check the checkpoint (restore_hint), or set evaluator_cfg.enable_float16: false"
            )
