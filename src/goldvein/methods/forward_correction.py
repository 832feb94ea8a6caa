"""Forward loss correction (Patrini, Rozza, Menon, Nock & Qu 2017, CVPR, theorem 2, arXiv:1609.03683).

    L = -log sum_i p_i T[i, y]                    p = softmax, T[i, j] = P(given label j | true label i)     (1)

The network stands for the clean probabilities and T for the noise behind it: what fits the noisy labels best is then
the clean posterior. How T is estimated: :mod:`goldvein.methods._anchors`. As in the authors' code, p is clipped at
1e-7 before the product.
"""

from __future__ import annotations

from torch import Tensor

from goldvein.functional.losses import forward_corrected
from goldvein.methods._anchors import LossCorrection


class ForwardCorrection(LossCorrection):
    """Cross-entropy between the given labels and the network's probabilities sent through the noise.

    Examples
    --------
    >>> ForwardCorrection(transition=[[0.8, 0.2], [0.4, 0.6]])
    ForwardCorrection(transition=[[0.8, 0.2], [0.4, 0.6]])
    """

    def corrected(self, logits: Tensor, y: Tensor) -> Tensor:
        return forward_corrected(logits, y, self.T)  # Eq. 1
