"""Weights from a file, to begin training with; nothing in the file is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from goldvein.errors import InputError


def load_weights(net: nn.Module, path: str | Path) -> None:
    """Give a network the weights of a file, such as those of torchvision or timm for ImageNet.

    The last layer stays as it is if the file has another number of classes.

    Parameters
    ----------
    net : Module
    path : str or Path
        State dict as ``.safetensors``, else as ``torch.save`` writes it, with the names of the network.

    Raises
    ------
    InputError
        The file is missing, holds no state dict, or one of another network.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "ten.pth"
    >>> torch.save(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 10)).state_dict(), file)
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    >>> load_weights(net, file)
    >>> torch.equal(net[0].weight, torch.load(file)["0.weight"]), net[1].weight.shape
    (True, torch.Size([4, 3]))
    """
    given, wanted = _read(Path(path).expanduser()), net.state_dict()
    last = _last_layer(net)
    for name, value in wanted.items():
        if name.endswith(".num_batches_tracked"):
            given.setdefault(name, value)  # older files lack it
        if name not in given:
            raise InputError(f"{path} has no {name!r}, which the network has: give weights of the same network")
    for name, value in given.items():
        if name not in wanted:
            raise InputError(f"{path} has {name!r}, which the network lacks: give weights of the same network")
        if value.shape != wanted[name].shape and not name.startswith(last):
            shapes = f"{tuple(value.shape)}, and the network's is {tuple(wanted[name].shape)}"
            raise InputError(f"{name!r} of {path} has shape {shapes}: give weights of the same network")
    fitting = {name: value for name, value in given.items() if value.shape == wanted[name].shape}
    net.load_state_dict(fitting, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        given: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: give the path of a file of weights") from error
    except Exception as error:  # any error of unpickling or safetensors
        raise InputError(f"{path} has no weights that can be read safely: save a state dict there") from error
    if not isinstance(given, Mapping) or not all(isinstance(value, Tensor) for value in given.values()):
        raise InputError(f"{path} has no state dict of names and tensors: save net.state_dict() there")
    return dict(given)


def _last_layer(net: nn.Module) -> str:
    """The prefix of the names of the last layer's weights."""
    own = [name for name, module in net.named_modules() if next(module.parameters(recurse=False), None) is not None]
    return f"{own[-1]}." if own and own[-1] else ""
