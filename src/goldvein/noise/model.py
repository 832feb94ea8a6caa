"""The noise model: how probable it is that a given label is wrong, from class probabilities.

Several readings of the labels are fitted: no noise, symmetric noise, noise by class, between classes that look alike,
and between pairs (:mod:`goldvein.noise.class_noise`), and noise near the boundaries (:mod:`goldvein.noise.boundary`).
Each has its own clean probabilities p(true | x), and a weight by its evidence (:mod:`goldvein.noise.choice`). The
judgment of a label is the mean over the readings. Where the labels do not decide between overlapping classes and
wrong labels, both readings have a weight: P(wrong) lies between the two, and so does the interval of the count.

Probabilities of a network that was trained on noisy labels contain this noise. So each reading with noise is fitted
twice: to the probabilities, and to probs T^-1 (:mod:`goldvein.noise.ways`).

Reviewed labels are not a random sample: reviewers see the suspicious ones first. But the row and its label decide what
is reviewed, so the likelihood of the labels as given before the review, and of the classes that the reviewer gave, is
that of a random sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.noise.choice import PRIOR, refit
from goldvein.noise.class_noise import Reading
from goldvein.noise.transition import count_confident
from goldvein.noise.uncertainty import share_covariance
from goldvein.noise.ways import LEAST_WEIGHT, PRICE_OF_T, Labels, weigh_readings

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
CHOICE_CELLS, FIT_CELLS, COUNT_CELLS = 2**17, 2**18, 2**22  # largest rows x classes to choose, to fit, to count on,
LEAST_CHOICE, LEAST_FIT = 256, 1024  # with at least so many rows
KEYS, MIX = 4, np.uint64(0x9E3779B97F4A7C15)  # columns that decide the order of rows, and an odd number (2^64 / phi)
BLOCK_CELLS = 2**18  # rows x classes of a block: one megabyte, which stays in the cache
JUDGMENT = 2  # raised when the same labels get another judgment; results of older ones are marked
CLEAR = 0.9  # weight from which a kind of noise is named


@dataclass(frozen=True)
class NoiseModel:
    """Readings of the given labels, with weights.

    Attributes
    ----------
    readings : tuple of Reading, length R
        Their classes are the labeled ones.
    weights : ndarray of shape (R,)
        They sum to 1.
    n_classes : int
        K, with the classes that have no label.
    labeled : ndarray of shape (k,), int64
        Classes with a label.
    shares : tuple of ndarray, each (k, k)
        For each reading, the covariance of the shares of wrong labels; empty if it was not asked for.
    evidence : dict of float
        Weight of each kind of noise that was tried.
    """

    readings: tuple[Reading, ...]
    weights: NDArray[np.float64]
    n_classes: int
    labeled: Ints
    shares: tuple[NDArray[np.float64], ...] = ()
    evidence: dict[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind of noise with at least nine tenths of the weight, one of ``PRIOR``; else unclear."""
        best = max(self.evidence, key=lambda kind: self.evidence[kind])
        return best if self.evidence[best] >= CLEAR else "unclear"

    @property
    def transition(self) -> NDArray[np.float64]:
        """P(given j | true i), the mean over the readings (K, K); a reading without T counts as the identity."""
        T = np.eye(self.n_classes)
        if not self.readings:
            return T
        identity = np.eye(len(self.labeled))
        parts = zip(self.weights, self.readings, strict=True)
        T[np.ix_(self.labeled, self.labeled)] = sum(w * (identity if r.T is None else r.T) for w, r in parts)
        return T

    def clean_probs(self, probs: Floats) -> NDArray[np.float32]:
        """Return p(true | x), (n, K)."""
        return self.p_true(np.full(len(probs), -1), probs)

    def p_right(self, y: Ints, probs: Floats) -> NDArray[np.float32]:
        """Return P(true = given | x, given) for labels (n,), none of them missing."""
        each, _ = self.judge(y, probs)
        return np.asarray(self.weights.astype(np.float32) @ each if len(each) else np.ones(len(y), dtype=np.float32))

    def judge(self, y: Ints, probs: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return P(true = given | x, given) by each reading (R, n), and how unsure each row is (n,).

        A row is as unsure as the largest of its clean probabilities is below 1.
        """
        right, unsure = np.empty((len(self.readings), len(y)), dtype=np.float32), np.zeros(len(y), dtype=np.float32)
        for part in blocks(probs):  # no second (n, K) array in memory
            of_label, of_labeled, elsewhere = self._compact(y[part], probs[part])
            rows, inside = np.arange(len(of_label)), 1 - elsewhere.sum(1)
            mean = np.full(of_labeled.shape, 0 if self.readings else 1, dtype=np.float32)
            for of_reading, weight, reading in zip(right, self.weights, self.readings, strict=True):
                p = reading.calibration.clean_probs(of_labeled)
                own = p[rows, of_label]
                if reading.T is not None:
                    T = reading.T.T.astype(np.float32)
                    own *= T[of_label, of_label] / np.einsum("ij,ij->i", p, T[of_label])
                of_reading[part] = own * inside
                mean += np.float32(weight) * p
            unsure[part] = 1 - np.maximum(mean.max(1) * inside, elsewhere.max(1, initial=0))
        return right, unsure

    def p_true(self, y: Ints, probs: Floats) -> NDArray[np.float32]:
        """Return P(true = k | x, given), (n, K); for a missing label (-1) the clean probabilities."""
        of_label, probs_labeled, elsewhere = self._compact(y, probs)
        out = np.zeros((len(y), self.n_classes), dtype=np.float32)
        mean = np.full(probs_labeled.shape, 0 if self.readings else 1, dtype=np.float32)
        for weight, reading in zip(self.weights, self.readings, strict=True):
            q = reading.calibration.clean_probs(probs_labeled)
            if reading.T is not None:
                q *= np.where((y >= 0)[:, None], reading.T.T[of_label], 1.0).astype(np.float32)
                q /= q.sum(1, keepdims=True)
            mean += np.float32(weight) * q
        out[:, self.labeled] = mean * (1 - elsewhere.sum(1, keepdims=True))
        out[:, np.setdiff1d(np.arange(self.n_classes), self.labeled)] = elsewhere
        return out

    def _compact(self, y: Ints, probs: Floats) -> tuple[Ints, NDArray[np.float32], NDArray[np.float32]]:
        """Return labels and probabilities of the k labeled classes, and the probabilities of the others (n, K - k).

        A row only belongs to a class without labels if no labeled class is likelier.
        """
        p = np.asarray(probs, dtype=np.float32)
        if len(self.labeled) == self.n_classes:
            return y, p, np.zeros((len(y), 0), dtype=np.float32)
        place = np.full(self.n_classes + 1, -1)
        place[self.labeled] = np.arange(len(self.labeled))
        elsewhere = np.delete(p, self.labeled, axis=1)
        p = p[:, self.labeled]
        total = p.sum(1, keepdims=True)
        elsewhere[elsewhere.max(1) <= p.max(1)] = 0
        return place[y], np.where(total > 0, p / np.maximum(total, 1e-12), 1 / p.shape[1]), elsewhere


def blocks(probs: Floats) -> Iterator[slice]:
    """Yield slices of rows that fit into the cache."""
    step = max(1, BLOCK_CELLS // max(1, probs.shape[1]))
    for start in range(0, len(probs), step):
        yield slice(start, start + step)


def fit_noise_model(
    y: Ints,
    probs: Floats,
    *,
    mixed: bool | None = None,
    trusted: NDArray[np.bool_] | None = None,
    y_before: Ints | None = None,
    counts: bool = False,
) -> NoiseModel:
    """Return the noise model of given labels.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels, none of them missing.
    probs : ndarray of shape (n, K)
        Class probabilities, for each row as if its label had not been seen.
    mixed : bool, optional
        True if the probabilities are sure to contain the noise of the labels, as votes of labels are; False if they
        are sure not to. By default, the labels decide.
    trusted : ndarray of shape (n,), bool, optional
        Labels known to be right; they are no evidence of noise.
    y_before : ndarray of shape (n,), int64, optional
        The labels as given before the trusted ones were known, -1 for none; with these, trusted rows are evidence too.
    counts : bool, default=False
        Whether to compute how sure the shares of wrong labels are.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 2, 4000)
    >>> y = np.where(rng.random(4000) < np.where(true == 0, 0.3, 0.0), 1 - true, true)
    >>> model = fit_noise_model(y, np.eye(2)[true] * 0.98 + 0.01)
    >>> likeliest = max(zip(model.weights, model.readings), key=lambda pair: pair[0])[1]
    >>> likeliest.kind, likeliest.T.round(1).tolist()
    ('by class', [[0.7, 0.3], [0.0, 1.0]])
    """
    known = np.zeros(len(y), dtype=bool) if trusted is None else trusted
    given = y if y_before is None else np.where(known, y_before, y)
    usable = np.flatnonzero((given >= 0) & (~known | (y_before is not None)))
    if not len(usable):  # every label is trusted
        given, usable = y, np.arange(len(y))
    labeled = np.unique(given[usable])
    place = np.full(probs.shape[1] + 1, -1)
    place[labeled] = np.arange(len(labeled))
    y_given, y_true = place[given], np.where(known, place[y], -1)
    if len(labeled) == 1:
        return NoiseModel((), np.zeros(0), probs.shape[1], labeled, evidence={"none": 1.0})
    usable = _shuffled(usable, given, probs)  # the same labels get the same judgment, in whatever order they are
    rng = np.random.default_rng(0)
    fit_rows = _sample(rng, usable, max(LEAST_FIT, FIT_CELLS // len(labeled)))
    some = _sample(rng, fit_rows, max(LEAST_CHOICE, CHOICE_CELLS // len(labeled)))

    def labels(rows: Ints) -> Labels:
        return Labels.of(y_given[rows], _of_labeled(probs, rows, labeled), y_true[rows], 0 if mixed else PRICE_OF_T)

    counted = _sample(rng, usable, COUNT_CELLS // len(labeled))
    joint = count_confident(y_given[counted], _of_labeled(probs, counted, labeled))
    found = weigh_readings(labels(some), joint, mixed is not False)
    evidence: dict[str, float] = dict.fromkeys(PRIOR, 0.0)
    for reading, weight in found:
        evidence[reading.kind] += weight
    heavy = [(reading, weight) for reading, weight in found if weight >= LEAST_WEIGHT]
    weights = np.array([weight for _, weight in heavy])
    kept: list[Reading] = []
    shares: list[NDArray[np.float64]] = []
    to_fit = labels(fit_rows)
    for reading, _ in heavy:
        problem = to_fit.problem(reading.calibration.inputs, reading.dense)
        kept.append(refit(problem, reading) if len(fit_rows) > len(some) else reading)
        if counts:
            shares.append(share_covariance(kept[-1], problem))
    shares = _no_surer_than_raw(kept, shares) if counts else []
    return NoiseModel(tuple(kept), weights / weights.sum(), probs.shape[1], labeled, tuple(shares), evidence)


def _no_surer_than_raw(readings: list[Reading], shares: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Return covariances, for probs T^-1 at least that of the same kind with T in it: this T is an estimate too."""
    raw: dict[str, NDArray[np.float64]] = {}
    for reading, share in zip(readings, shares, strict=True):
        if reading.calibration.inputs.T is None:
            raw.setdefault(reading.kind, share)
    return [
        max(share, raw.get(reading.kind, share), key=np.sum) if reading.calibration.inputs.T is not None else share
        for reading, share in zip(readings, shares, strict=True)
    ]


def _of_labeled(probs: Floats, rows: Ints, labeled: Ints) -> NDArray[np.float64]:
    """Return probabilities of rows (m,) and labeled classes, (m, k)."""
    p = probs[rows] if len(labeled) == probs.shape[1] else probs[np.ix_(rows, labeled)]
    return np.asarray(p, dtype=np.float64)


def _shuffled(rows: Ints, y: Ints, probs: Floats) -> Ints:
    """Return rows (m,) in an order that depends on what is in them alone."""
    columns = np.unique(np.linspace(0, probs.shape[1] - 1, KEYS).astype(np.int64))
    key = y[rows].astype(np.uint64)
    for values in (probs[rows, y[rows]], *(probs[rows, column] for column in columns)):
        bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
        key = (key ^ bits) * MIX  # modulo 2^64
        key ^= key >> np.uint64(29)
    return rows[np.argsort(key, kind="stable")]


def _sample(rng: np.random.Generator, rows: Ints, n: int) -> Ints:
    return rows if len(rows) <= n else rows[np.sort(rng.choice(len(rows), n, replace=False))]
