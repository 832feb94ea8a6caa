"""Networks: one file each, built from the shape of an input and the number of classes."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from goldvein.errors import InputError


@runtime_checkable
class Network(Protocol):
    """A network of features and one layer above them. All networks of goldvein are such; those of users may be.

    Methods that use the features need it; see :func:`goldvein.training.network.require_network`.
    """

    head: nn.Module
    """The last layer: features (B, D) -> logits (B, K)."""

    def features(self, x: Tensor, /) -> Tensor:
        """(B, *input_shape) -> (B, D), the inputs of :attr:`head`."""
        ...

    def __call__(self, x: Tensor, /) -> Tensor:
        """(B, *input_shape) -> (B, K) logits."""
        ...


def check_images(model: str, input_shape: tuple[int, ...], smallest: int) -> None:
    """Refuse inputs that a convolutional network cannot take: no images, or a side below ``smallest`` pixels.

    Raises
    ------
    InputError
        If the inputs are not images, or the images are too small.
    """
    if len(input_shape) != 3 or min(input_shape[1:]) < smallest:
        raise InputError(
            f"{model} was given inputs of shape {input_shape}: it needs images of at least "
            f"{smallest} x {smallest} pixels; choose another network"
        )
