"""Numbers with mean 0 and deviation 1; frequencies of words, and columns of two values, stay as they are."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

MOST_NONZERO = 0.1  # share of the values


class NumberScaler(TransformerMixin, BaseEstimator):
    """Scale the columns of numbers.

    A column of two values mostly says whether a row has a category; a rare category would become a large number. So
    would a rare word: see :func:`are_frequencies`.

    Examples
    --------
    >>> NumberScaler().fit_transform(np.array([[1.0, 1], [3, 0], [5, 1], [7, 0]])).astype(float).round(1).tolist()
    [[-1.3, 1.0], [-0.4, 0.0], [0.4, 1.0], [1.3, 0.0]]
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn mean and deviation of the columns of X (n, D)."""
        rows = validate_data(self, X, accept_sparse="csr", dtype="numeric")
        self.mean_, self.scale_ = np.zeros(rows.shape[1]), np.ones(rows.shape[1])
        if not (issparse(rows) or are_frequencies(rows)):
            least, most = rows.min(0), rows.max(0)
            numbers = ((least != rows) & (most != rows)).any(axis=0)
            self.mean_[numbers] = rows[:, numbers].mean(0, dtype=np.float64)
            self.scale_[numbers] = np.maximum(rows[:, numbers].std(0, dtype=np.float64), np.finfo(np.float32).tiny)
        return self

    def transform(self, X: Any) -> Any:
        """Return scaled rows (n, D), float32; a sparse matrix is not scaled."""
        check_is_fitted(self)
        rows = validate_data(self, X, accept_sparse="csr", dtype="numeric", reset=False, ensure_min_samples=0)
        return rows if issparse(rows) else ((rows - self.mean_) / self.scale_).astype(np.float32)


def are_frequencies(X: Any) -> bool:
    """Return whether the columns of X (n, D) probably are frequencies of words: not negative, and mostly 0.

    Examples
    --------
    >>> are_frequencies(np.eye(20)), are_frequencies(np.ones((20, 20)))
    (True, False)
    """
    values = X.data if issparse(X) else X
    most = MOST_NONZERO * X.shape[0] * X.shape[1]
    return bool((values >= 0).all()) and bool(np.count_nonzero(values) <= most)
