"""Rows like no other: far, in the features of a network, from all that it was trained on.

A picture that belongs to none of the classes still gets some probabilities; that it lies far from the rest shows in
the inputs of the last layer (Sun, Ming, Zhu & Li 2022, ICML: the distance to the k-th nearest neighbor, features of
unit length). Whose distances are asked for is ours. On MNIST and Fashion-MNIST, 20,000 rows, 20 % of their
labels wrong, ten epochs, with 20 pictures of noise, 20 blank ones and 20 of the other data set among them, 17 and 26
of the 60 are told (1 and 2 otherwise), beside 1 and 15 rows more with right labels. On CIFAR-10, after a few epochs,
the features do not tell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from goldvein import sampling
from goldvein.engine import Run, evaluating
from goldvein.selectors.neighbors import deviations

AMONG = 1000  # rows, evenly spread, that distances are measured to
NEAREST = 5  # k
SURE = 4  # times as likely as any other class: a given label beyond doubt, and its row is not asked for


def remoteness(run: Run, y: Tensor, probs: Tensor) -> NDArray[np.float32] | None:
    """By how many deviations (n,) rows of a run that is over are farther from their nearest ones than rows are.

    0 where the label is beyond doubt, so that nobody asks. None where the network has no ``features``, or there are
    too few rows to say what is far.

    Parameters
    ----------
    run : Run
    y : Tensor of shape (n,), int64
        Labels of its first n rows; -1 is a missing one, and not asked for.
    probs : Tensor of shape (n, K)
    """
    features: Any = getattr(run.module.net, "features", None)
    if not callable(features) or len(y) < 20 * NEAREST:
        return None
    some = sampling.spread(len(y), AMONG)
    label = y.clamp(min=0)[:, None]
    given, other = probs.gather(1, label)[:, 0], probs.scatter(1, label, 0.0).amax(1)
    asked = ((y >= 0) & (given < SURE * other)).nonzero()[:, 0]
    with evaluating(run.module):
        base = run.compute(lambda x: unit(features(x)), some.to(run.device))
        rows = torch.cat([some, asked]).to(run.device)
        distance = run.compute(lambda x: kth_distance(unit(features(x)), base), rows).cpu().numpy()
    far = np.zeros(len(y), dtype=np.float32)
    far[asked.numpy()] = deviations(distance[len(some) :], distance[: len(some)])
    return far


def unit(features: Tensor) -> Tensor:
    """Rows (n, D) of length 1; maps (n, D, H, W) are averaged first.

    Examples
    --------
    >>> unit(torch.ones(1, 4, 2, 2))
    tensor([[0.5000, 0.5000, 0.5000, 0.5000]])
    """
    vectors = features.flatten(2).mean(2) if features.dim() > 2 else features
    return F.normalize(vectors.float(), dim=1)


def kth_distance(x: Tensor, base: Tensor) -> Tensor:
    """Distance (n,) of rows x (n, D) to their k-th nearest among base (m, D), all of length 1.

    Examples
    --------
    >>> base = torch.eye(2).repeat(5, 1)
    >>> kth_distance(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), base)
    tensor([0.0000, 1.4142])
    """
    alike = (x @ base.T).topk(NEAREST).values[:, -1]
    return (2 - 2 * alike).clamp(min=0).sqrt()
