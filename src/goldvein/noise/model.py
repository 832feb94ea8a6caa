"""How labels came to be wrong, read from class probabilities: the model behind ``p_wrong``.

With T[k, j] = P(given j | true k), independent of x, and clean class probabilities p(k | x),

    P(true = k | x, given = j)  =  p(k | x) T[k, j] / sum_l p(l | x) T[l, j]                              (1)
    p(k | x)  =  softmax_k( temperature log [probs T^-1]_k + bias_k )                                     (2)

``T^-1`` is left out where the probabilities speak of true classes already. Temperature and bias maximize the
likelihood of the given labels, ``sum_k p(k | x) T[k, y]``: labels of rows that the network has not seen are honest
witnesses, wrong ones included (Guo et al. 2017 scale on clean labels; here T stands between).

T starts as the confident joint (Northcutt et al. 2021, eq. 1): rows whose probability of a class is at least the mean
of those labeled so. That takes classes that look alike for labels that are mixed up. What tells the two apart is a
row of class i that does not look like j at all: a label j there is wrong. So T[i, j] is counted again among the third
of the rows of class i that looks least like j, each label by its chance of being wrong there (an EM step), twice.
Most of the rows have no say in this, so all of them set how much noise each class has, in two EM steps for the sums
of the rows of T beside the diagonal. The readings before the last are kept: how far they are apart is how far T may
be off.

Labels that a person decided on are no sample of all: most were wrong, and fewer of the rest are. What was chosen was
chosen by the row and its label, so (1) holds for the rest with T of all labels as they came. So the decided labels are
counted beside the others, and (2) is fitted on all labels as they came.

A network half believes a label that it was trained on. Held-out rows show by how much: the logits of the given label
of the training rows are moved until they are distributed as those of the held-out rows (:func:`honest`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.noise.transition import LEAST, SINGULAR

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
COUNT_CELLS, FIT_CELLS = 2**22, 2**19  # rows x classes that T is counted on, that (2) is fitted on
BLOCK_CELLS = 2**18  # rows x classes of a block: one megabyte, which stays in the cache
MIXED_UP = 2  # times the usual rate of its row, from which an entry of T is one of its own
MIN_ROWS = 200  # rows of a class below which its row of T is not counted again
QUANTILE_ROWS = 2000  # rows of a class that its quantiles are taken from
REVIEWED_FITS, REVIEWED_STEPS = 3, 5  # fits of (2) with labels that were decided on, EM steps before each
NOTHING = 1e-12  # of a sum of probabilities
MIN_HELD_OUT, KNOT_ROWS, KNOTS = 20, 10, 20  # held-out labels for :func:`honest`, for each of its knots, knots


@dataclass(frozen=True)
class NoiseModel:
    """T and a calibrated way from probabilities to clean ones.

    Attributes
    ----------
    T : ndarray of shape (K, K)
        T[i, j] = P(given j | true i).
    inverse : ndarray of shape (K, K), or None
        What takes the noise out of the probabilities; None where there is none in them.
    temperature : float
    bias : ndarray of shape (K,)
    """

    T: NDArray[np.float64]
    inverse: NDArray[np.float64] | None
    temperature: float
    bias: NDArray[np.float64]

    def weights(self, probs: Floats) -> NDArray[np.float32]:
        """Clean probabilities (n, K) of eq. 2, each row up to a factor."""
        p = np.asarray(probs, dtype=np.float32)
        p = np.maximum(p if self.inverse is None else p @ self.inverse.astype(np.float32), np.float32(LEAST))
        np.log(p, out=p)
        p *= np.float32(self.temperature)
        p += self.bias.astype(np.float32)
        return np.exp(p, out=p)

    def clean(self, probs: Floats) -> NDArray[np.float32]:
        """Clean probabilities (n, K) of eq. 2."""
        p = self.weights(probs)
        return p / p.sum(1, keepdims=True)

    def right(self, y: Ints, probs: Floats) -> NDArray[np.float32]:
        """P(true = given) of eq. 1 for rows with a label (n,), without a matrix beside ``probs``."""
        out = np.empty(len(y), dtype=np.float32)
        reach = self.T.T.astype(np.float32)
        for part in blocks(probs):
            w, given = self.weights(probs[part]), y[part]
            own = w[np.arange(len(given)), given] * reach[given, given]
            out[part] = own / np.einsum("ij,ij->i", w, reach[given])
        return out

    def posterior(self, y: Ints, probs: Floats) -> NDArray[np.float32]:
        """Eq. 1 for every class, (n, K); for a missing label (-1) the clean probabilities."""
        q = self.weights(probs) * np.where((y >= 0)[:, None], self.T.T[y], 1.0).astype(np.float32)
        return q / q.sum(1, keepdims=True)


def blocks(probs: Floats) -> Iterator[slice]:
    """Slices of rows, small enough for the cache."""
    step = max(1, BLOCK_CELLS // max(1, probs.shape[1]))
    for start in range(0, len(probs), step):
        yield slice(start, start + step)


def fit(
    y: Ints,
    probs: Floats,
    *,
    mixed: bool | None = None,
    trusted: NDArray[np.bool_] | None = None,
    before: Ints | None = None,
) -> tuple[NoiseModel, tuple[NoiseModel, ...]]:
    """The noise model of given labels, and the readings that led to it.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels, none missing.
    probs : ndarray of shape (n, K)
        Class probabilities of rows as if their labels had not been seen.
    mixed : bool, optional
        Whether the probabilities are of given labels, noise included; by default what makes the labels likelier.
    trusted : ndarray of shape (n,), bool, optional
        Labels known to be right, which tell nothing of T.
    before : ndarray of shape (n,), int64, optional
        What the labels were before the trusted ones became known; then these do tell. -1 where there was none.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 2, 4000)
    >>> y = np.where(rng.random(4000) < np.where(true == 0, 0.3, 0.0), 1 - true, true)
    >>> model, _ = fit(y, np.eye(2)[true] * 0.98 + 0.01)
    >>> model.T.round(1).tolist()
    [[0.7, 0.3], [0.0, 1.0]]
    """
    n_classes = probs.shape[1]
    rng = np.random.default_rng(0)
    doubted = np.arange(len(y)) if trusted is None or trusted.all() else np.flatnonzero(~trusted)
    sample = _some(rng, doubted, COUNT_CELLS // n_classes)
    told = _some(rng, sample, FIT_CELLS // n_classes)
    labels, p = y[sample], np.asarray(probs[sample], dtype=np.float32)
    counts = confident_counts(labels, p) + np.eye(n_classes)  # one right label and one wrong one for each class
    counts += (1 - np.eye(n_classes)) / max(n_classes - 1, 1)
    T = counts / counts.sum(1, keepdims=True)
    kinds = (True, False) if mixed is None else (mixed,)
    choices = [_calibrate(T, y[told], probs[told], _inverse(T, kind)) for kind in kinds]
    _, first = min(choices, key=lambda choice: choice[0])
    mixed, model = first.inverse is not None, first
    for _ in range(2):
        T = _recount(model, labels, p, first.T)
        _, model = _calibrate(T, y[told], probs[told], _inverse(T, mixed), model)
    counted = model
    for _ in range(2):
        T = _scaled(model, labels, p)
        _, model = _calibrate(T, y[told], probs[told], _inverse(T, mixed), model)
    models = (model, first, counted)
    if before is not None and trusted is not None and (trusted & (before >= 0)).any():
        came = np.where(trusted, before, y)
        witnesses = _some(rng, np.flatnonzero(came >= 0), FIT_CELLS // n_classes)
        settled = np.flatnonzero(trusted & (before >= 0))
        pairs = np.bincount(y[settled] * n_classes + before[settled], minlength=n_classes**2)
        reviewed = pairs.reshape(n_classes, n_classes) * (len(sample) / len(doubted))
        of_all = (came[witnesses], probs[witnesses])
        models = tuple(_with_reviewed(each, labels, p, reviewed, *of_all) for each in models)  # type: ignore[assignment]
    return models[0], models[1:]


def confident_counts(y: Ints, probs: Floats) -> Ints:
    """Confident joint (K, K): rows whose probability of class i is at least the mean of the rows labeled i, by label.

    A row that is so for several classes counts for the likeliest (Northcutt et al. 2021, eq. 1).

    Examples
    --------
    >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.2, 0.8]])
    >>> confident_counts(np.array([0, 0, 1, 1]), probs).tolist()
    [[1, 1], [0, 1]]
    """
    n_classes = probs.shape[1]
    total = np.bincount(y, probs[np.arange(len(y)), y], minlength=n_classes)
    n = np.bincount(y, minlength=n_classes)
    mean = np.where(n > 0, total / np.maximum(n, 1), np.inf).astype(probs.dtype)
    sure = np.where(probs >= mean * (1 - 1e-6), probs, -1)  # a mean of equal numbers may be rounded up
    best = sure.argmax(1)
    counted = sure[np.arange(len(y)), best] >= 0
    pairs = best[counted] * n_classes + y[counted]
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def honest(y: Ints, probs: Floats, held_out: NDArray[np.bool_]) -> Floats:
    """Probabilities (n, K) whose training rows believe their label no more than the held-out rows do theirs.

    The quantiles of the logit of the given label are matched, by a line; beyond it only as far as a level that is off
    by two standard errors cannot explain. A held-out set that has fewer wrong labels than the rest by chance would
    else tell that the rest has fewer, too. The other classes share what is left as before.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels, none missing.
    probs : ndarray of shape (n, K)
    held_out : ndarray of shape (n,), bool
        Below 20 rows, or without a training row, nothing changes.

    Examples
    --------
    >>> probs = np.tile([[0.9, 0.1], [0.6, 0.4]], (300, 1))
    >>> held_out = np.arange(600) % 2 == 1
    >>> honest(np.zeros(600, dtype=int), probs, held_out)[0].round(3).tolist()
    [0.6, 0.4]
    """
    if held_out.sum() < MIN_HELD_OUT or held_out.all():
        return probs
    rows = np.arange(len(y))
    own = np.clip(probs[rows, y].astype(float), LEAST, 1 - LEAST)
    logit = np.log(own) - np.log1p(-own)
    n_knots = int(min(KNOTS, held_out.sum() // KNOT_ROWS))
    levels = (np.arange(n_knots) + 0.5) / n_knots
    seen, unseen = np.quantile(logit[~held_out], levels), np.quantile(logit[held_out], levels)
    chance = 2 * np.sqrt(levels * (1 - levels) * (1 / held_out.sum() + 1 / (~held_out).sum()))  # of a level
    low, high = (np.quantile(logit[~held_out], np.clip(levels + way * chance, 0, 1)) for way in (-1, 1))
    line = _line(seen, unseen - seen, np.maximum(high - low, LEAST))
    away = unseen - seen - line
    explained = np.where(away > 0, high - seen, seen - low) / np.maximum(np.abs(away), LEAST)
    shift = line + away * np.maximum(0.0, 1 - explained**2)
    moved = logit + np.where(held_out, 0.0, np.interp(logit, seen, shift))
    told = 1 / (1 + np.exp(-moved))
    out = np.array(probs)
    out[rows, y] = 0
    none = out.sum(1) < NOTHING
    out[none] = 1  # for a label known by heart there are no shares: all others get the same
    out[rows, y] = 0
    out *= ((1 - told) / np.maximum(out.sum(1), NOTHING)).astype(out.dtype)[:, None]
    out[rows, y] = told
    return out


def _line(x: Floats, y: Floats, error: Floats) -> Floats:
    """The line through y (n,) over x, of least squares in units of ``error``, at x."""
    weight = 1 / error**2
    from_mean = x - np.average(x, weights=weight)
    slope = np.average(from_mean * y, weights=weight) / max(np.average(from_mean**2, weights=weight), LEAST)
    return np.average(y, weights=weight) + slope * from_mean


def _some(rng: np.random.Generator, rows: Ints, n: int) -> Ints:
    return rows if len(rows) <= n else np.sort(rng.choice(rows, n, replace=False))


def _inverse(T: NDArray[np.float64], mixed: bool) -> Any:
    """What takes the noise out of probabilities that are mixed up by T, if it can be."""
    return np.linalg.inv(T) if mixed and np.linalg.cond(T) < SINGULAR else None


def _calibrate(
    T: NDArray[np.float64], y: Ints, probs: Floats, inverse: Any, start: NoiseModel | None = None
) -> tuple[float, NoiseModel]:
    """Temperature and bias for a T, and the loss: minus the mean log-likelihood of the labels (n,)."""
    from scipy.optimize import minimize

    n_classes = len(T)
    p = np.asarray(probs, dtype=np.float64)  # in single precision the end of the search hangs on the order of the rows
    logs = np.log(np.maximum(p if inverse is None else p @ inverse, LEAST))
    reach = np.maximum(T.T[y], 1e-9)
    prior = np.r_[16.0, np.ones(n_classes)]  # normal, so that a handful of labels cannot decide

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = np.exp(x[0]) * logs + x[1:]
        w -= w.max(1, keepdims=True)
        np.exp(w, out=w)
        q = w * reach
        total, joint = w.sum(1), q.sum(1)
        value = float(np.log(total).sum() - np.log(joint).sum())
        w /= total[:, None]
        q /= joint[:, None]
        w -= q
        slope = np.r_[np.exp(x[0]) * np.vdot(w, logs), w.sum(0)]
        return (value + prior @ x**2 / 2) / len(y), (slope + prior * x) / len(y)

    guess = np.zeros(1 + n_classes) if start is None else np.r_[np.log(start.temperature), start.bias]
    bounds = [(-1.6, 1.6), *[(-5.0, 5.0)] * n_classes]
    found = minimize(loss, guess, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 30, "ftol": 1e-6})
    return float(found.fun), NoiseModel(T, inverse, float(np.exp(found.x[0])), found.x[1:])


def _recount(model: NoiseModel, y: Ints, probs: Floats, first: NDArray[np.float64]) -> NDArray[np.float64]:
    """T counted among the third of the rows of each class i that looks least like each other class j.

    One wrong label more in each class, spread as the first reading of T has it: where the labels tell nothing, people
    mix up what looks alike.
    """
    n_classes = len(model.T)
    clean = np.concatenate([model.clean(probs[part]) for part in blocks(probs)])
    best = clean.argmax(1)
    sure = clean[np.arange(len(y)), best]
    chance = sure * model.T[best, y] / np.einsum("ij,ij->i", clean, model.T.T.astype(np.float32)[y])
    order = np.argsort(best, kind="stable")
    hits, seen = np.zeros((n_classes, n_classes)), np.zeros((n_classes, n_classes))
    for i, of_class in enumerate(np.split(order, np.searchsorted(best[order], np.arange(1, n_classes)))):
        if len(of_class) < MIN_ROWS:
            continue
        looks = probs[of_class]
        some = np.ascontiguousarray(looks[:: max(1, len(looks) // QUANTILE_ROWS)].T)
        place = (some.shape[1] - 1) // 3
        low = looks <= np.partition(some, place)[:, place]
        counted = low[np.arange(len(of_class)), y[of_class]]
        hits[i] = np.bincount(y[of_class], chance[of_class] * counted, minlength=n_classes)
        seen[i] = sure[of_class] @ low.astype(np.float32)
    alike = first - np.diag(np.diag(first))
    alike /= (
        np.maximum(alike.sum(1, keepdims=True), 1e-12) * np.maximum(np.bincount(best, minlength=n_classes), 1)[:, None]
    )
    return _rows_of(hits, seen, alike, model.T.copy())


def _with_reviewed(
    model: NoiseModel, y: Ints, probs: Floats, reviewed: NDArray[np.floating], came: Ints, of_all: Floats
) -> NoiseModel:
    """The model of all labels as they came.

    ``y`` (n,) and ``probs`` are of doubtful rows, ``reviewed`` (K, K) counts the others, true by given label; ``came``
    (m,) and ``of_all`` are of rows of both kinds.
    """
    expected = sum((model.clean(probs[part]).sum(0) for part in blocks(probs)), start=np.zeros(len(model.T)))
    counts = reviewed + expected[:, None] * model.T
    model = replace(model, T=counts / counts.sum(1, keepdims=True))
    for _ in range(REVIEWED_FITS):
        for _ in range(REVIEWED_STEPS):
            model = replace(model, T=_scaled(model, y, probs, reviewed))
        _, model = _calibrate(model.T, came, of_all, model.inverse, model)
    return model


def _scaled(
    model: NoiseModel, y: Ints, probs: Floats, reviewed: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """T, each row of it with as much noise as eq. 1 finds: an EM step for the sums of the rows beside the diagonal."""
    n_classes = len(model.T)
    found, foretold = np.ones(n_classes), np.ones(n_classes)  # one label more keeps one label from deciding
    if reviewed is not None:
        found += reviewed.sum(1) - np.diag(reviewed)
        foretold += reviewed.sum(1) * (1 - np.diag(model.T))
    for part in blocks(probs):
        q, given = model.posterior(y[part], probs[part]), y[part]
        found += q.sum(0) - np.bincount(given, q[np.arange(len(q)), given], minlength=n_classes)
        foretold += model.clean(probs[part]).sum(0) * (1 - np.diag(model.T))
    noise = model.T - np.diag(np.diag(model.T))
    most = 1 / np.maximum(noise.sum(1) + noise.max(1), 1e-12)  # the true class stays the likeliest
    noise *= np.minimum(found / foretold, most)[:, None]
    return noise + np.diag(1 - noise.sum(1))


def _rows_of(
    hits: NDArray[np.float64], seen: NDArray[np.float64], alike: NDArray[np.float64], T: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rows of T from expected wrong labels and the rows that they were counted on; rows not counted stay.

    An entry that chance could have brought so far from the usual rate of its row, as one of the K (K - 1), is taken
    to be usual, and the others are drawn to it a little (James & Stein's rule with the universal threshold of
    Donoho & Johnstone). What looks alike is never told apart quite, so less than twice the usual rate is usual, too.
    """
    n_classes = len(T)
    chance = 2 * np.log(max(n_classes * (n_classes - 1), 2))
    np.fill_diagonal(hits, 0.0)
    counted = np.flatnonzero(seen.sum(1) > 0) if n_classes > 1 else ()
    for i in counted:
        others = np.arange(n_classes) != i
        n, rate = np.maximum(seen[i, others], 1.0), hits[i, others] / np.maximum(seen[i, others], 1.0)
        common = np.ones(n_classes - 1, dtype=bool)
        for _ in range(5):  # the rate of those that are not too many for it
            usual = max(float((rate * n)[common].sum() / n[common].sum()), LEAST)
            common = rate <= usual + np.sqrt(chance * usual / n)
        squared = (rate - usual) ** 2 * n / usual
        rate = usual + (rate - usual) * np.maximum(0.0, 1 - chance / np.maximum(squared, 1e-12))
        rate = np.where(rate < MIXED_UP * usual, usual, rate) + alike[i, others]
        rate *= min(1.0, 1 / (rate.sum() + rate.max()))  # the true class stays the likeliest
        T[i, others], T[i, i] = rate, 1 - rate.sum()
    return T
