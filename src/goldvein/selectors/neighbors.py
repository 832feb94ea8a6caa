"""Vote of the nearest rows in feature space (Bahri, Jiang & Gupta 2020, ICML, arXiv:2004.12289; Zhu, Dong & Liu 2022,
ICML, arXiv:2110.06283).

Similar rows mostly have the same class. So the labels of the k nearest other rows, by cosine, are class probabilities
without a classifier. The same distances show two more kinds of suspicious rows: a row that is far from all others, and
two rows that are nearly the same but have different labels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from goldvein.config.ranges import Count, PartialShare
from goldvein.noise.model import fit_noise_model
from goldvein.selectors import Floats, Selection

MOST = 20_000  # rows that can be neighbors, which limits the time; all rows are judged
BLOCK_CELLS = 2**22  # similarities that are computed at a time, which limits the memory
SAME = 1e-3  # below this cosine distance, two rows are nearly the same,
LUCKY = 0.01  # unless the rows are so dense that at least this number of them is expected to be as near by chance
FEW = 10  # with fewer features, the length of a vector counts, too; chance assumes at most this many dimensions
EQUAL = 1e-6  # distances that differ by less are equal
ORDERED = 4  # features by which rows are ordered before some are drawn
UNIQUE = 0.95  # if fewer rows than this share differ, rows are equal by chance


class Neighbors(BaseEstimator):
    """Keep labels that are probably right according to the labels of their neighbors.

    Parameters
    ----------
    k : int, default=20
        Number of neighbors that vote.
    threshold : float in (0, 1), default=0.5
        Least probability that a kept label is right.
    """

    needs = ("features",)

    def __init__(self, k: Count = 20, threshold: PartialShare = 0.5) -> None:
        self.k = k
        self.threshold = threshold

    def select(self, y: NDArray[np.int64], *, features: Floats) -> Selection:
        """Return probabilities of being right (N,), NaN for a missing label, and the mask (N,) of kept labels.

        Parameters
        ----------
        y : ndarray of shape (N,), int64
            Given labels; -1 is a missing one, which is never kept and has no vote.
        features : ndarray of shape (N, D)
            Features of each row, such as the inputs of a network's last layer.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat([0, 1], 50)
        >>> features = np.eye(2)[y] + rng.normal(0, 0.1, (100, 2))
        >>> y[0] = 1
        >>> np.flatnonzero(~Neighbors().select(y, features=features)[1]).tolist()
        [0]
        """
        quality = np.full(len(y), np.nan)
        given = np.flatnonzero(y >= 0)
        votes, _, _ = vote(y[given], features[given], self.k)
        # votes are labels, so they contain the noise
        quality[given] = fit_noise_model(y[given], votes, mixed=True).p_right(y[given], votes)
        return quality, np.nan_to_num(quality, nan=-1.0) >= self.threshold


def vote(
    y: NDArray[np.int64], features: Floats, k: int = 20, n_classes: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Return the votes, distances and duplicates of the nearest other rows.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels, none missing.
    features : ndarray of shape (n, D)
    k : int
    n_classes : int, optional
        K; by default the largest label plus 1.

    Returns
    -------
    votes : ndarray of shape (n, K)
        Shares of the labels among the k nearest other rows, with half a vote more for each class. Rows that are
        equally far as the last of them share its vote, so the order of the rows changes nothing.
    distance : ndarray of shape (n,)
        Mean cosine distance to them.
    duplicate : ndarray of shape (n,), int64
        Another row that is nearly the same but has another label; -1 for none. With few features, or few values of
        them, rows are near each other by chance and do not count.

    Examples
    --------
    >>> features = np.eye(4)[[0, 0, 1, 2, 3]]
    >>> features[1, 1] = 0.001
    >>> vote(np.array([0, 1, 1, 1, 0]), features, k=2)[2].tolist()
    [1, 0, -1, -1, -1]
    """
    n, n_classes = len(y), n_classes or int(y.max()) + 1
    k = min(k, n - 1)
    dimensions = min(features.shape[1], FEW)
    votes = np.full((n, n_classes), 0.5, dtype=np.float32)
    distance, duplicate = np.zeros(n, dtype=np.float32), np.full(n, -1)
    for rows, nearest, away, ties in _nearest(features, k):
        labels = y[nearest]
        for column in labels.T:
            votes[rows, column] += 1
        for i, tied in ties:  # as many rows at the largest distance as have a vote, out of more
            last = away[i] >= away[i, -1] - EQUAL
            np.subtract.at(votes[rows[i]], labels[i, last], 1)
            np.add.at(votes[rows[i]], y[tied], last.sum() / len(tied))
        distance[rows] = away.mean(1)
        # the number of rows within a distance grows with its power, and cosine distances are squared distances
        by_chance = k * (away / np.maximum(away[:, -1:], EQUAL)) ** (dimensions / 2)
        same = (away < SAME) & (by_chance < LUCKY) & (labels != y[rows][:, None])
        found = same.any(1)
        duplicate[rows[found]] = nearest[found, same[found].argmax(1)]
    if (duplicate >= 0).any() and len({hash(row.tobytes()) for row in features}) < UNIQUE * n:
        duplicate[:] = -1
    return votes / votes.sum(1, keepdims=True), distance, duplicate


