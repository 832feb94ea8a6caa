"""The order in which rows are visited: pure functions of index tensors."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor


def shuffled(rows: Tensor, generator: Generator) -> Tensor:
    """The rows in random order."""
    return rows[torch.randperm(len(rows), generator=generator)]


def cycled(rows: Tensor, n: int, generator: Generator) -> Tensor:
    """``n`` draws in full random passes: every row comes equally often, give or take one.

    Examples
    --------
    >>> g = torch.Generator().manual_seed(0)
    >>> cycled(torch.tensor([3, 5]), 6, g).bincount()
    tensor([0, 0, 0, 3, 0, 3])
    """
    passes = [shuffled(rows, generator) for _ in range(-(-n // len(rows)))]
    return torch.cat([rows[:0], *passes])[:n]


def balanced(rows: Tensor, y: Tensor, n: int, generator: Generator) -> Tensor:
    """``n`` draws, every class equally often (Ding et al. 2018, section 3.3).

    The rows of a class are drawn in full passes, so a small class repeats its rows and a large one spreads them
    over several epochs; classes without a row are left out.

    Parameters
    ----------
    rows : Tensor of shape (n,), int64
    y : Tensor of shape (N,), int64
        Labels, indexed by row; a row of -1 must not be among ``rows``.
    n : int
        Number of draws.

    Examples
    --------
    >>> y = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])
    >>> y[balanced(torch.arange(8), y, 8, torch.Generator().manual_seed(0))].bincount()
    tensor([4, 4])
    """
    groups = [rows[y[rows] == k] for k in y[rows].unique()]
    share, rest = divmod(n, len(groups))
    lucky = torch.randperm(len(groups), generator=generator) < rest  # who gets one of the left-over draws
    drawn = [cycled(g, share + int(more), generator) for g, more in zip(groups, lucky, strict=True)]
    return shuffled(torch.cat(drawn), generator)


def split(order: Tensor, n_batches: int) -> list[Tensor]:
    """Cut an order into batches whose sizes differ by at most one row, so that none is tiny.

    Examples
    --------
    >>> [len(part) for part in split(torch.arange(10), 3)]
    [4, 3, 3]
    """
    return list(torch.tensor_split(order, n_batches))


def mixed_sizes(y: Tensor, batch_size: int, least: float) -> tuple[int, int]:
    """Labeled and other rows of a batch: as in ``y`` (-1 is no label), but at least the share ``least`` of labeled.

    An epoch over the other rows is then one over the labeled ones as well, or more.

    Examples
    --------
    >>> y = torch.arange(50_000)
    >>> mixed_sizes(y.where(y < 100, -1), 100, least=0.05), mixed_sizes(y.where(y < 37_500, -1), 100, least=0.05)
    ((5, 95), (75, 25))
    """
    n_first = math.ceil(batch_size * max(least, int((y >= 0).sum()) / len(y)) - 1e-9)
    n_first = min(n_first, batch_size - 1) or 1
    return n_first, max(1, batch_size - n_first)


def count_batches(n_labeled: int, n_others: int, sizes: tuple[int, int], over: str) -> int:
    """Batches of an epoch, ``sizes`` rows of each kind in one: see :meth:`goldvein.training.run.Run.batches`.

    Examples
    --------
    >>> [count_batches(100, 950, (5, 95), over) for over in ("labeled", "unlabeled", "larger")]
    [20, 10, 10]
    """
    by_label = sizes[0] > sizes[1] if over == "larger" else over == "labeled"
    return math.ceil(n_labeled / sizes[0] if by_label else n_others / sizes[1])


def spread(n: int, most: int) -> Tensor:
    """At most ``most`` of ``n`` rows, evenly spread.

    Examples
    --------
    >>> spread(10, 4)
    tensor([0, 3, 6, 9])
    """
    return torch.arange(0, n, -(-n // most))
