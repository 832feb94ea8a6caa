"""A trained network as bytes without a pickle, and read back."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from goldvein.training.device import pick_device
from goldvein.training.inputs import Transform
from goldvein.training.method import Method
from goldvein.training.network import NetworkOptions
from goldvein.training.task import Task
from goldvein.training.views import AUGMENT


def to_bytes(net: nn.Module, transform: Transform) -> bytes:
    """Weights of a network, and mean and scale of its inputs, in the format of safetensors."""
    tensors = {f"net.{name}": value for name, value in net.state_dict().items()}
    tensors |= {"transform.mean": transform.mean, "transform.scale": transform.scale}
    # copies, for safetensors refuses two names of one memory
    return save({name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()})


def rebuild(
    path: Path, method: Method, network: NetworkOptions, n_classes: int, augment: object
) -> tuple[nn.Module, Transform]:
    """The network that predicts, and the transform of its inputs, from what :func:`to_bytes` made.

    The method builds the network anew, for a task without rows: what predicts may be more than the user's network.

    Parameters
    ----------
    path : Path
    method : Method
        Not set up.
    network : NetworkOptions
    n_classes : int
    augment : object
        As in training; a callable counts as ``none``, since views are not needed to predict.

    Raises
    ------
    ValueError
        If the file is damaged, or belongs to another network.
    """
    try:
        tensors = load_file(path)
        shape = tuple(tensors["transform.mean"].shape)
        transform = Transform(shape, augment if isinstance(augment, str) and augment in AUGMENT else "none")
        transform.load_state_dict(_below("transform.", tensors))
        device = pick_device(network.device)
        none, nobody = torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.bool)
        build = partial(network.make, transform.seen_shape, n_classes, device)
        with torch.random.fork_rng():
            method.setup(Task(0, n_classes, transform.seen_shape, none, nobody, nobody, build))
        net = method.to(device).net
        net.load_state_dict(_below("net.", tensors))
    except (OSError, SafetensorError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise ValueError((str(error).splitlines() or ["unreadable"])[0]) from error
    return net, transform


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