def deviations(distance: Floats, usual: Floats) -> Floats:
    """Return distances (n,) relative to ``usual`` ones (m,): from their median, in deviations of their upper half.

    Examples
    --------
    >>> deviations(np.array([0.5, 1.5]), np.linspace(0, 1, 101)).round(1).tolist()
    [0.0, 2.9]
    """
    middle, upper = np.quantile(usual, [0.5, 0.8413])  # one standard deviation apart in a normal distribution
    return (distance - middle) / (upper - middle) if upper - middle > EQUAL else np.zeros_like(distance)


def _nearest(
    features: Floats, k: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], Floats, list[tuple[int, NDArray[np.int64]]]]]:
    """Yield blocks of rows (b,), their k nearest other rows (b, k), nearest first, and the distances (b, k).

    Also yield the number in the block of each row that has more rows at the largest distance, and all of these.
    """
    f = np.array(features, dtype=np.float32)
    if f.shape[1] < FEW:
        # one more constant feature keeps the length of a vector in its direction
        f -= f.mean(0)
        f = np.pad(f / max(float(np.sqrt(np.square(f).sum(1).mean())), 1e-12), ((0, 0), (0, 1)), constant_values=1)
    f /= np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-12)
    rng = np.random.default_rng(0)
    among = np.arange(len(f))
    if len(f) > MOST:  # in an order that does not depend on that of the rows
        among = np.sort(np.lexsort(f.T[:ORDERED])[rng.choice(len(f), MOST, replace=False)])
    place = np.full(len(f), -1)
    place[among] = np.arange(len(among))
    base = f[among].T.copy()  # contiguous, for fast products
    for rows in np.array_split(np.arange(len(f)), max(1, len(f) * len(among) // BLOCK_CELLS)):
        alike = f[rows] @ base
        own = place[rows] >= 0
        alike[np.flatnonzero(own), place[rows][own]] = -np.inf  # a row is not its own neighbor
        near = np.argpartition(-alike, k - 1, axis=1)[:, :k] if k < len(among) else np.argsort(-alike, axis=1)[:, :k]
        away = np.maximum(1 - np.take_along_axis(alike, near, 1), 0)
        order = np.argsort(away, axis=1, kind="stable")
        near, away = np.take_along_axis(near, order, 1), np.take_along_axis(away, order, 1)
        at_last = alike >= 1 - away[:, -1:] - EQUAL
        ties = [
            (int(i), among[at_last[i] & (alike[i] <= 1 - away[i, -1] + EQUAL)])
            for i in np.flatnonzero(at_last.sum(1) > k)
        ]
        yield rows, among[near], away, ties
