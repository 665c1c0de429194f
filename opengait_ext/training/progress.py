"""How long a run takes: the first iteration and what it lets expect, a bar, and an ETA with every log line."""

from __future__ import annotations

import time

import torch
from torch import distributed, nn
from tqdm import tqdm

from ..host.errors import refused

LONG = 24 * 3600  # seconds from which a run on a CPU is warned of


class Progress:
    """Part of :class:`opengait_ext.training.hosted.Hosted`: ``run_train`` and what ``train_step`` logs."""

    def train_step(self, loss_sum: torch.Tensor) -> bool:
        """Take the step, move the bar, and log the pace."""
        done = super().train_step(loss_sum)
        if done:
            self.progress.update()
            first, taken = self.iteration == self.started[0] + 1, time.monotonic() - self.started[1]
            if first or self.iteration % self.engine_cfg["log_iter"] == 0:
                pace = taken / (self.iteration - self.started[0])
                left = pace * (self.engine_cfg["total_iter"] - self.iteration)
                if first:
                    self._announce(taken, left)
                else:
                    self.msg_mgr.log_info(f"{1 / pace:.2f} iterations/s, ETA {clock(left)}")
        return done

    def _announce(self, taken: float, left: float) -> None:
        """Log the first iteration's time and, on a CPU, that a recipe for GPUs would take days."""
        more = self.engine_cfg["total_iter"] - self.iteration
        line = f"first iteration: {taken:.1f} s" + (f"; {more} more at this pace: ETA {clock(left)}" if more else "")
        if left > LONG and not uses_cuda():
            self.msg_mgr.log_warning(
                f"{line}, on a CPU; use a CUDA device, or a smaller recipe such as opengait/pets_swingait2d_kprpe, or "
                "fewer iterations: trainer_cfg.total_iter"
            )
        else:
            self.msg_mgr.log_info(line)

    def _state(self) -> str:
        """Where the run is, for the message of what the host raises; an empty string if it is none of the settings'."""
        if self.iteration == self.started[0]:
            return "first iteration (trainer_cfg, model_cfg, loss_cfg)"
        return "" if self.training else f"test after iteration {self.iteration} (evaluator_cfg)"

    @staticmethod
    def run_train(model: nn.Module) -> None:
        """Run the host's training loop under a progress bar."""
        module, total = getattr(model, "module", model), model.engine_cfg["total_iter"]
        if module.iteration >= total:
            module.msg_mgr.log_info(f"Nothing to train: iteration {module.iteration} of {total}")
            return
        module.started = (module.iteration, time.monotonic())
        hidden = True if distributed.get_rank() else None
        with (
            tqdm(total=total, initial=module.iteration, desc="Training", unit="it", disable=hidden) as module.progress,
            refused(module._state),
        ):
            super(Progress, type(module)).run_train(model)


def uses_cuda() -> bool:
    """Whether this run's process group is one of CUDA devices."""
    return distributed.get_backend() == "nccl"


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss, from two days on as days and h:mm."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{days} days {hour}:{minutes:02d} h" if days > 1 else f"{hours}:{minutes:02d}:{seconds:02d}"
