"""StRA's networks for faces and for expressions, and their plain counterparts, on torchreid's ResNet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from plugins.errors import KpstraError, one_of
from plugins.stra import StRABottleneck
from plugins.stra.layers import init_weights

from ...host import torchreid
from ..inputs import FACES
from ..networks import LOSSES, DiversityOutputs
from ..options import current

resnet = torchreid.models.resnet

DROPOUT, WIDTH = 0.4, 512  # of the head; ArcFace's


class FaceHead(nn.Sequential):
    """ArcFace's BN-dropout-FC-BN: a whole feature map to a feature, (B, C H W) to (B, 512).

    Args:
        channels: of the map, C.
        size: (H, W) of the map.
    """

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        values = channels * size[0] * size[1]
        super().__init__(
            nn.Unflatten(1, (channels, *size)),
            nn.BatchNorm2d(channels),
            nn.Dropout(DROPOUT),
            nn.Flatten(),
            nn.Linear(values, WIDTH),
            nn.BatchNorm1d(WIDTH),
        )
        nn.init.normal_(self[4].weight, std=0.01)
        nn.init.zeros_(self[4].bias)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Map the flattened feature map to the feature.

        Raises:
            KpstraError: the map is of another size.
        """
        if x.shape[1] != self[4].in_features:
            raise KpstraError(
                f"the head is for feature maps of {self.size[0]}x{self.size[1]}, and these images give other ones; "
                "give images of the size that the network was built for (data.height, data.width)"
            )
        return super().forward(x)


class FaceResNet(resnet.ResNet):
    """torchreid's ResNet50 with the head of :class:`FaceHead` over the whole map of the last stage.

    Nothing of the StRA paper's network for faces is published but this head and the last stage's blocks; stem, stride
    and dropout are a reading. 112x112 with last stride 1 gives ArcFace's map of 7x7; 224x192 with last stride 2 (the
    paper's size for VGGFace2) one of 7x6.

    Args:
        num_classes: identities.
        loss: ``softmax`` or ``triplet``.
        last_stride: of the last stage; images are of the size of :func:`reid_ext.models.options.building`, 112x112
            by default.
    """

    def __init__(self, num_classes: int, loss: str, last_stride: int = 1) -> None:
        one_of(loss, LOSSES, "loss")
        super().__init__(num_classes, loss, resnet.Bottleneck, [3, 4, 6, 3], last_stride=last_stride, fc_dims=[WIDTH])
        shrinks = 16 * last_stride
        size = tuple(-(-side // shrinks) for side in current().size or FACES.size)
        self.global_avgpool, self.fc = nn.Identity(), FaceHead(2048, size)


class StRAFaceResNet(DiversityOutputs, FaceResNet):
    """:class:`FaceResNet` with StRA in the three blocks of the last stage.

    Where the last stage has stride 2, the 1x1 convolution before StRA has it. ``**stra`` are arguments of
    :class:`plugins.stra.StRAttention`.
    """

    def __init__(self, num_classes: int, loss: str, last_stride: int = 1, **stra) -> None:
        super().__init__(num_classes, loss, last_stride)
        replace_last_stage(self, **stra)


def replace_last_stage(network: resnet.ResNet, **stra) -> None:
    """Put :class:`StRABottleneck` in the place of the last stage's bottlenecks."""
    for i, block in enumerate(network.layer4):
        inplanes, planes, stride = block.conv1.in_channels, block.conv1.out_channels, block.conv2.stride[0]
        network.layer4[i] = StRABottleneck(inplanes, planes, block.downsample, stride=stride, **stra)


class ExpressionResNet(resnet.ResNet):
    """The StRA paper's plain network for FER2013: a 3x3 stem without stride and pooling, four stages of three blocks.

    Images are 44x44, of any size in fact; the feature is the average of the last map, 2048 wide, and the classifier
    tells expressions, not people. The paper's images are grey; torchreid reads them as three equal channels, which adds
    1,152 weights.
    """

    def __init__(self, num_classes: int, loss: str) -> None:
        one_of(loss, LOSSES, "loss")
        super().__init__(num_classes, loss, resnet.Bottleneck, [3, 3, 3, 3], last_stride=2, fc_dims=None)
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.maxpool = nn.Identity()
        init_weights(self.conv1)


class StRAExpressionResNet(DiversityOutputs, ExpressionResNet):
    """:class:`ExpressionResNet` with StRA in the last stage, whose blocks end without their last 1x1 convolution.

    So the stage, and the feature, are 512 wide.
    """

    def __init__(self, num_classes: int, loss: str, **stra) -> None:
        super().__init__(num_classes, loss)
        inplanes = self.layer3[-1].conv3.out_channels
        for i, block in enumerate(self.layer4):
            planes, stride = block.conv1.out_channels, block.conv2.stride[0]
            downsample = None
            if i == 0:
                projection = nn.Conv2d(inplanes, planes, 1, stride, bias=False)
                downsample = nn.Sequential(projection, nn.BatchNorm2d(planes))
                init_weights(projection)
            self.layer4[i] = StRABottleneck(inplanes, planes, downsample, stride=stride, expands=False, **stra)
            inplanes = planes
        self.feature_dim = inplanes
        self.classifier = nn.Linear(inplanes, num_classes)
        init_weights(self.classifier)


FACE_RESNETS: dict[str, Callable[..., nn.Module]] = {
    "resnet50_face": FaceResNet,
    "resnet50_face_stra": StRAFaceResNet,
    "resnet50_face_ls2": partial(FaceResNet, last_stride=2),
    "resnet50_face_ls2_stra": partial(StRAFaceResNet, last_stride=2),
}
EXPRESSION_RESNETS: dict[str, Callable[..., nn.Module]] = {
    "fer_resnet": ExpressionResNet,
    "fer_resnet_stra": StRAExpressionResNet,
}
