"""The choice between readings of given labels: kinds of noise, fitted to the same labels with the same inputs.

    w(reading)  =  prior(reading) P(labels | reading)^(1/2) / sum over readings                            (1)

The prior and the power were chosen on made data of the kinds in ``perf/judging.py`` with seeds 0 to 19, and on runs
with seeds 0 and 1 of MNIST and Fashion-MNIST, and seed 0 of CIFAR-10N; their true labels were in view.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.noise.boundary import BoundaryLikelihood, fit_boundary
from goldvein.noise.class_noise import Likelihood, Problem, Reading, fit_class_noise

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
# Most labels that people doubt have some noise, so its prior is large. Noise near the boundaries differs from overlap
# in the shape of one curve only, so its prior is small.
PRIOR = {"none": 0.1, "symmetric": 0.5, "by class": 0.18, "look-alike": 0.05, "pair": 0.15, "boundary": 0.02}
TRUST = 0.5  # power of the evidence: the map from the classifier to clean probabilities is not exact
GUESSES = 2  # at most, of the main wrong names, after those of the joint
ISLANDS = 0.025  # least gain of symmetric noise for each label, in log likelihood, for islands to be suspected


def suspect_islands(readings: Sequence[Reading], n: int) -> bool:
    """Return whether noise between pairs is more likely islands of one class inside another.

    A linear classifier takes a cluster of class j inside class i for wrong labels j. Then symmetric noise explains most
    of what pairs explain. Where the noise is between pairs, it explains nearly nothing. (On made data of both kinds,
    the share was .6 to 1 and 0 to .05.)
    """
    value = {reading.kind: reading.evidence for reading in readings}
    gain = value["symmetric"] - value["none"]
    return max(value["pair"], value["look-alike"]) - value["symmetric"] < gain and gain > ISLANDS * n


def refit(problem: Problem, like: Reading) -> Reading:
    """Fit a reading again, to other labels."""
    if like.ties is None:
        return fit_boundary(problem, like)
    detail = like.ties.shape if like.ties.target is None else like.ties.target
    return fit_class_noise(problem, like.kind, detail, like)


def fit_all(
    problem: Problem, joint: Ints | None, kinds: Collection[str] = tuple(PRIOR), start: Reading | None = None
) -> list[Reading]:
    """Fit readings of some kinds; without the confident ``joint`` (k, k), no pairs.

    Each fit begins with the map of ``start``, by default that without noise.
    """
    start = fit_class_noise(problem, "none") if start is None else start
    readings = [
        fit_class_noise(problem, kind, None, start) for kind in ("none", "symmetric", "by class") if kind in kinds
    ]
    if joint is not None and "look-alike" in kinds:
        readings.append(fit_class_noise(problem, "look-alike", _shape(joint), start))
    if joint is not None and "pair" in kinds:
        readings.append(_fit_pairs(problem, joint, start))
    if "boundary" in kinds and (problem.true < 0).all():  # a review shows which labels near a boundary are wrong
        readings.append(fit_boundary(problem, start))
    return readings


def fit_kind(problem: Problem, joint: Ints | None, like: Reading) -> Reading:
    """Fit a reading of the same kind, from its map on; pairs guess their names again."""
    return fit_all(problem, joint, (like.kind,), like)[0]


def _shape(joint: Ints) -> NDArray[np.float64]:
    """Return how the wrong names of each class share its rate, (k, k): as in the joint, with half a label more each."""
    shape = joint + 0.5
    np.fill_diagonal(shape, 0)
    return np.asarray(shape / shape.sum(1, keepdims=True))


def _fit_pairs(problem: Problem, joint: Ints, start: Reading) -> Reading:
    """Fit noise between pairs, with the best guesses of the main wrong name of each class.

    The labels guess again once the classes are known better: where the joint named the wrong pair, the clean
    probabilities of the fit show the right one.

    One guess is the label that confident rows of the class have most. Where classes overlap, this may be a neighbor.
    But overlap is the same from both sides, so the other guess is what stands out against the opposite direction.
    """
    guesses, rates = [], []
    for counts in (joint, joint - joint.T):
        counts = counts.copy()
        np.fill_diagonal(counts, counts.min() - 1)
        guesses.append(counts.argmax(1))
    pairs = [fit_class_noise(problem, "pair", guess, start) for guess in guesses]
    rates = [np.asarray(pair.T)[np.arange(len(joint)), guess] for pair, guess in zip(pairs, guesses, strict=True)]
    both = np.where(rates[0] >= rates[1], *guesses)  # for each class the name that has more
    if (rates[0] > rates[1]).any() and (rates[0] < rates[1]).any():
        pairs.append(fit_class_noise(problem, "pair", both, start))
    best = max(pairs, key=lambda pair: pair.evidence)
    for _ in range(GUESSES):
        names = _main_names(problem, best)
        if np.array_equal(names, best.ties.target):  # type: ignore[union-attr,arg-type]  # pairs have ties and targets
            break
        again = fit_class_noise(problem, "pair", names, best)
        if again.evidence <= best.evidence:
            break
        best = again
    return best


def _main_names(problem: Problem, pair: Reading) -> Ints:
    """Return for each class (k,) the wrong name that most of its rows have, if all wrong names were equally likely."""
    T = np.asarray(pair.T)
    rate = float(1 - np.diag(T).mean())
    p = problem.map.clean_probs(problem.map.logits(pair.parameters[: problem.map.size]))
    own = p[problem.rows, problem.y]
    p *= (rate / (len(T) - 1) / ((1 - rate) * own + rate / (len(T) - 1) * (1 - own) + 1e-300))[:, None]
    counts = np.zeros((len(T), len(T)))
    np.add.at(counts, problem.y, p)  # (given, true)
    np.fill_diagonal(counts, -1)
    return np.asarray(counts.argmax(0))


def log_likelihood(reading: Reading, problem: Problem) -> float:
    """Return the log likelihood of the labels of a problem."""
    if reading.ties is None:
        return float(BoundaryLikelihood(problem).terms(reading.parameters)[0].sum())
    return float(np.log(Likelihood(problem, reading.ties).posterior(reading.parameters)[2]).sum())


def _log_weight(reading: Reading) -> float:
    return TRUST * reading.evidence + float(np.log(PRIOR[reading.kind]))


def weights_of(readings: Sequence[Reading]) -> NDArray[np.float64]:
    """Return the weights (R,) of eq. 1."""
    log = np.array([_log_weight(reading) for reading in readings])
    weights = np.exp(log - log.max())
    return np.asarray(weights / weights.sum())
