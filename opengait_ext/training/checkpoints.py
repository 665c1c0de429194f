"""Checkpoints of a run: written whole, restored exactly or as far as they fit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn

from plugins.common import checkpoints
from plugins.common.checkpoints import fit, load_optimizer, part_of
from plugins.common.files import atomic_write
from plugins.common.folders import require_same
from plugins.common.numerics import require_finite
from plugins.errors import KpstraError, some

from ..settings.schema import OUR_DEFAULTS
from .progress import uses_cuda
from .record import TrainingRecord

CLASSES = "model_cfg.SeparateBNNecks.class_num"  # of the classifier, which features do not use
CLASSIFIER = "BNNecks.fc_bin"  # (parts, channels, classes), by `model_cfg.SeparateBNNecks.class_num`


class Checkpoints:
    """Part of :class:`opengait_ext.training.hosted.Hosted`: ``save_ckpt``, ``resume_ckpt`` and what they need.

    Beside the host's entries a checkpoint holds ``batches``, ``skipped``, ``model_cfg`` and, with float16, ``scaler``.
    """

    def __init__(self, cfgs: Mapping[str, Any], training: bool) -> None:
        self._read: dict[str, Any] | None = None  # a checkpoint between build_network and its restoring
        self._trains = training
        super().__init__(cfgs, training)

    def build_network(self, model_cfg: Mapping) -> None:
        """Build the network; for a test with as many classes as the checkpoint has, as features do not use them."""
        hint = self.engine_cfg["restore_hint"]
        if not self._trains and hint != 0:
            self._read = read_checkpoint(self._source(hint), self._map_location())
            weights = self._read["model"].get(CLASSIFIER)
            necks = model_cfg.get("SeparateBNNecks") or {}
            if weights is not None and "class_num" in necks:
                model_cfg = {**model_cfg, "SeparateBNNecks": {**necks, "class_num": weights.shape[-1]}}
        super().build_network(model_cfg)

    @staticmethod
    def _map_location() -> torch.device:
        return torch.device("cuda", torch.cuda.current_device()) if uses_cuda() else torch.device("cpu")

    def _source(self, restore_hint: int | str) -> str:
        if isinstance(restore_hint, str):
            return restore_hint
        return str(checkpoint_path(self.save_path, self.engine_cfg["save_name"], restore_hint))

    def save_ckpt(self, iteration: int) -> None:
        """Write the host's checkpoint, with the scaler and what was counted, whole or not at all.

        Raises:
            KpstraError: weights or the gradients of the last step are not finite; nothing is written.
        """
        self.watch.settle()
        if distributed.get_rank() != 0:
            return
        weights = self.state_dict()
        require_finite(weights.items(), f"iteration {iteration}: no checkpoint is written: the model")
        checkpoint = {
            "model": weights,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "iteration": iteration,
            "batches": self.batches,
            "skipped": self.watch.skipped,
            "model_cfg": json.loads(json.dumps(self.cfgs["model_cfg"])),
        }
        if hasattr(self, "Scaler"):
            checkpoint["scaler"] = self.Scaler.state_dict()
        path = checkpoint_path(self.save_path, self.engine_cfg["save_name"], iteration)
        with atomic_write(path) as stream:
            torch.save(checkpoint, stream)
        self.record.write(iteration, path)

    def resume_ckpt(self, restore_hint: int | str | list[str]) -> None:
        """Restore, by iteration from this run's own checkpoints, or at iteration 0 from a path or several."""
        if isinstance(restore_hint, int):
            self.iteration = restore_hint
        for hint in restore_hint if isinstance(restore_hint, list) else [restore_hint]:
            self._load_ckpt(self._source(hint))

    def _load_ckpt(self, save_name: str) -> None:
        """Load a checkpoint; with ``restore_ckpt_strict: false`` whatever fits by name and shape."""
        checkpoint = self._read or read_checkpoint(save_name, self._map_location())
        self._read = None
        report = fit(checkpoint["model"], self.state_dict(), save_name)
        if not self.engine_cfg["restore_ckpt_strict"]:
            self.msg_mgr.log_info(report.summary())
        elif report.left_out or report.kept:
            raise KpstraError(self._misfit(report))
        else:
            self._require_same_model(checkpoint, save_name)
        self.load_state_dict(report.weights, strict=False)
        if self.training:
            self._load_training_state(checkpoint, save_name)
        self.msg_mgr.log_info(f"Restore Parameters from {save_name} !!!")

    def _require_same_model(self, checkpoint: Mapping[str, Any], save_name: str) -> None:
        """Refuse to test weights under settings that change what they mean and not their shapes, such as the grid."""
        trained = checkpoint.get("model_cfg")  # not in OpenGait's own
        if self._trains or not isinstance(trained, dict):
            return
        now = {"model_cfg": self.cfgs["model_cfg"]}
        advice = "give the same settings; evaluator_cfg.restore_ckpt_strict: false tests it with others"
        require_same({"model_cfg": trained}, now, save_name, advice, [CLASSES], OUR_DEFAULTS)

    def _misfit(self, report: checkpoints.FitReport) -> str:
        shapes = self.state_dict()
        parts = [
            f"{len(names)} {what} ({some(names, 2)})"
            for names, what in (
                ([f"{name}, here {tuple(shapes[name].shape)}" for name in report.reshaped], "of another shape"),
                (report.unknown, "not in this model"),
                ([name for name in report.kept if name not in report.reshaped], "missing"),
            )
            if names
        ]
        return (
            f"{report.source}: not a checkpoint of {self.cfgs['model_cfg']['model']} with these settings: "
            f"{', '.join(parts)}; {'trainer' if self.training else 'evaluator'}_cfg.restore_ckpt_strict: false takes "
            "over what fits"
        )

    def _load_training_state(self, checkpoint: Mapping[str, Any], save_name: str) -> None:
        for part, reset in (("optimizer", "optimizer_reset"), ("scheduler", "scheduler_reset")):
            if self.engine_cfg[reset] or part not in checkpoint:
                self.msg_mgr.log_warning(f"Restore NO {part} from {save_name} !!!")
                continue
            with part_of(save_name, f"{part} (trainer_cfg.{reset}: true starts it anew)"):
                if part == "optimizer":
                    load_optimizer(self.optimizer, checkpoint[part])
                else:
                    self.scheduler.load_state_dict(checkpoint[part])
        if self.iteration:  # the run goes on, rather than starts from another's weights
            self.batches, self.watch.skipped = checkpoint.get("batches", self.iteration), checkpoint.get("skipped", 0)
            if not isinstance(self.batches, int) or not isinstance(self.watch.skipped, int):
                raise KpstraError(
                    f"{save_name}: batches {self.batches!r}, skipped {self.watch.skipped!r}: expected "
                    "whole numbers; use another checkpoint"
                )
            if "scaler" in checkpoint and hasattr(self, "Scaler"):
                with part_of(save_name, "scaler"):
                    self.Scaler.load_state_dict(checkpoint["scaler"])

    @staticmethod
    def run_train(model: nn.Module) -> None:
        """Train, and save the last iteration's checkpoint wherever it falls."""
        module = getattr(model, "module", model)
        module.record = TrainingRecord(module.save_path, module.engine_cfg["total_iter"], module.iteration > 0)
        if not module.iteration and distributed.get_rank() == 0:
            module.record.begin(checkpoint_files(module.save_path, module.engine_cfg["save_name"]))
        super(Checkpoints, type(module)).run_train(model)
        if module.iteration % module.engine_cfg["save_iter"]:
            module.save_ckpt(module.iteration)


def checkpoint_path(save_path: str | Path, save_name: str, iteration: int) -> Path:
    """Where OpenGait keeps the checkpoint of an iteration."""
    return Path(save_path) / "checkpoints" / f"{save_name}-{iteration:0>5}.pt"


def checkpoint_files(save_path: str | Path, save_name: str) -> dict[int, Path]:
    """Return a run's checkpoints by iteration, the last one first."""
    number = re.compile(re.escape(save_name) + r"-(\d+)\.pt")
    found = [(number.fullmatch(path.name), path) for path in (Path(save_path) / "checkpoints").glob("*.pt")]
    return dict(sorted(((int(match[1]), path) for match, path in found if match), reverse=True))


def read_checkpoint(path: str, device: torch.device) -> dict[str, Any]:
    """Read an OpenGait checkpoint without running any code in it.

    Raises:
        KpstraError: missing (lists those that exist), broken, or of another kind.
    """
    checkpoint = checkpoints.read(path, device)
    weights = checkpoint.get("model")
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise KpstraError(f"{path}: no OpenGait checkpoint: it has no `model` with the weights")
    require_finite(weights.items(), f"{path}: its weights")
    return checkpoint
