"""The ways from the classifier to clean probabilities, and their readings of the given labels.

A way has inputs and a map. The inputs are the probabilities, or probs T^-1 (nearly: see
:func:`goldvein.noise.calibration.without_noise`): a network that was trained on noisy labels has their noise in its
probabilities (Patrini et al. 2017). T is that of the reading itself, so each kind of noise has
inputs of its own. The map has a number for its slope, or a matrix. Ways are compared by held-out labels:

    w(way)  =  exp( (value(way) - largest value) / 2 ) / sum over ways                                     (1)

The prices and limits below were chosen on made data of the kinds in ``perf/judging.py`` with seeds 0 to 19, and on
runs with seeds 0, 1, 10 and 11 of MNIST, 0 and 1 of Fashion-MNIST, and 0 of CIFAR-10N; their true labels were in view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from goldvein.noise.calibration import MOST_DENSE, Inputs, Map
from goldvein.noise.choice import (
    PRIOR,
    TRUST,
    Floats,
    Ints,
    fit_all,
    fit_kind,
    log_likelihood,
    refit,
    suspect_islands,
    weights_of,
)
from goldvein.noise.class_noise import Problem, Reading
from goldvein.noise.transition import SINGULAR

Matrix = NDArray[np.float64]  # (k, k)
WITH_T = ("symmetric", "by class", "look-alike", "pair")
LEAST_WEIGHT = 0.01  # readings with less are left out
LEAST_WAY = 0.05  # ways with a smaller weight, compared with the best, are left out
# What a reading of probs T^-1 pays for this T, in log evidence: about what the one rate of symmetric noise costs there
# where a thousand labels tell it. (The price of all rates of T would rest on those that are nearly 0, whose prior has
# no end.)
PRICE_OF_T = 3.0
COUNTED = 20  # labels a class, on average, from which T begins as the confident joint has it
PASSES = 2  # of T, from one reading to the inputs of the next
START_GAP, GAP = 200.0, 50.0  # largest, in log evidence, of readings of probs T^-1: at the start, and to be compared
# Less than this share of a wrong name's rate is an error of T, so it counts as this much in probs T^-1.
FLOOR_SHARE = 0.03
# Held-out labels must be likelier with a matrix than with a number, by this much, in log likelihood: a constant, and a
# share of its parameters that grows with parameters / labels. A matrix with little gain fits some wrong labels.
MATRIX_PRICE, MATRIX_SHARE, MATRIX_RATIO = 5.0, 0.15, 5.0
# Probabilities are still mixed with noise if probs T^-1 make labels likelier by MIXED in all, and a matrix absorbs this
# noise if noise gains less than ABSORBED for each label over the matrix alone: networks trained on noisy labels have
# .002 to .04, five folds of logistic regression .09 to .4. Both in log likelihood.
MIXED, ABSORBED = 10.0, 0.05


@dataclass(frozen=True)
class Labels:
    """Given labels y (m,), the probabilities of their rows (m, k), and the true class where it is known (else -1).

    ``price`` is what a reading of probs T^-1 pays: nothing if the probabilities are known to contain the noise.
    """

    y: Ints
    probs: Floats
    true: Ints
    price: float = PRICE_OF_T

    @classmethod
    def of(cls, y: Ints, probs: Floats, true: Ints, price: float = PRICE_OF_T) -> Labels:
        """Return them in an order that depends on what is in them alone: the folds take every second label."""
        order = np.lexsort((*probs.T[:3], y))
        return cls(y[order], probs[order], true[order], price)

    def problem(self, inputs: Inputs, dense: bool) -> Problem:
        """Return these labels with the inputs of a map."""
        return Problem(self.y, Map(inputs.logs(self.probs), dense), inputs, self.true)

    def without(self, T: Matrix) -> Inputs | None:
        """Return the inputs without the noise of T (k, k), if T can be inverted."""
        try:
            inverse = np.linalg.inv(T)
        except np.linalg.LinAlgError:
            return None
        # the condition number in the 1-norm, since that of the 2-norm takes three times as long as the inverse
        if np.linalg.norm(T, 1) * np.linalg.norm(inverse, 1) >= SINGULAR:
            return None
        wrong = float((1 - np.diag(T)).sum() / (T.size - len(T)))  # mean rate of a wrong name
        return Inputs(max(Inputs.of(self.probs).floor, FLOOR_SHARE * wrong), T, np.asarray(inverse, dtype=np.float64))


@dataclass(frozen=True)
class Way:
    """A way from the classifier to clean probabilities, with its readings and their weights (eq. 1).

    ``value`` is the log likelihood that held-out labels have, less the price of the way.
    """

    readings: list[Reading]
    weights: NDArray[np.float64]
    value: float

    @classmethod
    def of(cls, labels: Labels, readings: list[Reading]) -> Way:
        """Return the way of some readings, with the value of the heaviest."""
        weights = weights_of(readings)
        best = readings[int(weights.argmax())]
        value = _held_out(best, labels) - (best.calibration.inputs.T is not None) * labels.price
        return cls(readings, weights, value - best.dense * _matrix_price(best.calibration.size, len(labels.y)))


def weigh_readings(labels: Labels, joint: Ints, mixed: bool) -> list[tuple[Reading, float]]:
    """Return readings of given labels, with weights that sum to 1, the ways of the heaviest first.

    Parameters
    ----------
    labels : Labels
    joint : ndarray of shape (k, k), int64
        The confident joint, which guesses the classes that are confused.
    mixed : bool
        Whether the probabilities may contain the noise of the labels.
    """
    pairs: Ints | None = joint if len(joint) > 2 else None
    readings = fit_all(labels.problem(Inputs.of(labels.probs), False), pairs)
    if pairs is not None and (labels.true < 0).all() and suspect_islands(readings, len(labels.y)):
        pairs = None
        readings = [reading for reading in readings if reading.kind not in ("pair", "look-alike")]
    raw = Way.of(labels, readings)
    ways = [raw]
    if mixed and (found := _without_noise(labels, joint, pairs, readings)):
        ways.append(Way.of(labels, found))
    if len(joint) <= MOST_DENSE:
        most = max(way.value for way in ways)
        matrices = [_with_matrix(labels, pairs, way, mixed) for way in ways]
        if raw.value < most - MIXED and _absorbs(matrices[0], len(labels.y)):
            matrices = matrices[1:]
        ways += matrices
    weights = np.exp(TRUST * (np.array([way.value for way in ways]) - max(way.value for way in ways)))
    weights *= weights >= LEAST_WAY
    weights /= weights.sum()
    return [
        (reading, float(weights[i] * share))
        for i in np.argsort(-weights)
        for reading, share in zip(ways[i].readings, ways[i].weights, strict=True)
        if weights[i] > 0
    ]


def _without_noise(labels: Labels, joint: Ints, pairs: Ints | None, raw: Sequence[Reading]) -> list[Reading]:
    """Return readings whose inputs are probs T^-1, each with its own T.

    T begins as the confident joint counts it, or, of a few labels, as a reading of the probabilities has it. Each kind
    has another T, so other inputs, and the evidence alone would choose too few rates.
    """
    counts = joint + np.eye(len(joint))  # one more right label for each class
    counted = labels.without(counts / counts.sum(1, keepdims=True)) if joint.sum() >= COUNTED * len(joint) else None
    readings = raw if counted is None else fit_all(labels.problem(counted, False), pairs, WITH_T, raw[0])
    most = max((reading.evidence for reading in readings), default=0)
    found: list[Reading | None] = [
        reading for reading in readings if reading.kind in WITH_T and reading.evidence > most - START_GAP
    ]
    for _ in range(PASSES):
        found = [_take_out(labels, pairs, reading) for reading in found if reading is not None]
    return _check(labels, [reading for reading in found if reading is not None and _has_noise(labels, reading)])


def _has_noise(labels: Labels, reading: Reading) -> bool:
    """Return whether noise explains the labels better than none does with the same inputs.

    If not, probs T^-1 is only another function of the probabilities, which may fit better by chance.
    """
    none = fit_all(labels.problem(reading.calibration.inputs, reading.dense), None, ("none",), reading)
    return reading.evidence > none[0].evidence


def _take_out(labels: Labels, pairs: Ints | None, reading: Reading) -> Reading | None:
    """Return the reading, fitted again to probs T^-1 with its T; None if T has no inverse."""
    inputs = labels.without(np.asarray(reading.T))
    return None if inputs is None else fit_kind(labels.problem(inputs, reading.dense), pairs, reading)


def _check(labels: Labels, readings: Sequence[Reading]) -> list[Reading]:
    """Return the likely readings, their evidence replaced by its mean with what held-out labels say."""
    most = max((reading.evidence for reading in readings), default=0)
    return [
        replace(reading, evidence=(reading.evidence + _held_out(reading, labels)) / 2)
        for reading in readings
        if reading.evidence > most - GAP
    ]


def _with_matrix(labels: Labels, pairs: Ints | None, way: Way, mixed: bool) -> Way:
    """Return the way with a matrix for A.

    Where the probabilities contain noise, they still do after the map, for a matrix can make the labels as likely
    without noise as with it. So it begins where the noise has been taken out, and the kind of noise stands. It begins
    with the probabilities as they are only if these explain the labels nearly as well (``MIXED``).
    """
    if way.readings[0].calibration.inputs.T is None:
        best = way.readings[int(way.weights.argmax())]
        problem = labels.problem(best.calibration.inputs, True)
        readings = fit_all(problem, pairs, tuple(PRIOR), best)
        return Way.of(labels, readings + _again_without(labels, pairs, readings) * mixed)
    likely = [reading for reading, w in zip(way.readings, way.weights, strict=True) if w >= LEAST_WEIGHT]
    found = [fit_kind(labels.problem(reading.calibration.inputs, True), pairs, reading) for reading in likely]
    return Way.of(labels, _check(labels, found))


def _absorbs(way: Way, n: int) -> bool:
    """Return whether its map alone explains the labels nearly as well as noise does."""
    none = next(reading.evidence for reading in way.readings if reading.kind == "none")
    gain = max(reading.evidence for reading in way.readings) - none
    return gain < ABSORBED * n


def _again_without(labels: Labels, pairs: Ints | None, readings: list[Reading]) -> list[Reading]:
    """Return the likely readings with noise once more, from probs T^-1; they pay for T."""
    weighed = zip(readings, weights_of(readings), strict=True)
    likely = [reading for reading, weight in weighed if weight >= LEAST_WEIGHT and reading.kind in WITH_T]
    again = [_take_out(labels, pairs, reading) for reading in likely]
    return [replace(reading, evidence=reading.evidence - labels.price) for reading in again if reading is not None]


def _matrix_price(parameters: int, n: int) -> float:
    return MATRIX_PRICE + parameters * min(MATRIX_SHARE, MATRIX_RATIO * parameters / n)


def _held_out(reading: Reading, labels: Labels) -> float:
    """Return the log likelihood that as many new labels would have.

    Two folds have half the labels to learn from. With P parameters, the labels of the fit gain P / 2 over the truth,
    new labels lose P / 2, and they lose P if half of the labels were fitted. So two thirds of the difference count.
    """
    problem = labels.problem(reading.calibration.inputs, reading.dense)
    folds, held_out = np.arange(len(problem.y)) % 2, 0.0
    for fold in (0, 1):
        fitted = refit(problem.part(np.flatnonzero(folds != fold)), reading)
        held_out += log_likelihood(fitted, problem.part(np.flatnonzero(folds == fold)))
    seen = log_likelihood(reading, problem)
    return seen - (seen - held_out) * 2 / 3
