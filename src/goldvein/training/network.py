"""Networks by name: a file of ``goldvein/models``, a factory elsewhere, or timm; with random or given weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import nn

from goldvein.config.names import find
from goldvein.errors import InputError
from goldvein.models import Network
from goldvein.training.device import LowPrecision, convolves, has_bfloat16
from goldvein.training.pretrained import load_weights

Factory = Callable[..., nn.Module]
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class NetworkOptions:
    """Which network is trained, and where and in which number format it computes.

    Attributes
    ----------
    model : str or callable
        See :func:`find_factory`.
    params : dict or None
        Further arguments of the network; ``weights`` is a file of weights to begin with.
    precision : {"auto", "float32", "bfloat16"}
        ``auto`` computes in bfloat16 where the network has convolutions and the hardware multiplies bfloat16.
    device : str
        See :func:`goldvein.training.device.pick_device`.
    """

    model: str | Factory = "auto"
    params: dict[str, Any] | None = None
    precision: str = "auto"
    device: str = "auto"

    def make(self, input_shape: tuple[int, ...], n_classes: int, device: torch.device) -> nn.Module:
        """A fresh network on a device."""
        if self.precision not in get_args(Precision):
            raise InputError(f"precision={self.precision!r}: it must be one of {', '.join(get_args(Precision))}")
        net = build_network(self.model, input_shape, n_classes, **(self.params or {}))
        # a perceptron gains nothing from bfloat16
        pays = self.precision == "auto" and convolves(net) and has_bfloat16(device)
        return (LowPrecision(net) if pays or self.precision == "bfloat16" else net).to(device)


def default_model(input_shape: tuple[int, ...]) -> str:
    """Name of the network that suits inputs of a shape.

    Vectors and small gray images (at most 32 pixels a side) go to the multilayer perceptron, which trains in
    seconds on a CPU; other images to the residual network.

    Examples
    --------
    >>> default_model((64,)), default_model((1, 28, 28)), default_model((3, 32, 32))
    ('mlp', 'mlp', 'resnet14')
    """
    small_gray = len(input_shape) == 3 and input_shape[0] == 1 and max(input_shape) <= 32
    return "mlp" if len(input_shape) == 1 or small_gray else "resnet14"


def find_factory(model: str | Factory, input_shape: tuple[int, ...]) -> Factory:
    """What makes the network: ``factory(input_shape, n_classes, **params) -> nn.Module``.

    Parameters
    ----------
    model : str or callable
        ``"auto"``, the name of a file in ``goldvein/models``, ``"package.module:factory"``, ``"timm:NAME"`` (needs
        the package timm), or a callable of ``(input_shape, n_classes)``.
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
    factory: Factory = find("models", default_model(input_shape) if model == "auto" else model)
    return factory


def build_network(
    model: str | Factory, input_shape: tuple[int, ...], n_classes: int, *, weights: str | None = None, **params: Any
) -> nn.Module:
    """A fresh network, with random weights or those of a file.

    Parameters
    ----------
    model : str or callable
        See :func:`find_factory`.
    input_shape : tuple of int
    n_classes : int
    weights : str, optional
        File of weights to begin with: see :func:`goldvein.training.pretrained.load_weights`.
    **params
        Further arguments of the network.

    Raises
    ------
    InputError
        If there is no such network, it has no such parameter, or the weights do not fit.

    Examples
    --------
    >>> import torch
    >>> build_network("mlp", (4,), 3, hidden=(8,))(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """
    make = find_factory(model, input_shape)
    accepted = inspect.signature(make).parameters
    # checked here, since a TypeError from within a network would not say which name was meant
    if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        for name in params:
            if name not in accepted:
                known = ", ".join(list(accepted)[2:]) or "none"
                raise InputError(f"unknown parameter {name!r} of model {model!r}: known: {known}")
    net = make(input_shape, n_classes, **params)
    if weights is not None:
        load_weights(net, weights)
    return net


def require_network(net: nn.Module, who: str) -> Network:
    """A network with ``features`` and ``head``.

    Raises
    ------
    InputError
        If one of them is missing; ``who`` is what needs them.
    """
    if not isinstance(net, Network):
        lacking = " and ".join(f"`{name}`" for name in ("features", "head") if not hasattr(net, name))
        raise InputError(
            f"{who} needs a network with `features`, (B, ...) -> (B, D), and a last layer `head`, and "
            f"{type(net).__name__} has no {lacking}: use one of goldvein's networks, or another method"
        )
    return net


def require_linear_head(net: nn.Module, who: str) -> tuple[Network, nn.Linear]:
    """A network, and its ``head``, a linear layer.

    Raises
    ------
    InputError
        If the network has none; ``who`` is what needs it.
    """
    network = require_network(net, who)
    if not isinstance(network.head, nn.Linear):
        raise InputError(
            f"{who} needs a linear last layer, and `head` of {type(net).__name__} is a "
            f"{type(network.head).__name__}: use one of goldvein's networks, or another method"
        )
    return network, network.head


@torch.no_grad()
def count_features(net: nn.Module, input_shape: tuple[int, ...], who: str) -> int:
    """D of ``features``: (B, *input_shape) -> (B, D).

    Raises
    ------
    InputError
        If the network has no ``features`` and ``head``, or its features are no vectors; ``who`` is what needs them.
    """
    features = require_network(net, who).features
    some = next(net.parameters())
    was_training = net.training
    net.eval()  # batch norms keep their statistics
    shape = features(torch.zeros(2, *input_shape, device=some.device, dtype=some.dtype)).shape
    net.train(was_training)
    if len(shape) != 2:
        name = type(net).__name__
        raise InputError(f"features(x) of {name} has shape {tuple(shape)}: it must be (B, D), one vector a row")
    return int(shape[1])


def without_head(net: nn.Module) -> nn.Module:
    """The network itself, its last layer ``head`` replaced by nothing, so that no unused weight is kept."""
    head = getattr(net, "head", None)
    for module in list(net.modules()):
        for name, child in module.named_children():
            if child is head:
                setattr(module, name, nn.Identity())  # forward still finds a module of that name
    return net


def _timm(name: str) -> Factory:
    def make(input_shape: tuple[int, ...], n_classes: int, **params: Any) -> nn.Module:
        try:
            import timm
        except ImportError as error:
            raise InputError(f"model 'timm:{name}' needs timm: pip install timm") from error
        net: nn.Module = timm.create_model(name, num_classes=n_classes, in_chans=input_shape[0], **params)
        return net

    return make
