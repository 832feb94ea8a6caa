"""A network on its device and in its precision."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from goldvein import models
from goldvein.errors import InputError

PRECISIONS = ("auto", "float32", "bfloat16")
SMALL = 1_500_000  # weights, below which one thread is enough
_lock, _before = threading.Lock(), list[int]()  # threads before each of the small trainings that run, first to last


def pick_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is a GPU where there is one."""
    if name == "auto":
        mine = os.environ.get("LOCAL_RANK", "")  # torchrun: one GPU for each process
        name = f"cuda:{mine}".rstrip(":") if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={name!r} is not to be had here: give auto or cpu") from error
    return device


def make_network(
    model: str | models.Factory,
    params: dict[str, Any] | None,
    input_shape: tuple[int, ...],
    n_classes: int,
    precision: str,
    device: torch.device,
) -> nn.Module:
    """A fresh network (see :func:`goldvein.models.build`), on its device.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        ``auto`` computes in bfloat16 where the network has convolutions and the hardware multiplies bfloat16.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision={precision!r}: it must be one of {', '.join(PRECISIONS)}")
    net = models.build(model, input_shape, n_classes, **(params or {}))
    pays = precision == "auto" and convolves(net) and has_bfloat16(device)
    return (LowPrecision(net) if pays or precision == "bfloat16" else net).to(device)


def convolves(net: nn.Module) -> bool:
    """Whether a network has convolutions over images."""
    return any(isinstance(module, nn.Conv2d) for module in net.modules())


@contextmanager
def few_threads(net: nn.Module) -> Iterator[None]:
    """One thread of the processor while a small network without convolutions is trained.

    Threads wait for each other after each of its short operations. On two idle cores a second one saved 0 to 7 % of the
    time of a training (perceptron and UMN, 0.5 to 1 million weights); with other programs at work on both cores it made
    the same trainings take 2 to 8 times as long.
    """
    if convolves(net) or sum(p.numel() for p in net.parameters() if p.requires_grad) >= SMALL:
        yield
        return
    with _lock:  # the number belongs to the process, in which several trainings may run
        _before.append(torch.get_num_threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            n = _before.pop()
            if not _before:
                torch.set_num_threads(n)


class LowPrecision(nn.Module):
    """A network that computes in bfloat16, images channels-last, and returns float32.

    About twice the speed for convolutions on processors and GPUs with bfloat16 units; a perceptron of a few
    layers gains nothing. Whether it pays is a property of the machine and not of the weights, so their names in the
    state dict are those of the network itself.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.register_state_dict_post_hook(_without_wrapper)
        self.register_load_state_dict_pre_hook(_with_wrapper)

    @property
    def head(self) -> nn.Module:
        """The last layer of the network."""
        return self.net.head

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) -> (B, K) logits."""
        return self._compute(self.net, x)

    @property
    def features(self) -> Callable[[Tensor], Tensor]:
        """(B, *input_shape) -> (B, D), what the last layer sees; missing where the network has none."""
        return partial(self._compute, self.net.features)

    def _compute(self, f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        if x.dim() == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16):
            return f(x).float()


def _without_wrapper(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    for key in [key for key in state if key.startswith(f"{prefix}net.")]:
        state[prefix + key.removeprefix(f"{prefix}net.")] = state.pop(key)


def _with_wrapper(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        state[f"{prefix}net.{key.removeprefix(prefix)}"] = state.pop(key)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
