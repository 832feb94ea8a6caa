"""Decoders: from latent variables to the mean of an input, vectors or images."""

from __future__ import annotations

import math

from torch import Tensor, nn

SHRINK = 8  # three layers double the side, so the first maps have an eighth of it


class ImageDecoder(nn.Module):
    """From z to 512 maps with an eighth of the side, then by three transposed convolutions to an image of means."""

    def __init__(self, n_in: int, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = input_shape[1:]
        small = [math.ceil(side / SHRINK) for side in self.size]
        layers: list[nn.Module] = [nn.Linear(n_in, 512 * math.prod(small)), nn.Unflatten(1, (512, *small))]
        for n_from, n_to in ((512, 256), (256, 128), (128, 64)):
            # kernel 4, stride 2 and padding 1 double the side exactly
            layers += [nn.ConvTranspose2d(n_from, n_to, 4, 2, 1), nn.BatchNorm2d(n_to), nn.LeakyReLU(0.1)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(64, input_shape[0], 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        """(B, n_in) -> (B, C, H, W)."""
        height, width = self.size
        image: Tensor = self.layers(z)
        return image[:, :, :height, :width]  # sides that are no multiple of 8 were rounded up


def one_hidden_layer(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    """Linear, ReLU, linear."""
    return nn.Sequential(nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, n_out))


def vector_decoder(n_in: int, hidden: int, input_shape: tuple[int, ...]) -> nn.Sequential:
    """(B, n_in) -> (B, *input_shape) through one hidden layer."""
    return one_hidden_layer(n_in, hidden, math.prod(input_shape)).append(nn.Unflatten(1, input_shape))
