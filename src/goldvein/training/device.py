"""Where a network computes, in which number format, and on how many threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from goldvein.errors import InputError

SMALL = 1_500_000  # weights, below which one thread is enough
_lock, _before = threading.Lock(), list[int]()  # threads before each of the small trainings that run, first to last


def pick_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is a GPU if the machine has one, else the CPU.

    Raises
    ------
    InputError
        If the machine has no such device.
    """
    if name == "auto":
        own = os.environ.get("LOCAL_RANK", "")  # torchrun: one GPU for each process
        name = f"cuda:{own}".rstrip(":") if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={name!r} is not available on this machine; use 'auto' or 'cpu'") from error
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def convolves(net: nn.Module) -> bool:
    """Whether a network has convolutions over images."""
    return any(isinstance(module, nn.Conv2d) for module in net.modules())


@contextmanager
def few_threads(net: nn.Module) -> Iterator[None]:
    """Use one thread of the processor while a small network without convolutions is trained.

    Threads wait for each other after each of its short operations. On two idle cores a second thread saved 0 to 7 % of
    the time of a training (perceptron and UMN, 0.5 to 1 million weights). With other programs at work on both cores it
    made the same trainings take 2 to 8 times as long.
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

    It has about twice the speed for convolutions on processors and GPUs with bfloat16 units; a perceptron of a few
    layers gains nothing. Whether it pays depends on the machine and not on the weights, so their names in the state
    dict are those of the network itself.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net: Any = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.register_state_dict_post_hook(_without_wrapper)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_with_wrapper)  # type: ignore[no-untyped-call]

    @property
    def head(self) -> nn.Module:
        """The last layer of the network; missing if the network has none."""
        head: nn.Module = self.net.head
        return head

    @property
    def features(self) -> Callable[[Tensor], Tensor]:
        """(B, *input_shape) -> (B, D), what the last layer sees; missing if the network has none."""
        return partial(self._compute, self.net.features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) -> (B, K) logits."""
        return self._compute(self.net, x)

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
