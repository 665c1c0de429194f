"""DeepGaitV2 (Fan et al., Exploring Deep Models for Practical Gait Recognition, 2023): residual blocks all the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..base_model import BaseModel
from ..modules import (
    BasicBlock2D,
    BasicBlock3D,
    BasicBlockP3D,
    HorizontalPoolingPyramid,
    PackSequenceWrapper,
    SeparateBNNecks,
    SeparateFCs,
    SetBlockWrapper,
    conv3x3,
    residual_stage,
)

blocks_map = {"2d": BasicBlock2D, "p3d": BasicBlockP3D, "3d": BasicBlock3D}

PARTS = 16


class DeepGaitV2(BaseModel):
    """DeepGaitV2; ``model_cfg.Backbone.mode`` says what its blocks convolve: 2d, p3d or 3d."""

    def build_network(self, model_cfg: Mapping) -> None:
        """Build the network; 16 horizontal parts."""
        backbone = model_cfg["Backbone"]
        mode, layers, channels = backbone["mode"], backbone["layers"], backbone["channels"]
        if mode not in blocks_map:
            raise ValueError(f"model_cfg.Backbone.mode: {mode!r} is not one of {', '.join(blocks_map)}")
        self.inference_use_emb2 = model_cfg.get("use_emb2", False)
        self.inplanes = channels[0]
        self.layer0 = SetBlockWrapper(
            nn.Sequential(
                conv3x3(backbone["in_channels"], channels[0]), nn.BatchNorm2d(channels[0]), nn.ReLU(inplace=True)
            )
        )
        self.layer1 = SetBlockWrapper(self.make_layer(BasicBlock2D, channels[0], [1, 1], layers[0], mode=mode))
        for i, step in ((1, 2), (2, 2), (3, 1)):
            stride = [1, step, step] if mode == "3d" else [step, step]
            stage = self.make_layer(blocks_map[mode], channels[i], stride, layers[i], mode=mode)
            setattr(self, f"layer{i + 1}", SetBlockWrapper(stage) if mode == "2d" else stage)
        self.HPP, self.TP = HorizontalPoolingPyramid(bin_num=[PARTS]), PackSequenceWrapper(torch.max)
        self.FCs = SeparateFCs(PARTS, channels[3], channels[2])
        self.BNNecks = SeparateBNNecks(PARTS, channels[2], model_cfg["SeparateBNNecks"]["class_num"])

    def make_layer(
        self, block: type[nn.Module], planes: int, stride: Sequence[int], blocks_num: int, mode: str = "2d"
    ) -> nn.Sequential:
        """Return a stage of residual blocks on what the last one made here gives."""
        stage = residual_stage(block, self.inplanes, planes, stride, blocks_num, mode)
        self.inplanes = planes * block.expansion
        return stage

    def forward(self, inputs: tuple) -> dict[str, Any]:
        """((silhouettes (n, s, [c,] h, w), ...), labels, types, views, lengths) -> embeddings (n, c, 16), ..."""
        modalities, labels, _, _, lengths = inputs
        sils = modalities[0]
        sils = sils.unsqueeze(1) if sils.ndim == 4 else sils.transpose(1, 2).contiguous()  # n, c, s, h, w
        if sils.shape[-1] not in (44, 88):
            raise ValueError(f"DeepGaitV2: frames of {sils.shape[-1]} columns, not 44 or 88; cut them in the transform")
        features = self.layer1(self.layer0(sils))
        features = self.layer4(self.layer3(self.layer2(features)))  # n, c, s, h, w
        pooled = self.TP(features, lengths, options={"dim": 2})[0]  # n, c, h, w
        embeddings = self.FCs(self.HPP(pooled))  # n, c, p
        normalised, logits = self.BNNecks(embeddings)
        return {
            "training_feat": {
                "triplet": {"embeddings": embeddings, "labels": labels},
                "softmax": {"logits": logits, "labels": labels},
            },
            "visual_summary": {"image/sils": sils.transpose(1, 2).flatten(0, 1)},
            "inference_feat": {"embeddings": normalised if self.inference_use_emb2 else embeddings},
        }
