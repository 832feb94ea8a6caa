"""Noisy labels first, clean ones at the end (Ding, Wang, Fan & Gong 2018, WACV, section 4.3, arXiv:1802.02679).

A method trains a network on the noisy labels without the trusted ones: their rows have no label. The network then goes
on with the trusted rows alone, at a very small learning rate:

    L = -1/N sum_{j trusted} log z_j[y_j]                                   (rows 11 and 12 of Table 4)

Row 13 begins with a network that used the clean set already: that is two-stage learning with a clean set, which has a
fine-tuning stage of its own.

Where the paper is silent
- "A very small learning rate": Adam at 1e-5, constant, for ten epochs. The weights are those of the best accuracy on
  the trusted labels that are held out for validation; where none is, the last.
- Trusted rows stay inputs without a label for the method before, where the paper gives it the noisy set alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from goldvein.config.ranges import Count, Positive
from goldvein.methods._supervised import train_supervised
from goldvein.methods.two_stage import TwoStage
from goldvein.training import Method, Report, Run, Task


class FineTune(Method):
    """Another method on the noisy labels, then cross-entropy on the trusted ones.

    Parameters
    ----------
    base : Method, optional
        Any method; by default :class:`TwoStage`.
    epochs, lr : int and float, default=10 and 1e-5
        Epochs on the trusted rows, and Adam's rate in them.

    Examples
    --------
    >>> from goldvein.methods.cross_entropy import CrossEntropy
    >>> FineTune(CrossEntropy(), epochs=5).get_params()["base__balance"]
    False
    """

    def __init__(self, base: Method | None = None, epochs: Count = 10, lr: Positive = 1e-5) -> None:
        super().__init__()
        self.base = TwoStage() if base is None else base
        self.epochs = epochs
        self.lr = lr

    def setup(self, task: Task) -> None:
        self.base.setup(without_trusted(task))
        self.behave_like(self.base)

    @property
    def net(self) -> nn.Module:  # type: ignore[override]
        """The network of the method before."""
        return self.base.net

    def train_on(self, run: Run) -> None:
        clean = run.with_labels(run.task.clean_labels("fine_tune"))
        self.base.train_on(run.with_task(without_trusted(run.task)))
        recipe: dict[str, Any] = {"optimizer": "adam", "lr": self.lr, "schedule": "constant", "keep": "best"}
        train_supervised(clean, self.net, self.epochs, **recipe)

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """That of the method before, with the final network."""
        return self.base.evidence(run)

    def scores(self, run: Run) -> dict[str, Tensor]:
        """Those of the method before; it knew no trusted label, and these count as ``kept`` all the same."""
        scores = self.base.scores(run)
        if "kept" in scores:
            scores["kept"] = scores["kept"].masked_fill(run.task.clean_labels("fine_tune") >= 0, 1.0)
        return scores

    def report(self) -> Report:
        return self.base.report()


def without_trusted(task: Task) -> Task:
    """The task without its trusted labels."""
    if task.trusted is None:
        return task
    return replace(task, y=torch.where(task.trusted, -1, task.y), trusted=None)
