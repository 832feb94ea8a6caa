"""Several processes that train as one, started by torchrun; in one process every function does nothing.

Every process draws the same order of rows and takes its share of each batch, so the effective batch and the loss
curve stay those of one process.
"""

from __future__ import annotations

import atexit
import math
import os
import time
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

_joined = False  # a process group that other code has made for its own purposes is left alone


def start(device: torch.device) -> tuple[int, int]:
    """Join the group that torchrun announces in the environment; (rank, number of processes)."""
    global _joined
    if "WORLD_SIZE" not in os.environ or not dist.is_available():
        return 0, 1
    _joined = True
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(_leave)
    return dist.get_rank(), dist.get_world_size()


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
    time.sleep(0.2)  # a thread of gloo that drops its last tensor once Python is gone would abort the process


def share(rows: Tensor, rank: int, world: int) -> Tensor:
    """The rows of a batch that one process takes."""
    return rows[rank::world] if world > 1 else rows


def average_gradients(parameters: Iterable[nn.Parameter], world: int) -> None:
    """Mean of the gradients over the processes, in one message."""
    if world == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in grads])  # one message in place of one for each parameter
    dist.all_reduce(flat)
    flat /= world
    for g, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
        g.copy_(part.view_as(g))


def average(value: Tensor) -> Tensor:
    """Mean of a tensor over the processes."""
    if _joined and dist.is_initialized():
        value = value.clone()
        dist.all_reduce(value)
        value = value / dist.get_world_size()
    return value


def mean(values: Tensor, rows: Tensor | None = None) -> Tensor:
    """Mean of values (B,) over rows (B,), bool, of the batch that all processes share; 0 if there are none.

    A process gets the share of its own rows: the mean over the processes, of this and of its gradient, is that over
    all rows, however few of them a process has.
    """
    rows = torch.ones_like(values, dtype=torch.bool) if rows is None else rows
    n = average(rows.sum().to(values.dtype))
    return values.masked_fill(~rows, 0).sum() / torch.where(n > 0, n, 1.0)


def log_mean(logs: Tensor) -> Tensor:
    """Logarithm (K,) of the mean of exp(logs), (B, K), over the rows of the batch that all processes share.

    The value is the same in all of them; the mean over the processes of its gradient is its gradient.

    Examples
    --------
    >>> log_mean(torch.tensor([[0.2, 1.0], [0.6, 1.0]]).log()).exp()
    tensor([0.4000, 1.0000])
    """
    n, logs = len(logs), logs.logsumexp(0)
    if not (_joined and dist.is_initialized()):
        return logs - math.log(n)
    parts = [torch.empty_like(logs) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, logs.detach())
    total = torch.stack(parts).logsumexp(0)
    own = len(parts) * (logs.detach() - total).exp()  # this process's share of the whole
    return total + own * (logs - logs.detach()) - (len(parts) * average(logs.new_tensor(n))).log()


def first(number: int, device: torch.device) -> int:
    """The number of the first process, such as a seed that each of them drew."""
    _, world = start(device)
    if world == 1:
        return number
    value = torch.tensor(number, device=device)
    dist.broadcast(value, 0)
    return int(value)


def same_start(module: nn.Module, world: int) -> None:
    """Give every process the weights and buffers of the first."""
    if world > 1:
        for tensor in (*module.parameters(), *module.buffers()):
            dist.broadcast(tensor.detach(), 0)


def all_rows(rows: Tensor, values: Tensor, world: int) -> tuple[Tensor, Tensor]:
    """Rows (B,) and values (B, ...) of all processes; their numbers may differ by one."""
    if world == 1:
        return rows, values
    sizes = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(world)]
    dist.all_gather(sizes, torch.tensor([len(rows)], device=rows.device))
    n = int(max(s.item() for s in sizes))  # all_gather needs equal shapes
    kept = [slice(0, int(s.item())) for s in sizes]
    return _gather(rows, n, kept, world), _gather(values, n, kept, world)


def _gather(values: Tensor, n: int, kept: list[slice], world: int) -> Tensor:
    padded = values.new_zeros((n, *values.shape[1:]))
    padded[: len(values)] = values
    parts = [torch.empty_like(padded) for _ in range(world)]
    dist.all_gather(parts, padded)
    return torch.cat([part[rows] for part, rows in zip(parts, kept, strict=True)])
