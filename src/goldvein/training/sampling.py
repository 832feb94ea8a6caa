"""The order in which rows are visited: pure functions of index tensors."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Generator, Tensor

from goldvein.errors import unknown

Over = Literal["labeled", "larger"]
"""The rows that an epoch passes over once: the labeled ones, or those of the kind that fills most of a batch."""


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
    # the small number keeps a product that should be whole from being rounded up
    n_first = math.ceil(batch_size * max(least, int((y >= 0).sum()) / len(y)) - 1e-9)
    n_first = min(n_first, batch_size - 1) or 1
    return n_first, max(1, batch_size - n_first)


def check_over(over: str) -> None:
    """Refuse what is none of the words of :data:`Over`.

    Raises
    ------
    InputError
        With the nearest word.
    """
    if over not in get_args(Over):
        raise unknown("over", over, get_args(Over))


def count_batches(n_labeled: int, n_others: int, sizes: tuple[int, int], over: Over) -> int:
    """Batches of an epoch, ``sizes`` rows of each kind in one: see :meth:`goldvein.training.run.Run.batches`.

    Examples
    --------
    >>> [count_batches(100, 950, (5, 95), over) for over in ("labeled", "larger")]
    [20, 10]
    """
    check_over(over)
    by_label = sizes[0] > sizes[1] if over == "larger" else over == "labeled"
    return math.ceil(n_labeled / sizes[0] if by_label else n_others / sizes[1])


def deal_folds(y: Tensor, n_classes: int, n_folds: int) -> Tensor:
    """The fold of each row, (N,) int64: the labels of a class are dealt evenly, at random; -1 without a label.

    Examples
    --------
    >>> deal_folds(torch.tensor([0, 0, 1, 1, -1]), 2, 2).sort().values
    tensor([-1,  0,  0,  1,  1])
    """
    fold = torch.full_like(y, -1)
    start = 0
    for c in range(n_classes if n_folds else 0):
        rows = (y == c).nonzero()[:, 0]
        order = torch.randperm(len(rows)).to(y.device)
        fold[rows[order]] = (torch.arange(len(rows), device=y.device) + start) % n_folds
        start += len(rows)  # classes smaller than the number of folds do not all fill the first
    return fold


def spread(n: int, most: int) -> Tensor:
    """At most ``most`` of ``n`` rows, evenly spread.

    Examples
    --------
    >>> spread(10, 4)
    tensor([0, 3, 6, 9])
    """
    return torch.arange(0, n, -(-n // most))
