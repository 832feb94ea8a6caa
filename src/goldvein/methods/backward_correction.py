"""Backward loss correction (Patrini, Rozza, Menon, Nock & Qu 2017, CVPR, theorem 1, arXiv:1609.03683).

    L = -sum_c T^-1[y, c] log p_c                 p = softmax, T[i, j] = P(given label j | true label i)     (1)

Its mean over the noise is the loss of the true label, ``sum_j T[i, j] L(j) = -log p_i``; a single row may have a loss
below 0. How T is estimated: :mod:`goldvein.methods._anchors`. As in the authors' code, p is clipped at 1e-7 before the
logarithm: without it (1) has no lower bound.

Differs from the code, which inverts whatever T it finds: a T without a useful inverse is refused.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goldvein.functional.losses import backward_corrected
from goldvein.methods._anchors import LossCorrection
from goldvein.noise.transition import check_transition
from goldvein.training import Task


class BackwardCorrection(LossCorrection):
    """Cross-entropies of all labels, weighted by the inverse of the noise.

    Attributes
    ----------
    T_inverse : Tensor of shape (K, K), float32
        The inverse of the transition matrix in force.

    Examples
    --------
    >>> BackwardCorrection(transition=[[0.8, 0.2], [0.4, 0.6]])
    BackwardCorrection(transition=[[0.8, 0.2], [0.4, 0.6]])
    """

    T_inverse: Tensor

    def setup(self, task: Task) -> None:
        self.register_buffer("T_inverse", torch.eye(task.n_classes))
        super().setup(task)

    def correct_by(self, T: NDArray[np.float64]) -> None:
        T = check_transition(T, invertible=True)
        super().correct_by(T)
        self.T_inverse = torch.as_tensor(np.linalg.inv(T)).to(self.T)

    def corrected(self, logits: Tensor, y: Tensor) -> Tensor:
        return backward_corrected(logits, y, self.T_inverse)  # Eq. 1
