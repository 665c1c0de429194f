"""torchreid's own networks with their blocks swapped, built on its classes; names and blocks as in the StRA paper."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from timm.layers import NonLocalAttn
from torch import Tensor, nn

from plugins.errors import one_of
from plugins.stra import StRABottleneck, StRAInvertedResidual

from ..host import torchreid

resnet = torchreid.models.resnet
mobilenetv2 = torchreid.models.mobilenetv2

LOSSES = ("softmax", "triplet")
MOBILENET_STRA_BLOCKS = (("conv7", 1), ("conv7", 2), ("conv8", 0))  # the stride-1 blocks of the last stage


class GivesDiversity:
    """A network whose training outputs end with the diversity loss (B,) while ``return_diversity`` is on."""

    return_diversity = False  # engines switch it on


class DiversityOutputs(GivesDiversity):
    """torchreid's forward for a network in which some blocks return (features, diversity).

    With ``return_diversity`` (engines switch it on) training outputs end with the diversity loss, one value per image
    summed over the blocks, (B,). Otherwise the outputs are the host's: logits, or (logits, features) for ``triplet``,
    and features in evaluation.
    """

    def featuremaps(self, x: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to the last feature map."""
        return self._features(x)[0]

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map images (B, 3, H, W) to what the engine expects (see the class)."""
        f, diversity = self._features(x)
        v = self.global_avgpool(f).flatten(1)
        if self.fc is not None:
            v = self.fc(v)
        if not self.training:
            return v
        outputs = (self.classifier(v),) if self.loss == "softmax" else (self.classifier(v), v)
        if self.return_diversity:
            outputs += (diversity,)
        return outputs[0] if len(outputs) == 1 else outputs

    def _features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        diversity = torch.zeros(x.shape[0], device=x.device)
        for block in self._blocks():
            out = block(x)
            if isinstance(out, tuple):
                x, block_diversity = out
                diversity = diversity + block_diversity
            else:
                x = out
        return x, diversity

    def _blocks(self) -> Iterator[nn.Module]:
        for name, child in self.named_children():
            if name == "global_avgpool":
                return
            yield from child if isinstance(child, nn.Sequential) else (child,)


class StRAResNet(DiversityOutputs, resnet.ResNet):
    """torchreid's ResNet50, last stride 1, with the three last-stage blocks replaced by StRA's and the authors' head.

    The head is average pooling, a bias-free 2048 -> 512 projection and BN, without the ReLU of torchreid's fc512.
    ``**stra`` are arguments of :class:`plugins.stra.StRAttention`.
    """

    def __init__(self, num_classes: int, loss: str, **stra) -> None:
        one_of(loss, LOSSES, "loss")
        super().__init__(num_classes, loss, resnet.Bottleneck, [3, 4, 6, 3], last_stride=1, fc_dims=[512])
        for i, block in enumerate(self.layer4):
            self.layer4[i] = StRABottleneck(block.conv1.in_channels, block.conv1.out_channels, block.downsample, **stra)
        self.fc = linear_head(self.feature_dim)


class LinearHeadResNet(resnet.ResNet):
    """torchreid's ResNet50, last stride 1, with the head of :class:`StRAResNet`: what its rows are compared with.

    The network of ``StRAResNet(operator="conv", mode_attention=False)`` under torchreid's names, so that ImageNet's
    weights fill all of it but the head. torchreid's resnet50_fc512 has a bias and a ReLU in its head.
    """

    def __init__(self, num_classes: int, loss: str) -> None:
        one_of(loss, LOSSES, "loss")
        super().__init__(num_classes, loss, resnet.Bottleneck, [3, 4, 6, 3], last_stride=1, fc_dims=[512])
        self.fc = linear_head(self.feature_dim)


def linear_head(width: int) -> nn.Sequential:
    """The authors' projection of pooled features: (B, 2048) to (B, width), bias-free, then BN."""
    head = nn.Sequential(nn.Linear(2048, width, bias=False), nn.BatchNorm1d(width))
    nn.init.kaiming_normal_(head[0].weight, mode="fan_out", nonlinearity="relu")
    return head


class NonLocalBottleneck(resnet.Bottleneck):
    """torchreid's bottleneck followed by a non-local block (Wang et al., CVPR 2018), 2048 -> 1024 channels inside."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.nonlocal_block = NonLocalAttn(self.conv3.out_channels, rd_ratio=0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, 2048, H, W)."""
        return self.nonlocal_block(super().forward(x))


class NonLocalResNet(resnet.ResNet):
    """torchreid's resnet50_fc512 with a non-local block after each of the three last-stage blocks (Table 1)."""

    def __init__(self, num_classes: int, loss: str) -> None:
        one_of(loss, LOSSES, "loss")
        super().__init__(num_classes, loss, resnet.Bottleneck, [3, 4, 6, 3], last_stride=1, fc_dims=[512])
        for i, block in enumerate(self.layer4):
            inplanes, planes = block.conv1.in_channels, block.conv1.out_channels
            self.layer4[i] = NonLocalBottleneck(inplanes, planes, 1, block.downsample)
            self.layer4[i].load_state_dict(block.state_dict(), strict=False)


class LastStrideMobileNetV2(mobilenetv2.MobileNetV2):
    """torchreid's MobileNetV2 with last stride 1, as every network of Table 1."""

    def __init__(self, num_classes: int, loss: str, width_mult: float) -> None:
        one_of(loss, LOSSES, "loss")
        super().__init__(num_classes, width_mult=width_mult, loss=loss)
        self.conv7[0].dwconv2.conv.stride = (1, 1)


class StRAMobileNetV2(DiversityOutputs, LastStrideMobileNetV2):
    """MobileNetV2 with StRA for the depthwise convolutions of the last stage's stride-1 blocks.

    The paper gives only the budget (Table 1): 370 M multiply-accumulates for width 1.0 and 720 M for 1.4. This
    placement, without a value convolution, has 371.9 M and 707.8 M with G = 8 modes, 366.4 M and 697.1 M with G = 16.
    """

    def __init__(self, num_classes: int, loss: str, width_mult: float, **stra) -> None:
        super().__init__(num_classes, loss, width_mult)
        for stage, index in MOBILENET_STRA_BLOCKS:
            block = getattr(self, stage)[index]
            replaced = StRAInvertedResidual(block.conv1.conv.in_channels, block.conv3[0].out_channels, **stra)
            getattr(self, stage)[index] = replaced
