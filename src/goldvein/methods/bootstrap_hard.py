"""Hard bootstrapping (Reed, Lee, Anguelov, Szegedy, Erhan & Rabinovich 2015, ICLR workshop, arXiv:1412.6596).

    L = -sum_c (beta y_c + (1 - beta) [c = argmax p]) log p_c = -beta log p_y - (1 - beta) max_c log p_c    (1)

p is the softmax, y the one-hot given label. The target mixes the label with the network's own decision; a row whose
label the network predicts has plain cross-entropy.

Where the sources are silent: the code of Patrini et al. 2017 lacks this loss, though Ding et al. 2018 take its row of
Table 3 from them. beta is that of the paper of Reed et al., and of the code of Ma et al. 2018 (D2L).
"""

from __future__ import annotations

from goldvein.config.ranges import Share
from goldvein.functional.losses import bootstrap_hard
from goldvein.training import Batch, Method, Terms


class BootstrapHard(Method):
    """Cross-entropy with the given label mixed with the class that the network predicts.

    Parameters
    ----------
    beta : float in [0, 1], default=0.8
        Weight of the given label; 1 is plain cross-entropy.

    Examples
    --------
    >>> BootstrapHard(beta=0.9)
    BootstrapHard(beta=0.9)
    """

    def __init__(self, beta: Share = 0.8) -> None:
        super().__init__()
        self.beta = beta

    def loss(self, batch: Batch) -> Terms:
        losses = bootstrap_hard(self.net(batch.views[0]), batch.y, self.beta)
        return {"bootstrap": (losses, batch.labeled)}
