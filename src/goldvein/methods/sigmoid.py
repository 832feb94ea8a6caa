"""Sigmoid loss behind a batch norm, "sigmoid (BN)" (Ghosh, Manwani & Sastry 2015, Neurocomputing 160,
arXiv:1403.3610).

    L = mean_c sigmoid(-y_c f_c) = (sigmoid(-f_y) + (K - 1) / 2) / K                                        (1)

f are the scores, y is the one-hot given label in {0, 1}. For two classes and labels of -1 and 1 the loss of a label
and that of its opposite sum to 1 whatever the score is, so symmetric noise leaves the minimizer where it was.

Where the paper is silent, as in the code of Patrini et al. 2017, from whom Ding et al. 2018 take this row of Table 3
- y is in {0, 1}: the K - 1 other classes add constants of 1/2, and the sum over labels is not constant.
- The slope, beta in the paper, is 1.
- A batch norm with scale and shift on the K scores stands in place of a softmax.

Differs from their code: the running averages of the batch norm have torch's momentum and epsilon. Keras's would take
thousands of batches to settle. Probabilities are the softmax of the scores.
"""

from __future__ import annotations

from torch import nn

from goldvein.functional.losses import sigmoid
from goldvein.training import Batch, Method, Task, Terms


class Sigmoid(Method):
    """Supervised training with the sigmoid loss, scores bounded by a batch norm.

    Examples
    --------
    >>> Sigmoid()
    Sigmoid()
    """

    def setup(self, task: Task) -> None:
        self.net = nn.Sequential(task.build_model(), nn.BatchNorm1d(task.n_classes))

    def loss(self, batch: Batch) -> Terms:
        return {"sigmoid": (sigmoid(self.net(batch.views[0]), batch.y), batch.labeled)}
