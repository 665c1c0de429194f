"""What a run says: its log, on the console and in a file, and its TensorBoard summaries."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed
from torch.utils.tensorboard import SummaryWriter

from .common import NoOp, Odict, is_list, is_tensor, mkdir, ts2np

KINDS = ("image", "scalar")


class MessageManager:
    """Logs training every ``log_iter`` iterations: the mean of each ``scalar/...`` since the last time."""

    def __init__(self) -> None:
        self.info_dict = Odict()
        self.time = time.time()
        self.logger = logging.getLogger("opengait")

    def init_manager(self, save_path: str, log_to_file: bool, log_iter: int, iteration: int = 0) -> None:
        """Open the summaries of a training run in ``<save_path>/summary`` and its log; it starts at ``iteration``."""
        self.iteration, self.log_iter = iteration, log_iter
        summary = Path(save_path) / "summary"
        mkdir(summary)
        self.writer = SummaryWriter(str(summary), purge_step=iteration)
        self.init_logger(save_path, log_to_file)

    def init_logger(self, save_path: str, log_to_file: bool) -> None:
        """Log to the console, and to ``<save_path>/logs/<time>.txt`` if ``log_to_file``; earlier outputs are closed."""
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        for handler in list(self.logger.handlers):
            self.logger.removeHandler(handler)
            handler.close()
        handlers: list[logging.Handler] = [logging.StreamHandler()]
        if log_to_file:
            logs = Path(save_path) / "logs"
            mkdir(logs)
            handlers.insert(0, logging.FileHandler(logs / f"{time.strftime('%Y-%m-%d-%H-%M-%S')}.txt"))
        for handler in handlers:
            handler.setFormatter(
                logging.Formatter("[%(asctime)s] [%(levelname)s]: %(message)s", datefmt="%Y-%m-%d %H:%M:%S")
            )
            self.logger.addHandler(handler)

    def append(self, info: Mapping) -> None:
        """Remember one iteration's values."""
        for key, value in info.items():
            values = value if is_list(value) else [value]
            self.info_dict.append({key: [ts2np(v) if is_tensor(v) else v for v in values]})

    def flush(self) -> None:
        """Forget the values, and write the summaries to disk."""
        self.info_dict.clear()
        self.writer.flush()

    def write_to_tensorboard(self, summary: Mapping) -> None:
        """Write values named ``scalar/...`` (their mean) and ``image/...`` ((n, c, h, w) as a grid, or (c, h, w))."""
        for key, value in summary.items():
            kind, _, name = key.partition("/")
            if kind not in KINDS:
                self.log_warning(f"Summary {key!r} is left out: its name starts with none of {', '.join(KINDS)}")
            elif kind == "scalar":
                self.writer.add_scalar(name, value.mean() if hasattr(value, "mean") else value, self.iteration)
            else:
                self.writer.add_images(name, _stretched(value), self.iteration)

    def log_training_info(self) -> None:
        """Log the means of the remembered values."""
        line = f"Iteration {self.iteration:0>5}, Cost {time.time() - self.time:.2f}s"
        for key, values in self.info_dict.items():
            if "scalar" in key:
                line += f", {key.replace('scalar/', '').replace('/', '_')}={np.mean(values):.4f}"
        self.log_info(line)
        self.reset_time()

    def reset_time(self) -> None:
        """Start measuring the cost of iterations anew."""
        self.time = time.time()

    def train_step(self, info: Mapping, summary: Mapping) -> None:
        """Count one iteration with its losses ``info``; every ``log_iter``-th is logged and summarised."""
        self.append(info)
        self.iteration += 1
        if self.iteration % self.log_iter:
            return
        self.log_training_info()
        self.write_to_tensorboard(summary)
        self.flush()

    def log_debug(self, *args, **kwargs) -> None:
        self.logger.debug(*args, **kwargs)

    def log_info(self, *args, **kwargs) -> None:
        self.logger.info(*args, **kwargs)

    def log_warning(self, *args, **kwargs) -> None:
        self.logger.warning(*args, **kwargs)


def _stretched(images: Tensor) -> Tensor:
    """Return images (n, c, h, w), or one (c, h, w) or (h, w), as (n, c, h, w), each with values from 0 to 1."""
    images = torch.as_tensor(images).detach().float()
    images = images.reshape((1,) * (4 - images.ndim) + images.shape)
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    return (images - low) / (high - low).clamp_min(1e-5)


msg_mgr = MessageManager()
noop = NoOp()


def get_msg_mgr() -> MessageManager | NoOp:
    """Return the message manager; in all processes but the first it does nothing."""
    return noop if distributed.get_rank() > 0 else msg_mgr
