"""Savage loss (Masnadi-Shirazi & Vasconcelos 2009, NIPS), on probabilities as Patrini et al. 2017 use it.

    L = mean_c (1 + exp(2 y_c p_c))^-2 = ((1 + exp(2 p_y))^-2 + (K - 1) / 4) / K                            (1)

p is the softmax, y the one-hot given label in {0, 1}. Bounded and not convex: a row that the network is sure of
against its label has nearly no gradient, as p_y (1 - p_y) vanishes there.

Silent or contradictory points, and what was chosen
- The paper has a margin in place of p, and labels of -1 and 1: the code of Patrini et al., from whom Ding et al. 2018
  take this row of their Table 3, is followed, so the K - 1 other classes add constants of 1/4.

Differs from their code: probabilities are not clipped, since nothing here is infinite.
"""

from __future__ import annotations

from torch import Tensor

from goldvein.functional.losses import mean_over_labeled, savage
from goldvein.training.method import Method
from goldvein.training.task import Batch


class Savage(Method):
    """Supervised training with the savage loss on the probability of the given label.

    Examples
    --------
    >>> Savage()
    Savage()
    """

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"savage": mean_over_labeled(savage(self.net(batch.views[0]), batch.y), batch.y)}
