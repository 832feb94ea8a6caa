"""Soft bootstrapping (Reed, Lee, Anguelov, Szegedy, Erhan & Rabinovich 2015, ICLR workshop).

    L = -sum_c (beta y_c + (1 - beta) p_c) log p_c                                                          (1)

p is the softmax, y the one-hot given label. The target is the label mixed with the network's own belief, which is
cross-entropy on the label plus a pull towards certainty: the second part is (1 - beta) times the entropy of p.

Silent point, and what was chosen: whether p is a constant within the target. It is not in the code of Patrini et al.
2017, from whom Ding et al. 2018 take this row of their Table 3; here as there, both have a gradient.

Differs from their code: log p is computed from the logits, not from probabilities clipped at 1e-7, below which a
label that the network rejects would lose its gradient.
"""

from __future__ import annotations

from torch import Tensor

from goldvein.config.ranges import Share
from goldvein.functional.losses import bootstrap_soft, mean_over_labeled
from goldvein.training.method import Method
from goldvein.training.task import Batch


class BootstrapSoft(Method):
    """Cross-entropy with the given label mixed with the network's own probabilities.

    Parameters
    ----------
    beta : float in [0, 1], default=0.95
        Weight of the given label; 1 is plain cross-entropy.

    Examples
    --------
    >>> BootstrapSoft(beta=0.9)
    BootstrapSoft(beta=0.9)
    """

    def __init__(self, beta: Share = 0.95) -> None:
        super().__init__()
        self.beta = beta

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        losses = bootstrap_soft(self.net(batch.views[0]), batch.y, self.beta)
        return {"bootstrap": mean_over_labeled(losses, batch.y)}
