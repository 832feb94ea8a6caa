"""Labels by type of noise: free, random, or a confusion of similar classes (Xiao et al. 2015; the authors' code).

The probabilities, and the types of labels whose true class is known.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goldvein.functional.probabilities import one_hot

TYPES = ("free", "random", "confusing")


def label_probs(p: Tensor, z: Tensor, C: Tensor) -> Tensor:
    """P(given | x) of every class, summed over true classes and types: p (B, K), z (B, 3), C (K, K) -> (B, K).

    Examples
    --------
    >>> p, uniform = torch.tensor([[0.8, 0.2, 0.0]]), (1 - torch.eye(3)) / 2
    >>> label_probs(p, torch.tensor([[0.5, 0.5, 0.0]]), uniform)
    tensor([[0.4500, 0.3000, 0.2500]])
    """
    free, random, confusing = z[:, :, None].unbind(1)  # (B, 1) each
    return free * p + random * (1 - p) / max(p.shape[1] - 1, 1) + confusing * (p @ C)


def class_and_type(p: Tensor, z: Tensor, C: Tensor, y: Tensor) -> Tensor:
    """r(y, z) = P(true class, type | x, given label y), the E-step: -> (B, K, 3)."""
    n_classes = p.shape[1]
    same = one_hot(y, n_classes).to(p)
    likelihood = torch.stack([same, (1 - same) / max(n_classes - 1, 1), C.T[y]], dim=2)
    joint = p[:, :, None] * z[:, None, :] * likelihood
    return joint / joint.sum((1, 2), keepdim=True).clamp(min=torch.finfo(p.dtype).tiny)


def confusions(T: NDArray[np.float64]) -> NDArray[np.float64]:
    """C (K, K), C[i, j] = P(given j | true i, confusing noise), from the transition matrix T (K, K).

    The wrong labels of a class are taken for confusions where they are many, for random noise elsewhere; C has a
    diagonal of 0 and rows that sum to 1. A class without wrong labels has an even row.

    Examples
    --------
    A third of class 0 becomes class 1, and a little of it any class:

    >>> T = np.eye(4)
    >>> T[0] = [0.6, 0.34, 0.03, 0.03]
    >>> confusions(T).round(2).tolist()[:2]
    [[0.0, 1.0, 0.0, 0.0], [0.33, 0.0, 0.33, 0.33]]
    """
    chance = 1 / max(len(T) - 1, 1)
    wrong = T * (1 - np.eye(len(T)))
    C = chance * (1 - np.eye(len(T)))
    for i in np.flatnonzero(wrong.sum(1) > 0):
        C[i] = largest_entries(wrong[i] / wrong[i].sum(), chance)
    return C


def largest_entries(f: NDArray[np.float64], chance: float) -> NDArray[np.float64]:
    """The n largest of frequencies (K,), divided by their sum, the others 0; n by likelihood.

    With f in falling order and S_n the sum of the first n, it is the largest n that maximizes
    ``sum_{k <= n} f_k log(f_k / S_n) + (1 - S_n) log chance``: the others are left to chance.

    Examples
    --------
    >>> largest_entries(np.array([0.0, 0.1, 0.5, 0.4]), 1 / 3).tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    order = np.argsort(-f, kind="stable")
    falling = f[order][f[order] > 0]
    sums = falling.cumsum()
    likelihood = (falling * np.log(falling)).cumsum() - sums * np.log(sums) + (1 - sums) * np.log(chance)
    n = len(falling) - int(np.argmax(likelihood[::-1] >= likelihood.max() - 1e-12))
    kept = np.zeros_like(f)
    kept[order[:n]] = falling[:n] / sums[n - 1]
    return kept


def noise_types(y: NDArray[np.int64], y_true: NDArray[np.int64], C: NDArray[np.float64]) -> NDArray[np.int64]:
    """Type of each label as an index into ``TYPES``: (N,), (N,), (K, K) -> (N,).

    A wrong label is confusing where C exceeds 1/(K - 1), else random.

    Examples
    --------
    >>> C = np.array([[0.0, 0.9, 0.1], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
    >>> [TYPES[i] for i in noise_types(np.array([0, 1, 2]), np.array([0, 0, 0]), C)]
    ['free', 'confusing', 'random']
    """
    chance = 1 / max(len(C) - 1, 1)
    return np.where(y == y_true, 0, np.where(C[y_true, y] > chance, 2, 1))
