"""The noise model: how probable it is that a given label is wrong, from class probabilities.

Let T[k, j] = P(given j | true k), the same for all inputs x, and let p(k | x) be clean class probabilities. Then

    P(true = k | x, given = j)  =  p(k | x) T[k, j] / sum_l p(l | x) T[l, j]                              (1)
    p(k | x)  =  softmax_k( temperature log [probs T^-1]_k + bias_k )                                     (2)

(2) has no ``T^-1`` if the probabilities are already of true classes. Temperature and bias maximize the likelihood of
the given labels, ``sum_k p(k | x) T[k, y]`` (3), on rows whose labels the network has not seen. Guo et al. 2017 need
clean labels for such a calibration; with T in between, noisy labels serve as well.

T is estimated in three steps.

1. The confident joint (Northcutt et al. 2021, eq. 1) counts the rows whose probability of a class is at least the mean
   of the rows with that label. It mistakes classes that look alike for wrong labels.
2. A row of class i that does not look like j at all separates the two: if its label is j, the label is wrong. So
   T[i, j] is counted again in the third of the rows of class i that look least like j. Each label counts with its
   probability (1) of being wrong. This EM step is done twice.
3. Most rows take no part in step 2. So all rows together decide how much noise each class has, by two EM steps for the
   off-diagonal sums of the rows of T.

The first two estimates are kept: how far the three are apart shows how far T may be off.

Reviewed labels are not a random sample: reviewers see the suspicious ones first. But the row and its label decide what
is reviewed, so (1) still holds for the other rows, with the T of all labels as given before the review. Therefore T
also counts the reviewed labels, and (3) is maximized over all labels as given before the review.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.noise.transition import LEAST, SINGULAR

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Matrix = NDArray[np.float64]  # (K, K)
COUNT_CELLS, FIT_CELLS = 2**22, 2**19  # largest rows x classes to count T on, and to fit (2) on
BLOCK_CELLS = 2**18  # rows x classes of a block: one megabyte, which stays in the cache
UNUSUAL = 2  # multiple of the usual rate of its row from which an entry of T keeps its own value
MIN_ROWS = 200  # rows of a class that step 2 needs
QUANTILE_ROWS = 2000  # rows of a class that its quantiles are taken from
REVIEWED_FITS, REVIEWED_STEPS = 3, 5  # fits of (2) with reviewed labels, and EM steps before each
TINY = 1e-12  # a sum of probabilities below this counts as 0
MIN_HELD_OUT, KNOT_ROWS, MAX_KNOTS = 20, 10, 20  # match_held_out: held-out labels, labels per knot, knots


@dataclass(frozen=True)
class NoiseModel:
    """A transition matrix and the calibration of class probabilities.

    Attributes
    ----------
    T : ndarray of shape (K, K)
        T[i, j] = P(given j | true i).
    inverse : ndarray of shape (K, K), or None
        ``T^-1`` of eq. 2; None if the probabilities are already of true classes.
    temperature : float
    bias : ndarray of shape (K,)
    """

    T: NDArray[np.float64]
    inverse: NDArray[np.float64] | None
    temperature: float
    bias: NDArray[np.float64]

    def unnormalized(self, probs: Floats) -> NDArray[np.float32]:
        """Return the clean probabilities (n, K) of eq. 2, each row times an unknown factor."""
        p = np.asarray(probs, dtype=np.float32)
        p = np.maximum(p if self.inverse is None else p @ self.inverse.astype(np.float32), np.float32(LEAST))
        np.log(p, out=p)
        p *= np.float32(self.temperature)
        p += self.bias.astype(np.float32)
        return np.exp(p, out=p)

    def clean_probs(self, probs: Floats) -> NDArray[np.float32]:
        """Return the clean probabilities (n, K) of eq. 2."""
        p = self.unnormalized(probs)
        p /= p.sum(1, keepdims=True)
        return p

    def p_right(self, y: Ints, probs: Floats) -> NDArray[np.float32]:
        """Return P(true = given) of eq. 1 for labels (n,), none of them missing."""
        out = np.empty(len(y), dtype=np.float32)
        likelihood = self.T.T.astype(np.float32)  # (K, K), row j holds T[k, j] for all k
        for part in blocks(probs):  # no second (n, K) array in memory
            p, given = self.unnormalized(probs[part]), y[part]
            own = p[np.arange(len(given)), given] * likelihood[given, given]
            out[part] = own / np.einsum("ij,ij->i", p, likelihood[given])
        return out

    def p_true(self, y: Ints, probs: Floats) -> NDArray[np.float32]:
        """Return P(true = k | x, given) of eq. 1 (n, K); for a missing label (-1) the clean probabilities."""
        q = self.unnormalized(probs) * np.where((y >= 0)[:, None], self.T.T[y], 1.0).astype(np.float32)
        q /= q.sum(1, keepdims=True)
        return q


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
) -> tuple[NoiseModel, tuple[NoiseModel, ...]]:
    """Return the noise model of given labels, and the two earlier estimates of it.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels, none of them missing.
    probs : ndarray of shape (n, K)
        Class probabilities, for each row as if its label had not been seen.
    mixed : bool, optional
        Whether the probabilities are of given labels, noise included. By default, the choice that makes the labels
        more likely.
    trusted : ndarray of shape (n,), bool, optional
        Labels known to be right; they are no evidence of noise.
    y_before : ndarray of shape (n,), int64, optional
        The labels as given before the trusted ones were known, -1 for none; with these, trusted rows are evidence too.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 2, 4000)
    >>> y = np.where(rng.random(4000) < np.where(true == 0, 0.3, 0.0), 1 - true, true)
    >>> model, _ = fit_noise_model(y, np.eye(2)[true] * 0.98 + 0.01)
    >>> model.T.round(1).tolist()
    [[0.7, 0.3], [0.0, 1.0]]
    """
    n_classes = probs.shape[1]
    rng = np.random.default_rng(0)
    untrusted = np.arange(len(y)) if trusted is None or trusted.all() else np.flatnonzero(~trusted)
    count_rows = _sample(rng, untrusted, COUNT_CELLS // n_classes)
    fit_rows = _sample(rng, count_rows, FIT_CELLS // n_classes)
    labels, p = y[count_rows], np.asarray(probs[count_rows], dtype=np.float32)
    # step 1, with one more right label and one more wrong label per class
    counts = count_confident(labels, p) + np.eye(n_classes)
    counts += (1 - np.eye(n_classes)) / max(n_classes - 1, 1)
    T = counts / counts.sum(1, keepdims=True)
    choices = [
        _calibrate(T, y[fit_rows], probs[fit_rows], _invert(T, choice))
        for choice in ((True, False) if mixed is None else (mixed,))
    ]
    _, first = min(choices, key=lambda choice: choice[0])
    mixed, model = first.inverse is not None, first
    for _ in range(2):  # step 2
        T = _recount(model, labels, p, first.T)
        _, model = _calibrate(T, y[fit_rows], probs[fit_rows], _invert(T, mixed), model)
    recounted = model
    for _ in range(2):  # step 3
        T = _rescale(model, labels, p)
        _, model = _calibrate(T, y[fit_rows], probs[fit_rows], _invert(T, mixed), model)
    models = [model, first, recounted]
    if y_before is not None and trusted is not None and (trusted & (y_before >= 0)).any():
        as_given = np.where(trusted, y_before, y)
        given_rows = _sample(rng, np.flatnonzero(as_given >= 0), FIT_CELLS // n_classes)
        reviewed_rows = np.flatnonzero(trusted & (y_before >= 0))
        reviewed = _count_pairs(y[reviewed_rows], y_before[reviewed_rows], n_classes)
        weighted = reviewed * (len(count_rows) / len(untrusted))  # as if the reviewed rows were sampled like the others
        given = (as_given[given_rows], probs[given_rows])
        models = [_add_reviewed(each, labels, p, weighted, *given) for each in models]
    return models[0], tuple(models[1:])


def count_confident(y: Ints, probs: Floats) -> Ints:
    """Return the confident joint (K, K) of Northcutt et al. 2021, eq. 1.

    Entry (i, j) counts the rows with label j whose probability of class i is at least the mean of the rows with label
    i. A row for which this holds for several classes counts for the most probable one.

    Examples
    --------
    >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.2, 0.8]])
    >>> count_confident(np.array([0, 0, 1, 1]), probs).tolist()
    [[1, 1], [0, 1]]
    """
    n_classes = probs.shape[1]
    total = np.bincount(y, probs[np.arange(len(y)), y], minlength=n_classes)
    n = np.bincount(y, minlength=n_classes)
    mean = np.where(n > 0, total / np.maximum(n, 1), np.inf).astype(probs.dtype)
    confident = np.where(probs >= mean * (1 - 1e-6), probs, -1)  # the mean of equal numbers may be rounded up
    best = confident.argmax(1)
    counted = confident[np.arange(len(y)), best] >= 0
    return _count_pairs(best[counted], y[counted], n_classes)


def match_held_out(y: Ints, probs: Floats, held_out: NDArray[np.bool_]) -> Floats:
    """Return probabilities (n, K) in which training rows are as confident in their label as held-out rows.

    A network is too confident in labels that it was trained on. So the logits of the given label of the training rows
    are shifted until their quantiles match those of the held-out rows. The shift is a line in the logit. It departs
    from the line only where an error of two standard errors in the quantile level cannot explain the difference;
    otherwise a held-out set with few wrong labels by chance would hide wrong labels in the training rows. The other
    classes keep their proportions.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels, none of them missing.
    probs : ndarray of shape (n, K)
    held_out : ndarray of shape (n,), bool
        With fewer than 20 of these rows, or without training rows, nothing changes.

    Examples
    --------
    >>> probs = np.tile([[0.9, 0.1], [0.6, 0.4]], (300, 1))
    >>> held_out = np.arange(600) % 2 == 1
    >>> match_held_out(np.zeros(600, dtype=int), probs, held_out)[0].round(3).tolist()
    [0.6, 0.4]
    """
    if held_out.sum() < MIN_HELD_OUT or held_out.all():
        return probs
    rows = np.arange(len(y))
    own = np.clip(probs[rows, y].astype(float), LEAST, 1 - LEAST)
    logit = np.log(own) - np.log1p(-own)
    n_knots = int(min(MAX_KNOTS, held_out.sum() // KNOT_ROWS))
    levels = (np.arange(n_knots) + 0.5) / n_knots
    seen, unseen = np.quantile(logit[~held_out], levels), np.quantile(logit[held_out], levels)
    error = 2 * np.sqrt(levels * (1 - levels) * (1 / held_out.sum() + 1 / (~held_out).sum()))  # of each level
    low, high = (np.quantile(logit[~held_out], np.clip(levels + sign * error, 0, 1)) for sign in (-1, 1))
    line = _fit_line(seen, unseen - seen, np.maximum(high - low, LEAST))
    rest = unseen - seen - line
    explained = np.where(rest > 0, high - seen, seen - low) / np.maximum(np.abs(rest), LEAST)
    shift = line + rest * np.maximum(0.0, 1 - explained**2)
    moved = logit + np.where(held_out, 0.0, np.interp(logit, seen, shift))
    matched = 1 / (1 + np.exp(-moved))
    out = np.array(probs)
    out[rows, y] = 0
    memorized = out.sum(1) < TINY
    out[memorized] = 1  # the other classes have no proportions to keep, so all get the same
    out[rows, y] = 0
    out *= ((1 - matched) / np.maximum(out.sum(1), TINY)).astype(out.dtype)[:, None]
    out[rows, y] = matched
    return out


def _fit_line(x: Floats, y: Floats, error: Floats) -> Floats:
    """Return at x (n,) the least-squares line through y (n,), whose standard errors are ``error``."""
    weight = 1 / error**2
    from_mean = x - np.average(x, weights=weight)
    slope = np.average(from_mean * y, weights=weight) / max(np.average(from_mean**2, weights=weight), LEAST)
    line: Floats = np.average(y, weights=weight) + slope * from_mean
    return line


def _sample(rng: np.random.Generator, rows: Ints, n: int) -> Ints:
    return rows if len(rows) <= n else np.sort(rng.choice(rows, n, replace=False))


def _count_pairs(rows: Ints, columns: Ints, n_classes: int) -> Ints:
    """Return how often each pair of classes occurs, (K, K)."""
    return np.bincount(rows * n_classes + columns, minlength=n_classes**2).reshape(n_classes, n_classes)


def _invert(T: Matrix, mixed: bool) -> Matrix | None:
    """Return ``T^-1`` for probabilities of given labels; None if there is no noise to remove, or T is singular."""
    return np.asarray(np.linalg.inv(T), dtype=np.float64) if mixed and np.linalg.cond(T) < SINGULAR else None


def _calibrate(
    T: Matrix, y: Ints, probs: Floats, inverse: Matrix | None, start: NoiseModel | None = None
) -> tuple[float, NoiseModel]:
    """Fit temperature and bias of eq. 2 for a T; return the loss, minus the mean log of eq. 3, and the model."""
    from scipy.optimize import minimize

    n_classes = len(T)
    p = np.asarray(probs, dtype=np.float64)  # in single precision the result depends on the order of the rows
    logs = np.log(np.maximum(p if inverse is None else p @ inverse, LEAST))
    likelihood = np.maximum(T.T[y], 1e-9)  # (n, K), T[k, y] for all k
    precision = np.r_[16.0, np.ones(n_classes)]  # of a normal prior, so that a handful of labels cannot decide

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = np.exp(x[0]) * logs + x[1:]  # eq. 2, before the softmax
        w -= w.max(1, keepdims=True)
        np.exp(w, out=w)
        q = w * likelihood
        total, joint = w.sum(1), q.sum(1)
        value = float(np.log(total).sum() - np.log(joint).sum())  # eq. 3
        w /= total[:, None]
        q /= joint[:, None]  # eq. 1
        w -= q
        gradient = np.r_[np.exp(x[0]) * np.vdot(w, logs), w.sum(0)]
        return (value + precision @ x**2 / 2) / len(y), (gradient + precision * x) / len(y)

    guess = np.zeros(1 + n_classes) if start is None else np.r_[np.log(start.temperature), start.bias]
    bounds = [(-1.6, 1.6), *[(-5.0, 5.0)] * n_classes]
    found = minimize(loss, guess, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 30, "ftol": 1e-6})
    return float(found.fun), NoiseModel(T, inverse, float(np.exp(found.x[0])), found.x[1:])


def _recount(model: NoiseModel, y: Ints, probs: Floats, first: Matrix) -> Matrix:
    """Step 2: count T[i, j] in the third of the rows of class i that look least like j.

    Each class gets one more wrong label, spread over the other classes as in the first estimate of T: without evidence,
    people confuse what looks alike.
    """
    n_classes = len(model.T)
    clean = np.concatenate([model.clean_probs(probs[part]) for part in blocks(probs)])
    best = clean.argmax(1)
    confidence = clean[np.arange(len(y)), best]
    # eq. 1 for the predicted class
    p_best = confidence * model.T[best, y] / np.einsum("ij,ij->i", clean, model.T.T.astype(np.float32)[y])
    order = np.argsort(best, kind="stable")
    hits, seen = np.zeros((n_classes, n_classes)), np.zeros((n_classes, n_classes))
    for i, of_class in enumerate(np.split(order, np.searchsorted(best[order], np.arange(1, n_classes)))):
        if len(of_class) < MIN_ROWS:
            continue
        looks = probs[of_class]  # (rows of class i, K)
        sample = np.ascontiguousarray(looks[:: max(1, len(looks) // QUANTILE_ROWS)].T)
        third = (sample.shape[1] - 1) // 3
        unlike = looks <= np.partition(sample, third)[:, third]  # whether a row is in the third for j
        counted = unlike[np.arange(len(of_class)), y[of_class]]
        hits[i] = np.bincount(y[of_class], p_best[of_class] * counted, minlength=n_classes)
        seen[i] = confidence[of_class] @ unlike.astype(np.float32)
    alike = first - np.diag(np.diag(first))
    alike /= (
        np.maximum(alike.sum(1, keepdims=True), 1e-12) * np.maximum(np.bincount(best, minlength=n_classes), 1)[:, None]
    )
    return _shrink_rows(hits, seen, alike, model.T.copy())


def _add_reviewed(
    model: NoiseModel, y: Ints, probs: Floats, reviewed: Floats, as_given: Ints, given_probs: Floats
) -> NoiseModel:
    """Return the model of all labels as given before the review.

    ``y`` (n,) and ``probs`` are of rows without review; ``reviewed`` (K, K) counts the others by true and given label;
    ``as_given`` (m,) and ``given_probs`` are of rows of both kinds.
    """
    expected = sum((model.clean_probs(probs[part]).sum(0) for part in blocks(probs)), start=np.zeros(len(model.T)))
    counts = reviewed + expected[:, None] * model.T
    model = replace(model, T=counts / counts.sum(1, keepdims=True))
    for _ in range(REVIEWED_FITS):
        for _ in range(REVIEWED_STEPS):
            model = replace(model, T=_rescale(model, y, probs, reviewed))
        _, model = _calibrate(model.T, as_given, given_probs, model.inverse, model)
    return model


def _rescale(model: NoiseModel, y: Ints, probs: Floats, reviewed: Floats | None = None) -> Matrix:
    """Step 3: scale the off-diagonal part of each row of T to the noise that eq. 1 finds, one EM step."""
    n_classes = len(model.T)
    found, expected = np.ones(n_classes), np.ones(n_classes)  # one more label, so that one label cannot decide
    if reviewed is not None:
        found += reviewed.sum(1) - np.diag(reviewed)
        expected += reviewed.sum(1) * (1 - np.diag(model.T))
    for part in blocks(probs):
        q, given = model.p_true(y[part], probs[part]), y[part]
        found += q.sum(0) - np.bincount(given, q[np.arange(len(q)), given], minlength=n_classes)
        expected += model.clean_probs(probs[part]).sum(0) * (1 - np.diag(model.T))
    noise = model.T - np.diag(np.diag(model.T))
    most = 1 / np.maximum(noise.sum(1) + noise.max(1), 1e-12)  # the true class stays the most probable label
    noise *= np.minimum(found / expected, most)[:, None]
    return noise + np.diag(1 - noise.sum(1))


def _shrink_rows(hits: Matrix, seen: Matrix, alike: Matrix, T: Matrix) -> Matrix:
    """Return T with new rows from the expected wrong labels (``hits``) among the rows counted (``seen``), (K, K) each.

    An entry whose distance from the usual rate of its row could be chance, as one of K (K - 1) entries, gets the usual
    rate. The others move a little towards it (James & Stein's rule with the universal threshold of Donoho & Johnstone).
    Classes that look alike never separate completely, so less than twice the usual rate counts as usual, too. Rows of
    classes without counted rows stay as they are.
    """
    n_classes = len(T)
    threshold = 2 * np.log(max(n_classes * (n_classes - 1), 2))
    np.fill_diagonal(hits, 0.0)
    counted = np.flatnonzero(seen.sum(1) > 0) if n_classes > 1 else ()
    for i in counted:
        others = np.arange(n_classes) != i
        n, rate = np.maximum(seen[i, others], 1.0), hits[i, others] / np.maximum(seen[i, others], 1.0)
        common = np.ones(n_classes - 1, dtype=bool)
        for _ in range(5):  # leave out entries that are too high for the usual rate, and compute it again
            usual = max(float((rate * n)[common].sum() / n[common].sum()), LEAST)
            common = rate <= usual + np.sqrt(threshold * usual / n)
        squared = (rate - usual) ** 2 * n / usual
        rate = usual + (rate - usual) * np.maximum(0.0, 1 - threshold / np.maximum(squared, 1e-12))
        rate = np.where(rate < UNUSUAL * usual, usual, rate) + alike[i, others]
        rate *= min(1.0, 1 / (rate.sum() + rate.max()))  # the true class stays the most probable label
        T[i, others], T[i, i] = rate, 1 - rate.sum()
    return T
