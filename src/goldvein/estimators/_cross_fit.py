"""Any scikit-learn classifier on soft labels, and its probabilities for rows that it was not trained on.

A soft label is a row of probabilities. A classifier with ``takes_soft_labels`` is fitted to them as they are. It sees
the rows without a label, too; their soft labels are 0. One that takes ``sample_weight`` is fitted to one copy of the
row for each likely class, with the probability as its weight (Bekker & Goldberger 2016 for networks). Any other one is
fitted to the likeliest class of each row that has one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import has_fit_parameter

from goldvein.data.targets import as_trusted_mask, encode_targets
from goldvein.errors import InputError

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
MOST_CLASSES, LEAST_WEIGHT = 3, 1e-3  # of a soft label that are learned from
# A support vector machine has margins, not probabilities. The noise model finds their scale; this is where it begins.
MARGIN_SCALE = 2.0


class FittedOn:
    """A classifier that knows some of the K classes, fitted; its probabilities have K columns.

    Parameters
    ----------
    estimator : object
        Any scikit-learn classifier; it is copied.
    X : array, sparse matrix or DataFrame of n rows
    targets : ndarray of shape (n, K)
        Soft labels; a row of zeros is left out.
    weight : ndarray of shape (n,), optional
        Weights of the rows.
    """

    def __init__(self, estimator: Any, X: Any, targets: Floats, weight: Floats | None = None) -> None:
        self.n_classes = targets.shape[1]
        self.estimator = clone(estimator)
        if takes_soft_labels(estimator):
            self.known = np.arange(self.n_classes)
            self.estimator.fit(X, targets if weight is None else targets * weight[:, None])
            return
        rows, y, weights = expand(targets) if takes_weights(estimator) else likeliest(targets)
        if weight is not None:
            weights = weights * weight[rows]
        self.known, codes = np.unique(y, return_inverse=True)
        if len(self.known) > 1:
            self.estimator.fit(_safe_indexing(X, rows), codes, **_weights_for(estimator, weights))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return probabilities (n, K); 0 for classes that no target had."""
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        out = np.zeros((n, self.n_classes))
        out[:, self.known] = 1.0 if len(self.known) == 1 else _probabilities(self.estimator, X)
        return out


def take_labels(
    X: Any, y: ArrayLike, trusted: ArrayLike | None, folds: int
) -> tuple[NDArray[Any], Ints, NDArray[np.bool_]]:
    """Return the classes (K,), the labels of X (n,) as indices into them (-1 is missing), and which are trusted (n,).

    Raises
    ------
    InputError
        If the labels cannot be used, or there are fewer than two folds.
    """
    if folds < 2:
        raise InputError(f"folds={folds}: give at least 2, since each row is judged without its own label")
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    classes, labels = encode_targets(y, n, missing=["", -1])
    return classes, labels, np.zeros(n, dtype=bool) if trusted is None else as_trusted_mask(trusted, labels)


def deal_folds(y: Ints, n_folds: int, rng: np.random.Generator) -> Ints:
    """Return the fold of each row (n,): the labels of a class are dealt evenly, at random; -1 without a label.

    Examples
    --------
    >>> np.sort(deal_folds(np.array([0, 0, 1, 1, -1]), 2, np.random.default_rng(0))).tolist()
    [-1, 0, 0, 1, 1]
    """
    fold = np.full(len(y), -1, dtype=np.int64)
    start = 0
    for c in np.unique(y[y >= 0]):
        rows = rng.permutation(np.flatnonzero(y == c))
        fold[rows] = (np.arange(len(rows)) + start) % n_folds
        start += len(rows)  # classes smaller than the number of folds do not all fill the first
    return fold


def cross_fit(estimator: Any, X: Any, targets: Floats, fold: Ints, weight: Floats | None = None) -> NDArray[np.float64]:
    """Return probabilities (n, K), for each row by a classifier that was not fitted to it.

    Rows of fold -1 are in no training set; their probabilities are the mean over the folds.
    """
    out = np.zeros(targets.shape)
    n_folds = int(fold.max()) + 1
    others = np.flatnonzero(fold < 0)
    for k in range(n_folds):
        fitted = fit_without(estimator, X, targets, fold, k, weight)
        test = np.flatnonzero(fold == k)
        if len(test):
            out[test] = fitted.predict_proba(_safe_indexing(X, test))
        if len(others):
            out[others] += fitted.predict_proba(_safe_indexing(X, others)) / n_folds
    return out


def fit_without(estimator: Any, X: Any, targets: Floats, fold: Ints, k: int, weight: Floats | None = None) -> FittedOn:
    """Return a classifier that was fitted to all folds but ``k``; one of soft labels sees the rows of that, too."""
    if takes_soft_labels(estimator):
        return FittedOn(estimator, X, np.where((fold == k)[:, None], 0, targets), weight)
    train = np.flatnonzero((fold >= 0) & (fold != k))
    weights = None if weight is None else weight[train]
    return FittedOn(estimator, _safe_indexing(X, train), targets[train], weights)


def one_hot(y: Ints, n_classes: int) -> NDArray[np.float32]:
    """Return labels (n,) as soft labels (n, K); a missing one (-1) is a row of zeros."""
    out = np.zeros((len(y), n_classes), dtype=np.float32)
    given = np.flatnonzero(y >= 0)
    out[given, y[given]] = 1
    return out


def expand(targets: Floats) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """Return a row number, a class and a weight for each likely class of soft labels (n, K); those of a row sum to 1.

    Examples
    --------
    >>> expand(np.array([[0.6, 0.4, 0.0], [0.0, 0.0, 1.0]]))
    (array([0, 0, 1]), array([0, 1, 2]), array([0.6, 0.4, 1. ]))
    """
    weights = targets.astype(np.float64)
    if targets.shape[1] > MOST_CLASSES:
        least = np.partition(weights, -MOST_CLASSES, axis=1)[:, [-MOST_CLASSES]]
        weights = np.where(weights >= least, weights, 0)
    weights = np.where(weights > LEAST_WEIGHT, weights, 0)
    rows, y = np.nonzero(weights)
    return rows, y, weights[rows, y] / weights.sum(1)[rows]


def likeliest(targets: Floats) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """Return row number, class and weight 1 for each soft label (n, K) with a class of at least 1/2."""
    rows = np.flatnonzero(targets.max(1) >= 0.5)
    return rows, targets[rows].argmax(1), np.ones(len(rows))


def takes_weights(estimator: Any) -> bool:
    """Return whether ``fit`` of a classifier, or of the last step of a pipeline, has ``sample_weight``."""
    return bool(has_fit_parameter(last_step(estimator), "sample_weight"))


def takes_soft_labels(estimator: Any) -> bool:
    """Return whether a classifier, or the last step of a pipeline, is fitted to soft labels (n, K) of all rows."""
    return bool(getattr(last_step(estimator), "takes_soft_labels", False))


def last_step(estimator: Any) -> Any:
    """Return the classifier of a pipeline, or a classifier itself."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _weights_for(estimator: Any, weights: Floats) -> dict[str, Floats]:
    if not takes_weights(estimator):
        return {}
    step = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
    return {f"{step}sample_weight": weights}


def _probabilities(estimator: Any, X: Any) -> NDArray[np.float64]:
    """Return the probabilities of a fitted classifier, or those of its margins."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(X), dtype=np.float64)
    margin = MARGIN_SCALE * np.asarray(estimator.decision_function(X), dtype=np.float64)
    if margin.ndim == 1:
        return np.asarray(np.stack([expit(-margin), expit(margin)], axis=1))
    return np.asarray(softmax(margin, axis=1))
