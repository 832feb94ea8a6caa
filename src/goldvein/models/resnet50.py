"""50-layer residual network of bottleneck blocks (He et al. 2016), the network of every Clothing1M table.

A block is conv1x1-BN-ReLU, conv3x3-BN-ReLU, conv1x1-BN, plus its input, then ReLU; the last convolution has four times
the channels of the first. There are four stages of 3, 4, 6 and 3 blocks with 64, 128, 256 and 512 channels. All stages
but the first halve the image in their first block. Then average pool, dense. If the shape changes, the shortcut is a
strided 1x1 convolution with BN. 25,557,032 parameters for ImageNet.

The parameters have the names of torchvision, so its weights can be loaded. As in torchvision and unlike in the paper,
the 3x3 convolution of a block has the stride, not the 1x1 before it.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.errors import unknown

SMALL = 64  # pixels of a side: the stem does not shrink images up to this size
EXPANSION = 4


class Bottleneck(nn.Module):
    """Residual block of a 1x1, a 3x3 and a 1x1 convolution."""

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        n_out = EXPANSION * width
        self.conv1 = nn.Conv2d(n_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        # the stride is here, as in torchvision, not in conv1, as in the paper
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or n_in != n_out:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.bn1(self.conv1(x)), inplace=True)
        h = F.relu(self.bn2(self.conv2(h)), inplace=True)
        return F.relu(self.bn3(self.conv3(h)) + self.downsample(x), inplace=True)


class ResNet50(nn.Module):
    """Residual network of bottleneck blocks.

    Parameters
    ----------
    input_shape : tuple of int
        (C, H, W) of one image.
    n_classes : int
        K, the number of logits.
    stem : {"auto", "imagenet", "small"}, default="auto"
        Layers before the blocks: ``imagenet`` is conv7x7 and a max-pool, each of stride 2; ``small`` is a conv3x3 of
        stride 1, for 32x32. ``auto`` is ``small`` for images with sides of up to 64 pixels.

    Attributes
    ----------
    head : Linear
        The dense layer; its parameters are called ``fc``, as in torchvision.

    Examples
    --------
    >>> sum(p.numel() for p in ResNet50((3, 224, 224), 1000).parameters())
    25557032
    """

    depths: tuple[int, ...] = (3, 4, 6, 3)  # blocks in each stage

    def __init__(self, input_shape: tuple[int, ...], n_classes: int, *, stem: str = "auto") -> None:
        super().__init__()
        if stem not in ("auto", "imagenet", "small"):
            raise unknown("stem", stem, ("auto", "imagenet", "small"))
        small = stem == "small" or (stem == "auto" and max(input_shape[1:]) <= SMALL)
        size, stride = (3, 1) if small else (7, 2)
        self.conv1 = nn.Conv2d(input_shape[0], 64, size, stride, padding=size // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = stage(64, 64, self.depths[0], stride=1)
        self.layer2 = stage(256, 128, self.depths[1], stride=2)
        self.layer3 = stage(512, 256, self.depths[2], stride=2)
        self.layer4 = stage(1024, 512, self.depths[3], stride=2)
        self.fc = nn.Linear(2048, n_classes)  # torchvision's name, so that its weights load
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def head(self) -> nn.Linear:
        return self.fc

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 2048)."""
        h = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        maps: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(h))))
        return maps.mean((2, 3))  # (B, 2048, H, W) -> (B, 2048)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K) logits."""
        logits: Tensor = self.fc(self.features(x))
        return logits


def stage(n_in: int, width: int, depth: int, stride: int) -> nn.Sequential:
    """Blocks of one resolution; the first has the stride."""
    n_out = EXPANSION * width
    return nn.Sequential(Bottleneck(n_in, width, stride), *(Bottleneck(n_out, width, 1) for _ in range(depth - 1)))
