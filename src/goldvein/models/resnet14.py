"""14-layer pre-activation ResNet for 32x32 images (He et al. 2016; Patrini et al. 2017, ``cifar10_resnet(2)``).

conv3x3-16, BN, ReLU; three stages of two blocks, 16/32/64 channels, first strides 1/2/2; BN, ReLU, average pool,
dense: 175,626 parameters for CIFAR-10. A block is BN-ReLU-conv3x3-BN-ReLU-conv3x3; the first block of all has no
leading BN-ReLU. If the channels change, the shortcut is a 1x1 strided convolution of the *raw* block input.
Convolutions have biases. In stage 2, Ding et al. 2018 use dropout between the two convolutions of each block; they do
not state its rate. Here it is 0 by default, and a network has the same rate in both stages. The tables of CIFAR-10
have 0.3 for two stages.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.models import check_images

SMALLEST = 5  # pixels of a side: in torch 2.13, bfloat16 convolutions of stride 2 read beyond images of width 2


class Block(nn.Module):
    """Pre-activation residual block of two 3x3 convolutions."""

    def __init__(self, n_in: int, n_out: int, stride: int, first: bool, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.Identity() if first else nn.BatchNorm2d(n_in)  # the stem ends with BN-ReLU
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.shortcut = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1, stride)
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        h = x if self.first else F.relu(self.norm1(x), inplace=True)
        h = self.dropout(F.relu(self.norm2(self.conv1(h)), inplace=True))
        # x, not the normalized h: the shortcut takes the raw input
        out: Tensor = self.shortcut(x) + self.conv2(h)
        return out


class ResNet14(nn.Module):
    """Pre-activation ResNet with two blocks per stage.

    Parameters
    ----------
    input_shape : tuple of int
        (C, H, W) of one image, H and W at least 5.
    n_classes : int
        K, the number of logits.
    dropout : float, default=0.0
        Between the two convolutions of a block.

    Examples
    --------
    >>> sum(p.numel() for p in ResNet14((3, 32, 32), 10).parameters())
    175626
    """

    def __init__(self, input_shape: tuple[int, ...], n_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        check_images("resnet14", input_shape, SMALLEST)
        stem = nn.Conv2d(input_shape[0], 16, 3, padding=1)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(16), nn.ReLU(inplace=True))
        blocks: list[nn.Module] = []
        n_in = 16
        for n_out, stride in ((16, 1), (32, 2), (64, 2)):
            blocks += [
                Block(n_in, n_out, stride, first=not blocks, dropout=dropout),
                Block(n_out, n_out, 1, first=False, dropout=dropout),
            ]
            n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(64)
        self.head = nn.Linear(64, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 64)."""
        return F.relu(self.norm(self.blocks(self.stem(x))), inplace=True).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K) logits."""
        logits: Tensor = self.head(self.features(x))
        return logits
