"""Unhinged loss behind a batch norm, "unhinged (BN)" (van Rooyen, Menon & Williamson 2015, NIPS, arXiv:1505.07634).

    L = mean_c (1 - y_c f_c) = 1 - f_y / K                                                                  (1)

f are the scores, y is the one-hot given label in {0, 1}. Symmetric noise only shifts and scales the risk of a loss
whose sum over all labels is constant, so its minimizer stays. (1) has no lower bound, so the scores need one.

Where the paper is silent, as in the code of Patrini et al. 2017, from whom Ding et al. 2018 take this row of Table 3
- y is in {0, 1}, not {-1, 1} as for two classes: only the score of the given class counts.
- A batch norm with scale and shift on the K scores bounds them, in place of a softmax. The sum of (1) over labels is
  constant only where the scores of a row sum to 0, which the batch norm makes true on average, not row by row.

Differs from their code: the running averages of the batch norm have torch's momentum and epsilon. Keras's would take
thousands of batches to settle. Probabilities are the softmax of the scores.
"""

from __future__ import annotations

from torch import nn

from goldvein.functional.losses import unhinged
from goldvein.training import Batch, Method, Task, Terms


class Unhinged(Method):
    """Supervised training with the unhinged loss, scores bounded by a batch norm.

    Examples
    --------
    >>> Unhinged()
    Unhinged()
    """

    def setup(self, task: Task) -> None:
        self.net = nn.Sequential(task.build_model(), nn.BatchNorm1d(task.n_classes))

    def loss(self, batch: Batch) -> Terms:
        return {"unhinged": (unhinged(self.net(batch.views[0]), batch.y), batch.labeled)}
