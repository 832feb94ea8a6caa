"""Soft bootstrapping (Reed, Lee, Anguelov, Szegedy, Erhan & Rabinovich 2015, ICLR workshop, arXiv:1412.6596).

    L = -sum_c (beta y_c + (1 - beta) p_c) log p_c                                                          (1)

p is the softmax, y the one-hot given label. The target mixes the label with the network's own prediction: the loss is
cross-entropy on the label, plus (1 - beta) times the entropy of p, a pull towards certainty.

Where the paper is silent: whether p is a constant within the target. In the code of Patrini et al. 2017, from whom Ding
et al. 2018 take this row of Table 3, it is not; here as there, both have a gradient.

Differs from their code: log p is computed from the logits. From probabilities clipped at 1e-7, as there, a label that
the network rejects would lose its gradient.
"""

from __future__ import annotations

from goldvein.config.ranges import Share
from goldvein.functional.losses import bootstrap_soft
from goldvein.training import Batch, Method, Terms


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

    def loss(self, batch: Batch) -> Terms:
        losses = bootstrap_soft(self.net(batch.views[0]), batch.y, self.beta)
        return {"bootstrap": (losses, batch.labeled)}
