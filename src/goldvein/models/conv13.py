"""13-layer convolutional network for 32x32 images (Laine & Aila 2017, Table 5; Tarvainen & Valpola 2017).

Three conv3x3-128, max-pool, dropout 0.5; three conv3x3-256, max-pool, dropout 0.5; conv3x3-512 without padding
(8 to 6 pixels), conv1x1-256, conv1x1-128, average pool, dense. Leaky ReLU of slope 0.1. 3,121,802 parameters for
CIFAR-10. The methods add the Gaussian noise to its input.

Difference from the sources: they normalize weights, subtract batch means and initialize from the data. Here each
convolution has no bias, a full batch norm after it, and He-normal weights.
"""

from __future__ import annotations

from torch import Tensor, nn

from goldvein.models import check_images

SLOPE = 0.1  # of the leaky ReLU
SMALLEST = 12  # pixels of a side: 3 are left for the last 3x3


class Conv13(nn.Module):
    """Nine convolutional layers with batch norm, and a linear layer to the logits.

    Parameters
    ----------
    input_shape : tuple of int
        (C, H, W) of one image, H and W at least 12.
    n_classes : int
        K, the number of logits.
    dropout : float, default=0.5
        After each max-pool.

    Examples
    --------
    >>> sum(p.numel() for p in Conv13((3, 32, 32), 10).parameters())
    3121802
    """

    def __init__(self, input_shape: tuple[int, ...], n_classes: int, *, dropout: float = 0.5) -> None:
        super().__init__()
        check_images("conv13", input_shape, SMALLEST)
        self.layers = nn.Sequential(
            *(layer(input_shape[0], 128), layer(128, 128), layer(128, 128)),  # 32 x 32
            *(nn.MaxPool2d(2), nn.Dropout(dropout)),
            *(layer(128, 256), layer(256, 256), layer(256, 256)),  # 16 x 16
            *(nn.MaxPool2d(2), nn.Dropout(dropout)),
            *(layer(256, 512, padding=0), layer(512, 256, size=1), layer(256, 128, size=1)),  # 8 x 8 -> 6 x 6
        )
        self.head = nn.Linear(128, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 128)."""
        maps: Tensor = self.layers(x)
        return maps.mean((2, 3))  # (B, 128, H, W) -> (B, 128)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K) logits."""
        logits: Tensor = self.head(self.features(x))
        return logits


def layer(n_in: int, n_out: int, *, size: int = 3, padding: int | str = "same") -> nn.Sequential:
    """Convolution, batch norm, leaky ReLU."""
    # without bias: batch norm would remove it
    convolution = nn.Conv2d(n_in, n_out, size, padding=padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(n_out), nn.LeakyReLU(SLOPE, inplace=True))
