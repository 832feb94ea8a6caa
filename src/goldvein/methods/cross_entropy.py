"""Cross-entropy on the given labels (the baseline of every table).

``L = -1/M sum_j log z_j[y_j]`` over the M labeled rows of a batch; unlabeled rows are not used.
Patrini et al. 2017 and Ding et al. 2018 train it on the noisy labels as they are; ``balance=True`` draws every
class equally often (Ding et al., section 3.3).
"""

from __future__ import annotations

from torch import Tensor

from goldvein.functional.losses import cross_entropy
from goldvein.training.method import Method
from goldvein.training.run import Run
from goldvein.training.task import Batch


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

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"cross_entropy": cross_entropy(self.net(batch.views[0]), batch.y)}

    def train_on(self, run: Run) -> None:
        for _ in run.epochs():
            for batch in run.batches(balance=self.balance):
                run.update(self.loss(batch))
