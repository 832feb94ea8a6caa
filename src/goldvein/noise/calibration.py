"""Clean class probabilities from the probabilities of a classifier, by a map that is fitted to the given labels.

    p(true = k | x)  =  softmax_k( L(x) A + b ),      L(x) = log probs(x), centered                       (1)

A is a matrix for up to 32 classes, and a multiple of the identity for more. The matrix matters: a classifier that was
trained on labels with noise between pairs of classes gives probabilities that no temperature mends (Guo et al. 2017
compare the two for clean labels). A normal prior around a multiple of the identity keeps the map close to what the
classifier says where there are few labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.noise.transition import LEAST

Floats = NDArray[np.floating[Any]]
Vector = NDArray[np.float64]
MOST_DENSE = 32  # classes up to which A is a matrix
MATRIX_PRECISION, BIAS_PRECISION = 4.0, 4.0  # of the prior: entries of A, and of b
# Of the log of the mean diagonal of A. Noise in the labels makes a classifier less sure than it may be, often by a
# factor of 3. The other way round is rarer: what it is sure of, and the labels contradict, is rather a wrong label.
SLOPE_PRECISION, OVERSURE_PRECISION = 1.0, 16.0
LEAST_SLOPE = 0.05
MOST_LOGIT = 300.0  # so that no exponential overflows
CLOSE = 0.002  # Kullback-Leibler divergence of p T from q up to which negative entries of q T^-1 are cut off
EM_STEPS, START_SHARE = 10, 1e-3  # steps to the nearest p; least probability at the first one
FLOOR_ROWS, FLOOR_LEVEL = 5000, 1e-3  # rows and quantile from which the floor of the probabilities is taken


def row_sums(values: Floats) -> NDArray[np.float64]:
    """Return the sums over columns (m, K) -> (m,): several times as fast as ``values.sum(1)`` for few columns."""
    return np.asarray(values @ np.ones(values.shape[1]))


@dataclass(frozen=True)
class Inputs:
    """How L of eq. 1 is computed.

    Attributes
    ----------
    floor : float
        Smaller probabilities count as this much. A forest of 100 trees does not know anything below 0.01.
    T, inverse : ndarray of shape (K, K), or None
        If given, the probabilities contain noise by T, which is taken out of them: see :func:`without_noise`.
    """

    floor: float
    T: NDArray[np.float64] | None = None
    inverse: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, probs: Floats) -> Inputs:
        """Return the inputs for probabilities (n, K), with their own floor."""
        some = probs[:: max(1, len(probs) // FLOOR_ROWS)]
        positive = some[some > 0]
        return cls(max(LEAST, float(np.quantile(positive, FLOOR_LEVEL)) / 2))

    def logs(self, probs: Floats) -> Floats:
        """Return L (n, K), in the precision of the probabilities."""
        p = probs if self.T is None or self.inverse is None else without_noise(probs, self.T, self.inverse)
        logs = np.log(np.maximum(p, probs.dtype.type(self.floor)))
        logs -= logs.mean(1, keepdims=True)
        return logs


def without_noise(q: Floats, T: NDArray[np.float64], inverse: NDArray[np.float64]) -> Floats:
    """Return the probabilities p (n, K) for which p T is nearest to q.

    Where q T^-1 has no negative entry, that is p. Elsewhere no p has the noise q, and p is what makes labels that are
    drawn by q likeliest: the largest sum_j q_j log (p T)_j, by EM. Cutting off the negative entries alone would spread
    them over the other classes. With three classes, each with 40 % in the next, q = (.45, .53, .02) gives (.92, .08,
    0); cut off, it would be (.74, .26, 0), with 10 % of the labels in the third class, where q has 2.

    Parameters
    ----------
    q : ndarray of shape (n, K)
        Probabilities of given labels; rows sum to 1.
    T, inverse : ndarray of shape (K, K)
        T[i, j] = P(given j | true i), and its inverse.

    Examples
    --------
    >>> T = np.array([[0.6, 0.4], [0.0, 1.0]])
    >>> without_noise(np.array([[0.3, 0.7], [0.7, 0.3]]), T, np.linalg.inv(T)).round(2).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    T = T.astype(q.dtype)
    p = np.maximum(q @ inverse.astype(q.dtype), 0)
    p /= row_sums(p)[:, None].astype(q.dtype)
    away = row_sums(q * np.log(np.maximum(q, LEAST) / np.maximum(p @ T, LEAST)))
    rows = np.flatnonzero(away > CLOSE)
    some, of_q = np.maximum(p[rows], START_SHARE), q[rows]
    some /= some.sum(1, keepdims=True)
    for _ in range(EM_STEPS):
        some *= (of_q / np.maximum(some @ T, LEAST)) @ T.T
    p[rows] = some
    return p


