"""The reading in which labels are wrong near the boundaries between classes.

Let a and b be the two likeliest classes of a row, and m >= 0 the difference of their logits. With probability

    h(m)  =  share exp(-m / width)                                                                        (1)

a row of one of the two gets the name of the other, so that among a and b

    P(given = a | x, a or b)  =  s(m) - h(m) tanh(m / 2),        s(m) = 1 / (1 + exp(-m)).                (2)

Without noise, (2) is s(m). Both fall as the boundary comes near, but they have different shapes: noise of this kind
has a steep boundary and a wide zone in which the labels are mixed; overlap has neither. This is all that tells them
apart, and it needs logits that are right. So the number of wrong labels cannot be told, whatever the evidence is: see
:mod:`goldvein.issues.honesty`.

Near a boundary a label says nothing beyond x, so P(true | x, given) = p(true | x) in this reading.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from goldvein.noise.calibration import Vector
from goldvein.noise.class_noise import Problem, Reading, climb, laplace

Floats = NDArray[np.floating[Any]]
LEAST_WIDTH = 0.3  # of the zone in which labels are mixed, in logits; a narrower one is not seen
STEEPER = ((1.0, -1.0, 0.5), (1.5, 1.0, 0.0))  # starts: factor of the map, logit of share, log of width - LEAST_WIDTH


class BoundaryLikelihood:
    """Minus the log likelihood of the labels with priors, a function of the map, and of share and width of eq. 1."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def terms(self, v: Vector) -> tuple[Floats, Floats, Floats]:
        """Return the log likelihood of each label (m,), and its derivatives by logits (m, K) and by noise (m, 2)."""
        y, rows = self.problem.y, self.problem.rows
        share, width = expit(v[-2]), LEAST_WIDTH + np.exp(v[-1])
        z = self.problem.map.logits(v[:-2])
        p = self.problem.map.clean_probs(z)
        first = z.argmax(1)
        rest = z.copy()
        rest[rows, first] = -np.inf
        second = rest.argmax(1)
        m = z[rows, first] - z[rows, second]
        h, tilt = share * np.exp(-m / width), np.tanh(m / 2)
        of_first = np.clip(expit(m) - h * tilt, 1e-12, 1 - 1e-12)  # eq. 2
        is_first, is_second = y == first, y == second
        of_two = is_first | is_second
        both = p[rows, first] + p[rows, second]
        value = np.log(np.maximum(np.where(of_two, both, p[rows, y]), 1e-300))
        value += np.where(is_first, np.log(of_first), 0) + np.where(is_second, np.log1p(-of_first), 0)
        by_logit = -p
        two = np.flatnonzero(of_two)
        by_logit[two, first[two]] += (p[rows, first] / both)[two]
        by_logit[two, second[two]] += (p[rows, second] / both)[two]
        other = np.flatnonzero(~of_two)
        by_logit[other, y[other]] += 1
        outer = np.where(is_first, 1 / of_first, 0) - np.where(is_second, 1 / (1 - of_first), 0)
        slope = expit(m) * expit(-m)
        by_m = outer * (slope + h / width * tilt - 2 * h * slope)
        by_logit[rows, first] += by_m
        by_logit[rows, second] -= by_m
        by_share = -outer * h * tilt * (1 - share)
        by_width = -outer * h * m / width**2 * tilt * (width - LEAST_WIDTH)
        return value, by_logit, np.stack([by_share, by_width], 1)

    def __call__(self, v: Vector) -> tuple[float, Vector]:
        value, by_logit, by_noise = self.terms(v)
        prior, toward = self.problem.map.prior(v[:-2])
        # the share is as likely between 0 and 1; the log of the width has a standard normal distribution
        noise = log_expit(v[-2]) + log_expit(-v[-2]) - v[-1] ** 2 / 2 - np.log(2 * np.pi) / 2
        toward_noise = np.array([expit(-v[-2]) - expit(v[-2]), -v[-1]])
        gradient = np.concatenate([self.problem.map.gradient(by_logit) + toward, by_noise.sum(0) + toward_noise])
        return -float(value.sum() + prior + noise), -gradient

    def scores(self, v: Vector) -> NDArray[np.float64]:
        """Return the derivative of the log likelihood of each label, (m, parameters)."""
        _, by_logit, by_noise = self.terms(v)
        return np.concatenate([self.problem.map.scores(by_logit), by_noise], 1)


def fit_boundary(problem: Problem, start: Reading) -> Reading:
    """Fit this reading; the map of ``start`` begins the fit."""
    likelihood = BoundaryLikelihood(problem)
    ranges = [*problem.map.bounds(), (-8.0, 8.0), (-5.0, 5.0)]
    guesses = [np.r_[start.start(problem) * factor, noise] for factor, *noise in STEEPER]
    v, value = max((climb(likelihood, guess, ranges) for guess in guesses), key=lambda found: found[1])
    precision = np.array([2 * expit(v[-2]) * expit(-v[-2]), 1.0])
    evidence, covariance = laplace(value, likelihood.scores(v), problem.map.precision(), precision)
    calibration = problem.map.calibration(v[:-2], problem.inputs)
    return Reading("boundary", calibration, None, value, evidence, v, covariance)
