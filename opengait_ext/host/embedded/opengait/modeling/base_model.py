"""The contract of a model: it builds its network and maps inputs to features; the rest is here and in ``engine``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import data.sampler as samplers
import numpy as np
import torch
from data.collate_fn import CollateFn
from data.dataset import DataSet
from data.transform import get_transform
from torch import Tensor, distributed, nn, optim
from torch.utils.data import DataLoader
from utils import (
    Odict,
    get_attr_from,
    get_msg_mgr,
    get_valid_args,
    is_dict,
    is_list,
    list2var,
    mkdir,
    np2var,
    run_device,
)

from . import backbones
from .engine import features, test, train
from .loss_aggregator import LossAggregator
from .modules import initialise

__all__ = ["BaseModel"]


class BaseModel(nn.Module):
    """A model with its data, losses, optimiser and schedule.

    A subclass defines ``build_network(model_cfg)`` and ``forward(inputs)``, which returns ``training_feat`` (inputs of
    the losses, by ``log_prefix``), ``visual_summary`` (what TensorBoard shows) and ``inference_feat`` (``embeddings``).

    Args:
        cfgs: the whole configuration.
        training: use ``trainer_cfg`` and train, or ``evaluator_cfg`` and test.
    """

    def __init__(self, cfgs: Mapping, training: bool) -> None:
        super().__init__()
        self.cfgs, self.msg_mgr, self.iteration = cfgs, get_msg_mgr(), 0
        engine = "trainer_cfg" if training else "evaluator_cfg"
        self.engine_cfg = cfgs[engine]
        if self.engine_cfg is None:
            raise ValueError(f"{engine}: empty")
        self.device = distributed.get_rank()
        if run_device().type == "cuda":
            torch.cuda.set_device(self.device % torch.cuda.device_count())
        if training and self.engine_cfg["enable_float16"]:
            self.Scaler = torch.amp.GradScaler(run_device().type, enabled=run_device().type == "cuda")
        names = (cfgs["data_cfg"]["dataset_name"], cfgs["model_cfg"]["model"], self.engine_cfg["save_name"])
        self.save_path = os.path.join("output", *names)

        self.trainer_trfs, self.evaluator_trfs = (
            get_transform(cfgs[section]["transform"]) for section in ("trainer_cfg", "evaluator_cfg")
        )
        self.build_network(cfgs["model_cfg"])
        self.init_parameters()
        self.msg_mgr.log_info(cfgs["data_cfg"])
        halves = {"train_loader": training, "test_loader": not training or self.engine_cfg["with_test"]}
        for name in (name for name, needed in halves.items() if needed):
            setattr(self, name, self.get_loader(cfgs["data_cfg"], train=name == "train_loader"))
        self.to(run_device())
        if training:
            self.loss_aggregator = LossAggregator(cfgs["loss_cfg"])
            self.optimizer = self.get_optimizer(cfgs["optimizer_cfg"])
            self.scheduler = self.get_scheduler(cfgs["scheduler_cfg"])
        self.train(training)
        if self.engine_cfg["restore_hint"] != 0:
            self.resume_ckpt(self.engine_cfg["restore_hint"])

    def build_network(self, model_cfg: Mapping) -> None:
        """Build the network's modules as attributes of this model; by default what ``backbone_cfg`` names."""
        if "backbone_cfg" in model_cfg:
            self.Backbone = self.get_backbone(model_cfg["backbone_cfg"])

    def get_backbone(self, backbone_cfg: Mapping | Sequence[Mapping]) -> nn.Module:
        """Build the backbone of a node with ``type``, or several."""
        if is_list(backbone_cfg):
            return nn.ModuleList(self.get_backbone(cfg) for cfg in backbone_cfg)
        if not is_dict(backbone_cfg):
            raise ValueError(f"backbone_cfg: {backbone_cfg!r}: expected a mapping with `type`, or a list of such")
        backbone = get_attr_from([backbones], backbone_cfg["type"])
        return backbone(**get_valid_args(backbone, backbone_cfg, ["type"]))

    def init_parameters(self) -> None:
        """Initialise the network, after it is built."""
        for module in self.modules():
            initialise(module)

    def get_loader(self, data_cfg: Mapping, train: bool = True) -> DataLoader:
        """Return the loader of the training or the test half."""
        sampler_cfg = self.cfgs["trainer_cfg" if train else "evaluator_cfg"]["sampler"]
        dataset = DataSet(data_cfg, train)
        sampler = get_attr_from([samplers], sampler_cfg["type"])
        arguments = get_valid_args(sampler, sampler_cfg, ["sample_type", "type"])
        return DataLoader(
            dataset,
            batch_sampler=sampler(dataset, **arguments),
            num_workers=data_cfg["num_workers"],
            collate_fn=CollateFn(dataset.label_set, sampler_cfg),
        )

    def get_optimizer(self, optimizer_cfg: Mapping) -> optim.Optimizer:
        """Return the optimiser that ``solver`` names, for all parameters."""
        self.msg_mgr.log_info(optimizer_cfg)
        solver = get_attr_from([optim], optimizer_cfg["solver"])
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return solver(trained, **get_valid_args(solver, optimizer_cfg, ["solver"]))

    def get_scheduler(self, scheduler_cfg: Mapping) -> optim.lr_scheduler.LRScheduler:
        """Return the schedule of the learning rate that ``scheduler`` names."""
        self.msg_mgr.log_info(scheduler_cfg)
        scheduler = get_attr_from([optim.lr_scheduler], scheduler_cfg["scheduler"])
        return scheduler(self.optimizer, **get_valid_args(scheduler, scheduler_cfg, ["scheduler"]))

    def checkpoint_path(self, iteration: int) -> str:
        """Return where the checkpoint of an iteration is."""
        return os.path.join(self.save_path, "checkpoints", f"{self.engine_cfg['save_name']}-{iteration:0>5}.pt")

    def save_ckpt(self, iteration: int) -> None:
        """Save weights, optimiser, schedule and iteration; a file of that name is replaced as a whole."""
        if distributed.get_rank() != 0:
            return
        path = self.checkpoint_path(iteration)
        mkdir(os.path.dirname(path))
        states = {"model": self, "optimizer": self.optimizer, "scheduler": self.scheduler}
        torch.save({**{k: v.state_dict() for k, v in states.items()}, "iteration": iteration}, f"{path}.partial")
        os.replace(f"{path}.partial", path)

    def resume_ckpt(self, restore_hint: int | str) -> None:
        """Load this run's checkpoint of an iteration and go on from there, or any file and start at 0."""
        if isinstance(restore_hint, str):
            self.iteration, path = 0, restore_hint
        elif isinstance(restore_hint, int):
            self.iteration, path = restore_hint, self.checkpoint_path(restore_hint)
        else:
            raise ValueError(f"restore_hint: {restore_hint!r}: expected an iteration or a file")
        self._load_ckpt(path)

    def _load_ckpt(self, save_name: str) -> None:
        checkpoint = torch.load(save_name, map_location=run_device(), weights_only=True)
        strict = self.engine_cfg["restore_ckpt_strict"]
        if not strict:
            self.msg_mgr.log_info("-------- Restored Params List --------")
            self.msg_mgr.log_info(sorted(checkpoint["model"].keys() & self.state_dict().keys()))
        self.load_state_dict(checkpoint["model"], strict=strict)
        for name in ("optimizer", "scheduler") if self.training else ():
            if name in checkpoint and not self.engine_cfg[f"{name}_reset"]:
                getattr(self, name).load_state_dict(checkpoint[name])
            else:
                self.msg_mgr.log_warning(f"Restore NO {name.title()} from {save_name} !!!")
        self.msg_mgr.log_info(f"Restore Parameters from {save_name} !!!")

    def fix_BN(self) -> None:
        """Let batch norms use their running statistics, until the next ``train()``."""
        for module in self.modules():
            if "BatchNorm" in type(module).__name__:
                module.eval()

    def inputs_pretreament(self, inputs: Sequence) -> tuple:
        """Transform what the collate function gave, one transform a modality.

        Returns:
            modalities (n, s, ...) or (1, all frames, ...); labels (n,); types; views; lengths (1, n) or None.
        """
        sequences, labels, types, views, lengths = inputs
        transforms = self.trainer_trfs if self.training else self.evaluator_trfs
        if len(sequences) != len(transforms):
            raise ValueError(
                f"{len(sequences)} modalities in the input, but {len(transforms)} transforms in the "
                "configuration; give one for each modality"
            )
        modalities = [
            np2var(np.asarray([transform(seq) for seq in modality]), requires_grad=self.training).float()
            for transform, modality in zip(transforms, sequences, strict=True)
        ]
        if lengths is not None:
            lengths = np2var(lengths).int()
            modalities = [modality[:, : int(lengths.sum())] for modality in modalities]
        return modalities, list2var(labels).long(), types, views, lengths

    def train_step(self, loss_sum: Tensor) -> bool:
        """Go one step along the loss; False if float16 overflowed and the step was left out."""
        self.optimizer.zero_grad()
        if loss_sum <= 1e-9:
            self.msg_mgr.log_warning("Find the loss sum less than 1e-9 but the training process will continue!")
        taken = self._scaled_step(loss_sum) if self.engine_cfg["enable_float16"] else self._plain_step(loss_sum)
        if taken:
            self.scheduler.step()
            self.iteration += 1
        return taken

    def _plain_step(self, loss_sum: Tensor) -> bool:
        loss_sum.backward()
        self.optimizer.step()
        return True

    def _scaled_step(self, loss_sum: Tensor) -> bool:
        before = self.Scaler.get_scale()
        self.Scaler.scale(loss_sum).backward()
        self.Scaler.step(self.optimizer)
        self.Scaler.update()
        after = self.Scaler.get_scale()
        if after != before:
            self.msg_mgr.log_debug(f"Training step left out: scale was {before}, is {after}")
        return after == before

    def inference(self, rank: int) -> Odict:
        """Return the features of all test sequences as arrays, in the data set's order; process 0 shows progress."""
        return features(self, show=rank == 0)

    @staticmethod
    def run_train(model: BaseModel) -> None:
        """Train until ``total_iter``, saving, and testing if ``with_test``, every ``save_iter`` iterations."""
        train(model)

    @staticmethod
    def run_test(model: BaseModel) -> dict[str, float] | None:
        """Test; the first process returns the results."""
        return test(model)