@dataclass(frozen=True)
class Calibration:
    """A and b of eq. 1; ``slope`` (K, K), or a number for a multiple of the identity."""

    inputs: Inputs
    slope: NDArray[np.float64] | float
    bias: Vector

    @property
    def size(self) -> int:
        """Number of parameters."""
        return np.size(self.slope) + len(self.bias)

    def clean_probs(self, probs: Floats) -> NDArray[np.float32]:
        """Return p(true | x) (n, K) of eq. 1."""
        z = self.inputs.logs(np.asarray(probs, dtype=np.float32))
        if isinstance(self.slope, float):
            z *= np.float32(self.slope)
        else:
            z = z @ self.slope.astype(np.float32)
        z += self.bias.astype(np.float32)
        z -= z.max(1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(1, keepdims=True)
        return np.asarray(z)


class Map:
    """Eq. 1 as a function of one vector of parameters, with its gradient; L (m, K) is fixed."""

    def __init__(self, logs: Floats, dense: bool) -> None:
        self.logs = np.asarray(logs, dtype=np.float64)  # in single precision, the result depends on the order of rows
        self.k = logs.shape[1]
        self.dense = dense
        self.size = self.k * (self.k + 1) if self.dense else self.k + 1

    def start(self) -> Vector:
        """Return the parameters of A = identity, b = 0."""
        return np.asarray(np.r_[np.eye(self.k).ravel() if self.dense else 1.0, np.zeros(self.k)])

    def start_from(self, v: Vector) -> Vector:
        """Return the parameters of this map that mean the same as those of a map with a multiple of the identity."""
        if len(v) == self.size or not self.dense:
            return v[: self.size]
        return np.asarray(np.r_[(v[0] * np.eye(self.k)).ravel(), v[1 : self.k + 1]])

    def logits(self, v: Vector) -> NDArray[np.float64]:
        """Return the exponents of eq. 1 (m, K)."""
        slope, bias = v[: -self.k], v[-self.k :]
        z = (self.logs @ slope.reshape(self.k, self.k) if self.dense else slope[0] * self.logs) + bias
        return np.asarray(np.clip(z, -MOST_LOGIT, MOST_LOGIT, out=z))

    def clean_probs(self, z: Floats) -> NDArray[np.float64]:
        """Return p(true | x) (m, K) from its exponents."""
        p = np.exp(z)
        p /= row_sums(p)[:, None]
        return np.asarray(p)

    def gradient(self, by_logit: Floats) -> Vector:
        """Return the derivative with respect to the parameters, given that by each logit (m, K)."""
        slope = (self.logs.T @ by_logit).ravel() if self.dense else [np.vdot(self.logs, by_logit)]
        return np.concatenate([slope, by_logit.sum(0)])  # np.r_ takes longer than all of this for few rows

    def scores(self, by_logit: Floats) -> NDArray[np.float64]:
        """Return the same for each row, (m, parameters)."""
        m = len(self.logs)
        if self.dense:
            slope = (self.logs[:, :, None] * by_logit[:, None, :]).reshape(m, -1)
        else:
            slope = np.einsum("ij,ij->i", self.logs, by_logit)[:, None]
        return np.concatenate([slope, by_logit], 1)

    def prior(self, v: Vector) -> tuple[float, Vector]:
        """Return the log density of the prior, up to a constant, and its gradient."""
        slope, bias = v[: -self.k], v[-self.k :]
        A = slope.reshape(self.k, self.k) if self.dense else slope[:1, None]
        mean = max(float(np.trace(A)) / len(A), LEAST_SLOPE)
        identity = np.eye(len(A))
        off = A - mean * identity  # its diagonal sums to 0, so the mean needs no derivative here
        of_slope = SLOPE_PRECISION if mean > 1 else OVERSURE_PRECISION
        value = MATRIX_PRECISION * np.vdot(off, off) + BIAS_PRECISION * bias @ bias + of_slope * np.log(mean) ** 2
        toward = MATRIX_PRECISION * off + of_slope * np.log(mean) / mean / len(A) * identity
        return -float(value) / 2, -np.concatenate([toward.ravel(), BIAS_PRECISION * bias])

    def precision(self) -> Vector:
        """Return the diagonal of minus the second derivative of the prior, nearly."""
        n = self.size - self.k
        of_slope = MATRIX_PRECISION if self.dense else SLOPE_PRECISION
        return np.asarray(np.r_[np.full(n, of_slope), np.full(self.k, BIAS_PRECISION)])

    def bounds(self) -> list[tuple[float | None, float | None]]:
        """Return the range of each parameter."""
        ranges: list[tuple[float | None, float | None]] = [(None, None)] * self.size
        if not self.dense:
            ranges[0] = (LEAST_SLOPE, None)
        return ranges

    def calibration(self, v: Vector, inputs: Inputs) -> Calibration:
        """Return the calibration with these parameters."""
        slope = v[: -self.k].reshape(self.k, self.k) if self.dense else float(v[0])
        return Calibration(inputs, slope, v[-self.k :].copy())
