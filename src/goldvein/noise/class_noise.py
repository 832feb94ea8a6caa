"""Readings of given labels in which noise depends on the true class alone.

    P(given = j | x)  =  sum_k p(true = k | x) T[k, j]                                                    (1)

Row k of T has three values: the wrong names of class k share one rate, one of them (the main one) may have a rate of
its own, and the rest is right. Which rates are free and which are equal makes the kind of noise:

- none: T is the identity;
- symmetric: one rate for all wrong names of all classes;
- by class: one rate for each class;
- look-alike: one rate for each class, and its wrong names are as frequent as the classifier confuses them with it;
- pair: one rate for all, and for each class the rate of its main wrong name.

The rates and the clean probabilities are fitted together, by the likelihood of the given labels. Overlap of classes and
noise then differ in what they do to rows that are far from every boundary: overlap does not reach them, noise does. If
the labels do not decide, the likelihood hardly changes with the rate, and the interval is wide.

Reviewed labels enter with the class that the reviewer gave: p(true = k | x) T[k, j] is the probability of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from goldvein.noise.calibration import Calibration, Inputs, Map, Vector, row_sums

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
START = 0.05  # rate of noise at the start of the fit
LEAST_LOG_ODDS = -16.0  # of wrong names against the right one
STEPS, TOLERANCE, STARTS = 100, 1e-7, 3  # of L-BFGS; most starts, of a matrix
MOST_PARAMETERS = 1200  # of which all covariances are computed; of more, only the variances


@dataclass(frozen=True)
class Problem:
    """Labels (m,), the map from the classifier to clean probabilities, and the true class if it is known (else -1)."""

    y: Ints
    map: Map
    inputs: Inputs
    true: Ints

    @property
    def rows(self) -> Ints:
        return np.arange(len(self.y))

    def part(self, rows: Ints) -> Problem:
        """Return the problem of some rows (m,), int64."""
        return Problem(self.y[rows], Map(self.map.logs[rows], self.map.dense), self.inputs, self.true[rows])


@dataclass(frozen=True)
class Reading:
    """One way to explain the given labels.

    Attributes
    ----------
    kind : str
        none, symmetric, by class, look-alike, pair, or boundary.
    calibration : Calibration
        Clean probabilities under this reading.
    T : ndarray of shape (K, K), or None
        T of eq. 1. None if noise depends on x: then a label says nothing beyond the clean probabilities.
    log_likelihood : float
        Of the labels that were fitted, with the prior.
    evidence : float
        Log of the probability of these labels, the rates of noise averaged out (Laplace's approximation).
    parameters : ndarray of shape (P,)
        Of the map, then of the noise.
    covariance : ndarray of shape (P, P) or (P,)
        Of the parameters, for one fit to these labels; of more than 1,200 parameters, the variances alone.
    ties : Ties, optional
        Which rates are equal.
    """

    kind: str
    calibration: Calibration
    T: NDArray[np.float64] | None
    log_likelihood: float
    evidence: float
    parameters: Vector
    covariance: NDArray[np.float64]
    ties: Ties | None = None

    @property
    def dense(self) -> bool:
        """Whether A of the map is a matrix."""
        return not isinstance(self.calibration.slope, float)

    def start(self, problem: Problem) -> Vector:
        """Return its map (problem.map.size,), to begin another fit with."""
        noise = 2 if self.ties is None else self.ties.size
        return problem.map.start_from(self.parameters[: len(self.parameters) - noise])


@dataclass(frozen=True)
class Ties:
    """Which rates of T are equal.

    Attributes
    ----------
    n_classes : int
        K.
    off : ndarray of shape (K,), int64, optional
        For each class, the number of the parameter for all its wrong names but the main one: the log-odds of these
        names against the right one. Without it, T is the identity.
    shape : ndarray of shape (K, K), optional
        How these wrong names share that rate; its rows sum to 1, its diagonal is 0. By default, equally.
    main, target : ndarray of shape (K,), int64, optional
        Number of the parameter of the main wrong name of each class, and that name.
    """

    n_classes: int
    off: Ints | None = None
    shape: NDArray[np.float64] | None = None
    main: Ints | None = None
    target: Ints | None = None

    @property
    def size(self) -> int:
        """Number of parameters."""
        return 0 if self.off is None else 1 + int(max(self.off.max(), -1 if self.main is None else self.main.max()))

    @property
    def n_off(self) -> int:
        """Number of wrong names that share a rate equally."""
        return max(self.n_classes - 1 - (self.main is not None), 1)

    def rates(self, theta: Vector) -> tuple[Vector, Vector, Vector]:
        """Return for each class the rate of the shared wrong names together, of the main one, and of the right one."""
        if self.off is None:
            return np.zeros(self.n_classes), np.zeros(self.n_classes), np.ones(self.n_classes)
        off = np.exp(theta[self.off])
        main = np.zeros(self.n_classes) if self.main is None else np.exp(theta[self.main])
        total = 1 + off + main
        return off / total, main / total, 1 / total

    def transition(self, theta: Vector) -> NDArray[np.float64]:
        """Return T (K, K)."""
        off, main, right = self.rates(theta)
        T = off[:, None] * (np.full((1, self.n_classes), 1 / self.n_off) if self.shape is None else self.shape)
        if self.target is not None:
            T[np.arange(self.n_classes), self.target] = main
        np.fill_diagonal(T, right)
        return T

    def bounds(self) -> list[tuple[float, float]]:
        """Return the range of each parameter: no wrong name is likelier than the right one."""
        most = np.zeros(self.size)
        if self.off is not None:
            most[self.off] = np.log(self.n_off) if self.shape is None else -np.log(self.shape.max(1))
        return [(LEAST_LOG_ODDS, float(high)) for high in most]

    def sum(self, off: Floats, main: Floats) -> NDArray[np.float64]:
        """Return (..., parameters), the sums over the classes (..., K) whose rates are equal."""
        out = np.zeros((*off.shape[:-1], self.size))
        if self.off is not None:
            one_for_all = self.n_classes > 1 and self.off[0] == self.off[1]
            out[..., self.off] = off.sum(-1, keepdims=True) if one_for_all else off
        if self.main is not None:
            out[..., self.main] = main
        return out

    def prior(self, theta: Vector) -> tuple[float, Vector, Vector]:
        """Return log density, gradient and precision of the prior: each rate is as likely between 0 and 1."""
        value = (log_expit(theta) + log_expit(-theta)).sum()
        return float(value), expit(-theta) - expit(theta), 2 * expit(theta) * expit(-theta)


def ties_of(kind: str, n_classes: int, detail: NDArray[Any] | None = None) -> Ties:
    """Return the ties of a kind of noise; ``detail`` is the target of pairs, or the shape of look-alikes.

    Examples
    --------
    >>> ties_of("symmetric", 3).transition(np.log([0.25])).tolist()
    [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
    """
    one, each = np.zeros(n_classes, dtype=np.int64), np.arange(n_classes)
    return {
        "none": Ties(n_classes),
        "symmetric": Ties(n_classes, one),
        "by class": Ties(n_classes, each),
        "look-alike": Ties(n_classes, each, shape=detail),
        "pair": Ties(n_classes, one, main=each + 1, target=detail),
    }[kind]


class Objective(Protocol):
    """Minus a log likelihood with priors, and its gradient; the scores are of each label, without priors."""

    problem: Problem

    def __call__(self, v: Vector) -> tuple[float, Vector]: ...

    def scores(self, v: Vector) -> NDArray[np.float64]: ...


class Likelihood:
    """Minus the log of eq. 1, summed over the rows, with priors: a function of the parameters."""

    def __init__(self, problem: Problem, ties: Ties) -> None:
        self.problem, self.ties = problem, ties
        self.mains = (np.zeros(0, np.int64), np.zeros(0, np.int64))  # rows and classes whose main wrong name is given
        if ties.target is not None:
            order = np.argsort(ties.target, kind="stable")
            low, high = (np.searchsorted(ties.target[order], problem.y, side=side) for side in ("left", "right"))
            rows = np.repeat(problem.rows, high - low)
            within = np.arange(len(rows)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
            self.mains = rows, order[np.repeat(low, high - low) + within]
        # share of each given label among the wrong names of each class (m, K)
        self.share = 1 / ties.n_off if ties.shape is None else ties.shape.T[problem.y]
        self.known = np.flatnonzero(problem.true >= 0)

    def posterior(self, v: Vector) -> tuple[Floats, Floats, Floats]:
        """Return clean probabilities (m, K), P(true | x, given) (m, K), and the likelihood of each label (m,)."""
        p = self.problem.map.clean_probs(self.problem.map.logits(v[: self.problem.map.size]))
        off, main, right = self.ties.rates(v[self.problem.map.size :])
        q, (rows, classes) = p * off * self.share, self.mains
        q[rows, classes] = p[rows, classes] * main[classes]
        at = self.problem.rows, self.problem.y
        q[at] = p[at] * right[self.problem.y]
        if len(self.known):
            true = self.problem.true[self.known]
            both = q[self.known, true]
            q[self.known] = 0
            q[self.known, true] = both
        joint = np.maximum(row_sums(q), 1e-300)
        q /= joint[:, None]
        return p, q, joint

    def parts(self, q: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the share of each row (m, K) that the shared wrong names, the main ones, and all names have."""
        main, off = np.zeros_like(q), q.copy()
        main[self.mains] = q[self.mains]
        off[self.mains] = 0
        off[self.problem.rows, self.problem.y] = 0
        return off, main, q

    def __call__(self, v: Vector) -> tuple[float, Vector]:
        problem, theta = self.problem, v[self.problem.map.size :]
        p, q, joint = self.posterior(v)
        prior, toward = problem.map.prior(v[: problem.map.size])
        prior_noise, toward_noise, _ = self.ties.prior(theta)
        off_rate, main_rate, _ = self.ties.rates(theta)
        total = q.sum(0)
        right = np.bincount(problem.y, q[problem.rows, problem.y], minlength=len(total))
        main = np.bincount(self.mains[1], q[self.mains], minlength=len(total))
        off = total - right - main
        noise = self.ties.sum(off - off_rate * total, main - main_rate * total)
        value = float(np.log(joint).sum()) + prior + prior_noise
        q -= p
        return -value, -np.concatenate([problem.map.gradient(q) + toward, noise + toward_noise])

    def scores(self, v: Vector) -> NDArray[np.float64]:
        """Return the derivative of the log likelihood of each label, (m, parameters)."""
        p, q, _ = self.posterior(v)
        off_rate, main_rate, _ = self.ties.rates(v[self.problem.map.size :])
        off, main, total = self.parts(q)
        noise = self.ties.sum(off - off_rate * total, main - main_rate * total)
        return np.concatenate([self.problem.map.scores(q - p), noise], 1)


def fit_class_noise(
    problem: Problem, kind: str, detail: NDArray[Any] | None = None, start: Reading | None = None
) -> Reading:
    """Fit one kind of noise.

    Parameters
    ----------
    problem : Problem
    kind : str
        none, symmetric, by class, look-alike, or pair.
    detail : ndarray, optional
        For pair, the main wrong name of each class (K,). For look-alike, how the wrong names of each class share its
        rate (K, K).
    start : Reading, optional
        Of the same or other labels. Its map begins the fit; of the same kind, its noise does too.
    """
    ties = ties_of(kind, problem.map.k, detail)
    likelihood = Likelihood(problem, ties)
    theta = np.full(ties.size, np.log(START))
    if ties.main is not None:
        theta[ties.main] = np.log(4 * START)
    if start is not None and start.kind == kind and ties.size:
        theta = start.parameters[-ties.size :]
    guess = np.r_[problem.map.start() if start is None else start.start(problem), theta]
    ranges = problem.map.bounds() + ties.bounds()
    v, value = climb(likelihood, guess, ranges)
    _, _, precision = ties.prior(v[problem.map.size :])
    evidence, covariance = laplace(value, likelihood.scores(v), problem.map.precision(), precision)
    calibration = problem.map.calibration(v[: problem.map.size], problem.inputs)
    T = ties.transition(v[problem.map.size :])
    return Reading(kind, calibration, T, value, evidence, v, covariance, ties)


def climb(
    likelihood: Objective, guess: Vector, ranges: Sequence[tuple[float | None, float | None]]
) -> tuple[Vector, float]:
    """Return the parameters (P,) that make the likelihood largest, and its log with the priors, by L-BFGS.

    The logarithms of probabilities rise and fall together, so the likelihood of a matrix is a narrow ridge. Therefore
    the steps are made in w = C^T v, where C C^T is the information about the map at the start (with the ridge: 140 to
    280 steps for 10 classes; without it: 30 to 60).
    """
    map_ = likelihood.problem.map
    options = {"maxiter": STEPS, "ftol": TOLERANCE}
    if not map_.dense:
        found = minimize(likelihood, guess, jac=True, method="L-BFGS-B", bounds=ranges, options=options)
        return found.x, -float(found.fun)
    for _ in range(STARTS):
        scores = likelihood.scores(guess)[:, : map_.size]
        C = cholesky(scores.T @ scores + np.diag(map_.precision()), lower=True)
        found = minimize(
            lambda w, C=C: _scaled(likelihood, w, C),
            np.r_[C.T @ guess[: map_.size], guess[map_.size :]],
            jac=True,
            method="L-BFGS-B",
            bounds=ranges,
            options=options,
        )
        guess = _unscaled(found.x, C)
        if found.nit < STEPS:
            break
    return guess, -float(found.fun)


def _unscaled(w: Vector, C: NDArray[np.float64]) -> Vector:
    return np.concatenate([solve_triangular(C, w[: len(C)], lower=True, trans="T"), w[len(C) :]])


def _scaled(likelihood: Objective, w: Vector, C: NDArray[np.float64]) -> tuple[float, Vector]:
    value, gradient = likelihood(_unscaled(w, C))
    return float(value), np.concatenate([solve_triangular(C, gradient[: len(C)], lower=True), gradient[len(C) :]])


def laplace(
    value: float, scores: NDArray[np.float64], precision_map: Vector, precision_noise: Vector
) -> tuple[float, NDArray[np.float64]]:
    """Return the evidence with the noise averaged out, and the covariance of all parameters (P, P), or (P,).

    The information is that of the scores (m, P) of the labels, and the precision of the priors. The parameters of the
    map are there in every reading, so their part of the determinant is left out.
    """
    precision = np.r_[precision_map, precision_noise]
    n = len(precision_noise)
    if len(precision) > MOST_PARAMETERS:
        variances = 1 / (np.square(scores).sum(0) + precision)
        log_det = float(np.log(variances[len(variances) - n :]).sum())
        return value + (n * np.log(2 * np.pi) + log_det) / 2, variances
    covariance = np.linalg.inv(scores.T @ scores + np.diag(precision))
    if not n:
        return value, covariance
    _, log_det = np.linalg.slogdet(covariance[-n:, -n:])  # of the noise, whatever the map is
    return value + (n * np.log(2 * np.pi) + log_det) / 2, covariance
