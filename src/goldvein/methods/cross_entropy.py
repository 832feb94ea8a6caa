"""Cross-entropy on the given labels, the baseline of every table (Patrini et al. 2017, arXiv:1609.03683; Ding et al.
2018, arXiv:1802.02679).

    L = -1/M sum_j log z_j[y_j]                over the M labeled rows of a batch

Unlabeled rows are not used. Both papers train it on the noisy labels as they are; ``balance=True`` draws every class
equally often (Ding et al., section 3.3).
"""

from __future__ import annotations

from goldvein.methods._supervised import supervised_loss
from goldvein.training import Batch, Method, Run, Terms


class CrossEntropy(Method):
    """Plain supervised training.

    Parameters
    ----------
    balance : bool, default=False
        Draw every given class equally often.

    Examples
    --------
    >>> CrossEntropy(balance=True)
    CrossEntropy(balance=True)
    """

    def __init__(self, balance: bool = False) -> None:
        super().__init__()
        self.balance = balance

    def loss(self, batch: Batch) -> Terms:
        return supervised_loss(self.net, batch)

    def train_on(self, run: Run) -> None:
        for _ in run.epochs():
            for batch in run.batches(balance=self.balance):
                run.update(self.loss(batch))
