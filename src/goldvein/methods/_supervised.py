"""Cross-entropy on the given labels: the baseline, and the first or last stage of many methods."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from goldvein.functional.losses import cross_entropy
from goldvein.training import Batch, Run, Terms


def supervised_loss(net: nn.Module, batch: Batch) -> Terms:
    """Cross-entropy of the labeled rows, on the first view."""
    return {"cross_entropy": (cross_entropy(net(batch.views[0]), batch.y), batch.labeled)}


def train_supervised(
    run: Run,
    net: nn.Module,
    n_epochs: int | None = None,
    *,
    labeled: Tensor | None = None,
    balance: bool = False,
    **changes: Any,
) -> None:
    """One stage of training by :func:`supervised_loss`.

    Parameters
    ----------
    run : Run
    net : Module
        What is trained.
    n_epochs : int, optional
        By default as many as the recipe has.
    labeled, balance
        See :meth:`goldvein.training.run.Run.batches`.
    **changes
        Fields of the recipe that this stage changes.
    """
    for _ in run.epochs(n_epochs, net=net, **changes):
        for batch in run.batches(labeled, balance=balance):
            run.update(supervised_loss(net, batch))
