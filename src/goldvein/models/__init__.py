"""Networks: one file each, made from the shape of an input and the number of classes.

A network maps (B, *input_shape) to logits (B, K); ``features`` maps it to what its last layer, ``head``, sees.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from goldvein.config.names import find
from goldvein.errors import InputError
from goldvein.training.pretrained import load_weights

Factory = Callable[..., nn.Module]


def auto(input_shape: tuple[int, ...]) -> str:
    """Name of the network that suits inputs of a shape.

    Vectors and small grey images (at most 32 pixels a side) go to the multilayer perceptron, which trains in
    seconds on a CPU; other images to the residual network.

    Examples
    --------
    >>> auto((64,)), auto((1, 28, 28)), auto((3, 32, 32))
    ('mlp', 'mlp', 'resnet14')
    """
    small_grey = len(input_shape) == 3 and input_shape[0] == 1 and max(input_shape) <= 32
    return "mlp" if len(input_shape) == 1 or small_grey else "resnet14"


def check_images(model: str, input_shape: tuple[int, ...], smallest: int) -> None:
    """Refuse inputs that a convolutional network cannot take: no images, or a side below ``smallest`` pixels.

    Raises
    ------
    InputError
        If they are such.
    """
    if len(input_shape) != 3 or min(input_shape[1:]) < smallest:
        raise InputError(
            f"{model} was given inputs of shape {input_shape}: it needs images of at least "
            f"{smallest} x {smallest} pixels; choose another network"
        )


def factory(model: str | Factory, input_shape: tuple[int, ...]) -> Factory:
    """What makes the network: ``factory(input_shape, n_classes, **params) -> nn.Module``.

    Parameters
    ----------
    model : str or callable
        ``"auto"``, the name of a file in ``models/``, ``"package.module:factory"``, ``"timm:NAME"`` (needs the
        package timm), or a callable of ``(input_shape, n_classes)``.
    input_shape : tuple of int
        Shape of one input.

    Raises
    ------
    InputError
        For a name that does not exist, or a module that cannot be imported.
    """
    if callable(model):
        return model
    if model.startswith("timm:"):
        return _timm(model.removeprefix("timm:"))
    return find("models", auto(input_shape) if model == "auto" else model)


def build(
    model: str | Factory, input_shape: tuple[int, ...], n_classes: int, *, weights: str | None = None, **params: Any
) -> nn.Module:
    """A fresh network, with random weights or those of a file.

    Parameters
    ----------
    weights : str, optional
        File of weights to begin with: see :func:`goldvein.training.pretrained.load_weights`.
    **params
        Further arguments of the network.

    Examples
    --------
    >>> import torch
    >>> build("mlp", (4,), 3, hidden=(8,))(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """
    make = factory(model, input_shape)
    accepted = inspect.signature(make).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        for name in params:
            if name not in accepted:
                known = ", ".join(list(accepted)[2:]) or "none"
                raise InputError(f"unknown parameter {name!r} of model {model!r}: known: {known}")
    net = make(input_shape, n_classes, **params)
    if weights is not None:
        load_weights(net, weights)
    return net


def _timm(name: str) -> Factory:
    def make(input_shape: tuple[int, ...], n_classes: int, **params: Any) -> nn.Module:
        try:
            import timm
        except ImportError as error:
            raise InputError(f"model 'timm:{name}' needs timm: pip install timm") from error
        return timm.create_model(name, num_classes=n_classes, in_chans=input_shape[0], **params)

    return make
