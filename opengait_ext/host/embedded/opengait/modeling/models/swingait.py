"""SwinGait (Fan et al., Exploring Deep Models for Practical Gait Recognition, 2023): convolutions, then attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn, optim
from utils import get_attr_from

from ..base_model import BaseModel
from ..modules import (
    BasicBlock2D,
    BasicBlockP3D,
    HorizontalPoolingPyramid,
    PackSequenceWrapper,
    SeparateBNNecks,
    SeparateFCs,
    SetBlockWrapper,
    conv3x3,
    initialise,
    residual_stage,
)
from ..window_attention import (
    WindowAttention3D,
    compute_mask,
    get_window_size,
    trunc_normal_,
    window_partition,
    window_reverse,
)
from ..window_transformer import BasicLayer, DropPath, Mlp, PatchEmbed3D, SwinTransformer3D, SwinTransformerBlock3D

__all__ = [
    "BasicLayer",
    "DropPath",
    "Mlp",
    "PatchEmbed3D",
    "SwinGait",
    "SwinTransformer3D",
    "SwinTransformerBlock3D",
    "WindowAttention3D",
    "compute_mask",
    "get_window_size",
    "trunc_normal_",
    "window_partition",
    "window_reverse",
]

NO_DECAY = ("patch_embed", "norm", "relative_position_bias_table")

PUBLISHED = {  # the sizes of the paper's transformer
    "window_size": (3, 3, 5),
    "patch_size": (1, 2, 2),
    "num_heads": (16, 32),
    "embed_dim": 256,
    "patch_norm": True,
    "drop_path_rate": 0.1,
    "downsample": (1, 0),
}


class SwinGait(BaseModel):
    """SwinGait. ``trainer_cfg.T_max_iter``: the iteration at which the cosine of the learning rate ends."""

    def __init__(self, cfgs: Mapping, training: bool) -> None:
        if "T_max_iter" not in cfgs["trainer_cfg"]:
            raise ValueError("trainer_cfg.T_max_iter: missing; SwinGait's learning rate falls until that iteration")
        self.T_max_iter = cfgs["trainer_cfg"]["T_max_iter"]
        super().__init__(cfgs, training=training)

    def build_network(self, model_cfg: Mapping) -> None:
        """Build the network; its transformer's widths are fixed: 256 and 512."""
        backbone, necks = model_cfg["Backbone"], model_cfg["SeparateBNNecks"]
        channels, layers = backbone["channels"], backbone["layers"]
        self.inplanes = channels[0]
        self.layer0 = SetBlockWrapper(
            nn.Sequential(
                conv3x3(backbone["in_channels"], channels[0]), nn.BatchNorm2d(channels[0]), nn.ReLU(inplace=True)
            )
        )
        self.layer1 = SetBlockWrapper(self.make_layer(BasicBlock2D, channels[0], [1, 1], layers[0], mode="2d"))
        self.layer2 = self.make_layer(BasicBlockP3D, channels[1], [2, 2], layers[1], mode="p3d")
        self.ulayer = SetBlockWrapper(nn.Upsample(size=(30, 20), mode="bilinear", align_corners=True))
        self.transformer = SwinTransformer3D(depths=layers[2:4], in_chans=channels[1], **PUBLISHED)
        self.FCs = SeparateFCs(necks["parts_num"], in_channels=512, out_channels=256)
        self.BNNecks = SeparateBNNecks(**necks)
        self.TP = PackSequenceWrapper(torch.max)
        self.HPP = HorizontalPoolingPyramid(bin_num=model_cfg["bin_num"])

    def make_layer(
        self, block: type[nn.Module], planes: int, stride: Sequence[int], blocks_num: int, mode: str = "2d"
    ) -> nn.Sequential:
        """Return a stage of residual blocks on what the last one made here gives."""
        stage = residual_stage(block, self.inplanes, planes, stride, blocks_num, mode)
        self.inplanes = planes * block.expansion
        return stage

    def init_parameters(self) -> None:
        """Initialise as a transformer: linear layers by a truncated normal distribution."""
        for module in self.modules():
            if not isinstance(module, nn.Linear):
                initialise(module)
                continue
            trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                module.bias.data.zero_()

    def get_optimizer(self, optimizer_cfg: Mapping) -> optim.Optimizer:
        """Return the optimiser: the transformer at ``lr``, all else at a tenth of it; NO_DECAY: without weight decay.

        As in OpenGait, ``optimizer_cfg`` gives ``solver``, ``lr`` and ``weight_decay``; other keys have no effect.
        """
        self.msg_mgr.log_info(optimizer_cfg)
        lr, decay = optimizer_cfg["lr"], optimizer_cfg["weight_decay"]
        kept, decayed = [], []
        for name, parameter in self.transformer.named_parameters():
            (kept if any(part in name for part in NO_DECAY) else decayed).append(parameter)
        slow = [self.FCs, self.BNNecks, *(getattr(self, f"layer{i}") for i in range(5) if hasattr(self, f"layer{i}"))]
        return get_attr_from([optim], optimizer_cfg["solver"])(
            [
                {"params": kept, "lr": lr, "weight_decay": 0.0},
                {"params": decayed, "lr": lr, "weight_decay": decay},
                *({"params": module.parameters(), "lr": lr * 0.1, "weight_decay": decay} for module in slow),
            ]
        )

    def forward(self, inputs: tuple) -> dict[str, Any]:
        """((silhouettes (n, s, 64, 44), ...), labels, types, views, lengths) -> embeddings (n, 256, 15), ..."""
        if self.training:
            adjust_learning_rate(self.optimizer, self.iteration, T_max_iter=self.T_max_iter)
        modalities, labels, _, _, lengths = inputs
        sils = modalities[0].unsqueeze(1)  # n, 1, s, h, w
        features = self.ulayer(self.layer2(self.layer1(self.layer0(sils))))  # n, c, s, 30, 20
        features = self.transformer(features)  # n, 512, s, 15, 10
        pooled = self.TP(features, lengths, options={"dim": 2})[0]  # n, 512, 15, 10
        parts = self.HPP(pooled)  # n, 512, p
        parts = torch.cat([parts, parts[:, :, -1:].detach()], dim=-1)  # one more, dropped again below
        embeddings = self.FCs(parts)
        _, logits = self.BNNecks(embeddings)
        embeddings, logits = embeddings[:, :, :-1], logits[:, :, :-1]
        return {
            "training_feat": {
                "triplet": {"embeddings": embeddings, "labels": labels},
                "softmax": {"logits": logits, "labels": labels},
            },
            "visual_summary": {"image/sils": sils.transpose(1, 2).flatten(0, 1)},
            "inference_feat": {"embeddings": embeddings},
        }


def adjust_learning_rate(
    optimizer: optim.Optimizer,
    iteration: int,
    iteration_per_epoch: int = 1000,
    T_max_iter: int = 10000,
    min_lr: float = 1e-6,
) -> None:
    """Let the rates fall along a cosine, in steps of ``iteration_per_epoch``, to ``min_lr`` at ``T_max_iter``."""
    if iteration < T_max_iter and iteration % iteration_per_epoch == 0:
        share = 0.5 * (1.0 + math.cos(math.pi * iteration / T_max_iter))
        for group in optimizer.param_groups:
            group["lr"] = max(group["initial_lr"] * share, min_lr)
    elif iteration == T_max_iter:
        for group in optimizer.param_groups:
            group["lr"] = min_lr
