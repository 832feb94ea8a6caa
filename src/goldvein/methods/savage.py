"""Savage loss (Masnadi-Shirazi & Vasconcelos 2008, NIPS,
https://papers.nips.cc/paper_files/paper/2008/hash/f5deaeeae1538fb6c45901d524ee2f98-Abstract.html).

    L = mean_c (1 + exp(2 y_c p_c))^-2 = ((1 + exp(2 p_y))^-2 + (K - 1) / 4) / K                            (1)

p is the softmax, y the one-hot given label in {0, 1}. The loss is bounded and not convex: a row that the network is
sure of against its label has nearly no gradient, as p_y (1 - p_y) vanishes there.

Where the paper is silent: it has a margin in place of p, and labels of -1 and 1. The code of Patrini et al. 2017, from
whom Ding et al. 2018 take this row of Table 3, is followed, so the K - 1 other classes add constants of 1/4.

Differs from their code: probabilities are not clipped, since nothing here is infinite.
"""

from __future__ import annotations

from goldvein.functional.losses import savage
from goldvein.training import Batch, Method, Terms


class Savage(Method):
    """Supervised training with the savage loss on the probability of the given label.

    Examples
    --------
    >>> Savage()
    Savage()
    """

    def loss(self, batch: Batch) -> Terms:
        return {"savage": (savage(self.net(batch.views[0]), batch.y), batch.labeled)}
