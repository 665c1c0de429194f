"""What every model of a run gains over OpenGait's: joint transforms, exact resuming, whole checkpoints, ETA."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader
from tqdm import tqdm

from plugins.common import checkpoints
from plugins.common.checkpoints import fit, load_optimizer, part_of
from plugins.common.files import atomic_write
from plugins.common.numerics import require_finite
from plugins.common.processes import follow_parent
from plugins.errors import KpstraError

from ..data.checks import check_classes, check_dataset, check_groups, check_probes, check_sample, check_transforms
from ..data.dataset import ArrayDataset
from ..data.joint_transform import build_joint_transform
from ..data.partition import read_partition
from ..host.errors import refused
from .numerics import Batch, StepWatch, require_finite_features
from .seeding import SeededBatches, SeededCollate, SeededDataset, seed_everything


class Hosted:
    """Mixed into a model class, in front of it: ``type(name, (Hosted, Model), {})``.

    ``trainer_cfg.seed`` makes sampling, frame choice, augmentation and model randomness follow from seed, batch number
    and rank alone, so that a resumed run on a CPU goes on bit for bit; without it the host's own random stream is used.
    """

    def __init__(self, cfgs: Mapping[str, Any], training: bool) -> None:
        self.batches = 0  # drawn so far; ahead of `iteration` by the steps that AMP skipped
        self.run_device = torch.device("cuda", torch.distributed.get_rank()) if uses_cuda() else torch.device("cpu")
        check_transforms(cfgs)
        with refused("settings"):
            super().__init__(cfgs, training)
        self.joint_transforms = {
            mode: build_joint_transform(cfgs[section].get("joint_transform"), f"{section}.joint_transform")
            if cfgs[section].get("joint_transform")
            else None
            for mode, section in ((True, "trainer_cfg"), (False, "evaluator_cfg"))
        }

    @property
    def seed(self) -> int | None:
        """``trainer_cfg.seed`` of a training run."""
        return self.cfgs["trainer_cfg"].get("seed")

    def get_loader(self, data_cfg: Mapping, train: bool = True) -> DataLoader:
        """Return the host's loader, reading arrays alone; with a seed its batches follow from it."""
        read_partition(data_cfg["dataset_partition"])
        section = "trainer_cfg" if train else "evaluator_cfg"
        with refused(f"data_cfg, {section}.sampler"):
            loader = super().get_loader({**data_cfg, "cache": False}, train)
        batches, collate = loader.batch_sampler, loader.collate_fn
        check_dataset(loader.dataset, self.cfgs, train)
        if train:
            check_classes(loader.dataset, self.cfgs)
            self.identities = [label.removeprefix(f"{data_cfg['dataset_name']}-") for label in loader.dataset.label_set]
        else:
            self.msg_mgr.log_info(check_probes(loader.dataset, self.cfgs))
        dataset = ArrayDataset(loader.dataset, data_cfg["cache"])
        for doubt in check_sample(dataset, data_cfg["dataset_root"]):
            self.msg_mgr.log_warning(doubt)
        if train and self.seed is not None:
            batches = self.seeded = SeededBatches(batches, self.seed)
            collate = SeededCollate(collate, self.seed, torch.distributed.get_rank())
            dataset = SeededDataset(dataset)
        return DataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=loader.num_workers,
            worker_init_fn=follow_parent,
        )

    def get_optimizer(self, optimizer_cfg: Mapping) -> optim.Optimizer:
        """Return the model's optimiser, watched, after checking that each trained parameter is in exactly one group."""
        with refused("optimizer_cfg", dict(optimizer_cfg)):
            optimizer = super().get_optimizer(optimizer_cfg)
        check_groups(self, optimizer)
        self.watch = StepWatch(self, optimizer)
        return optimizer

    def get_scheduler(self, scheduler_cfg: Mapping) -> optim.lr_scheduler.LRScheduler:
        """Return the model's schedule of the learning rate."""
        with refused("scheduler_cfg", dict(scheduler_cfg)):
            return super().get_scheduler(scheduler_cfg)

    def build_network(self, model_cfg: Mapping) -> None:
        """Build the model's network."""
        with refused("model_cfg"):
            super().build_network(model_cfg)

    def inputs_pretreament(self, inputs: tuple) -> tuple:
        """Apply the joint transform to each sequence, then the host's transform of each modality."""
        if self.training:
            if self.seed is not None:
                seed_everything(self.seed, self.batches, torch.distributed.get_rank())
            self.batches += 1
            self.watch.batch = Batch(self.batches, [self.identities[i] for i in inputs[1]], *inputs[2:4])
        joint = self.joint_transforms[self.training]
        if joint is not None:
            modalities, *others = inputs
            if len(modalities) != 2:
                raise KpstraError(
                    f"joint_transform: the data has {len(modalities)} modalities, expected silhouettes and keypoints; "
                    "check data_cfg.data_in_use and dataset_root"
                )
            pairs = [joint(np.asarray(s), np.asarray(k)) for s, k in zip(*modalities, strict=True)]
            inputs = ([[s for s, _ in pairs], [k for _, k in pairs]], *others)
        return super().inputs_pretreament(inputs)

    def inference(self, rank: int) -> Mapping[str, np.ndarray]:
        """Return the host's features of all test sequences.

        Raises:
            KpstraError: features that are not finite, naming the sequences.
        """
        with refused("test (evaluator_cfg, model_cfg)"):
            features, data = super().inference(rank), self.test_loader.dataset
        require_finite_features(features, data.label_list, data.types_list, data.views_list)
        return features

    def train_step(self, loss_sum: torch.Tensor) -> bool:
        """Take the host's step; a loss that is no number ends the run before it spoils the weights."""
        self.watch.before(loss_sum)
        done = super().train_step(loss_sum)
        self.watch.after(done, loss_sum)
        if done:
            self.progress.update()
            total, every = self.engine_cfg["total_iter"], self.engine_cfg["log_iter"]
            if self.iteration % every == 0:
                pace = (time.monotonic() - self.started[1]) / (self.iteration - self.started[0])
                self.msg_mgr.log_info(f"{1 / pace:.2f} iterations/s, ETA {clock(pace * (total - self.iteration))}")
        return done

    def save_ckpt(self, iteration: int) -> None:
        """Write the host's checkpoint, with the scaler and what was counted, whole or not at all.

        Raises:
            KpstraError: weights or the gradients of the last step are not finite; nothing is written.
        """
        self.watch.settle()
        if torch.distributed.get_rank() != 0:
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
        }
        if hasattr(self, "Scaler"):
            checkpoint["scaler"] = self.Scaler.state_dict()
        with atomic_write(checkpoint_path(self.save_path, self.engine_cfg["save_name"], iteration)) as stream:
            torch.save(checkpoint, stream)

    def resume_ckpt(self, restore_hint: int | str) -> None:
        """Restore, by iteration from this run's own checkpoints, or from a path at iteration 0."""
        if isinstance(restore_hint, int):
            self.iteration = restore_hint
            self._load_ckpt(str(checkpoint_path(self.save_path, self.engine_cfg["save_name"], restore_hint)))
        elif isinstance(restore_hint, str):
            self._load_ckpt(restore_hint)
        else:
            raise KpstraError(f"restore_hint: {restore_hint!r}: expected an iteration or a path")

    def _load_ckpt(self, save_name: str) -> None:
        """Load a checkpoint; with ``restore_ckpt_strict: false`` whatever fits by name and shape."""
        checkpoint = read_checkpoint(save_name, self.run_device)
        if self.engine_cfg["restore_ckpt_strict"]:
            try:
                self.load_state_dict(checkpoint["model"])
            except RuntimeError as error:
                raise KpstraError(
                    f"{save_name}: not a checkpoint of {self.cfgs['model_cfg']['model']} with these settings: "
                    f"{' '.join(str(error).split())[:400]}. restore_ckpt_strict: false takes over what fits"
                ) from error
        else:
            report = fit(checkpoint["model"], self.state_dict(), save_name)
            self.load_state_dict(report.weights, strict=False)
            self.msg_mgr.log_info(report.summary())
        if self.training:
            self._load_training_state(checkpoint, save_name)
        self.msg_mgr.log_info(f"Restore Parameters from {save_name} !!!")

    def _load_training_state(self, checkpoint: Mapping[str, Any], save_name: str) -> None:
        parts = {"optimizer": "optimizer_reset", "scheduler": "scheduler_reset"}
        for part, reset in parts.items():
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

    def has_stepped(self) -> bool:
        """Whether this run has taken a step."""
        return self.iteration > self.started[0]

    @staticmethod
    def run_train(model: nn.Module) -> None:
        """Run the host's training loop under a progress bar."""
        engine, rank = model.engine_cfg, torch.distributed.get_rank()
        module = getattr(model, "module", model)
        if module.iteration >= engine["total_iter"]:
            module.msg_mgr.log_info(f"Nothing to train: iteration {module.iteration} of {engine['total_iter']}")
            return
        if module.seed is not None:
            module.seeded.start = module.batches
        module.started = (module.iteration, time.monotonic())
        with (
            tqdm(
                total=engine["total_iter"],
                initial=module.iteration,
                desc="Training",
                unit="it",
                disable=True if rank else None,
            ) as module.progress,
            refused("first iteration (trainer_cfg, model_cfg, loss_cfg)", until=module.has_stepped),
        ):
            super(Hosted, type(module)).run_train(model)
        if module.iteration % engine["save_iter"]:
            module.save_ckpt(module.iteration)


def uses_cuda() -> bool:
    """Whether this run's process group is one of CUDA devices."""
    return torch.distributed.get_backend() == "nccl"


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def checkpoint_path(save_path: str, save_name: str, iteration: int) -> Path:
    """Where OpenGait keeps the checkpoint of an iteration."""
    return Path(save_path) / "checkpoints" / f"{save_name}-{iteration:0>5}.pt"


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
