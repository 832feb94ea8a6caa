"""The nearest rows of each row: exact up to 20,000 rows, approximate above if faiss is installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.neighbors import NearestNeighbors

EXACT = 20_000  # rows up to which all distances are computed
LINKS, DEPTH = 16, 64  # of the graph that faiss searches (HNSW): links of a row, and rows that are kept in a search


def nearest(X: Any, new: Any, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return Euclidean distances (n, k), ascending, to the nearest rows of X (N, D), and their numbers (n, k).

    With ``new=None`` they are those of each row of X to the other rows.

    Examples
    --------
    >>> distance, row = nearest(np.array([[0.0], [1.0], [3.0]]), None, 1)
    >>> distance.ravel().tolist(), row.ravel().tolist()
    ([1.0, 1.0, 2.0], [1, 0, 1])
    """
    if X.shape[0] > EXACT and not issparse(X) and _has_faiss():
        return _approximate(X, new, k)
    distance, row = NearestNeighbors(n_neighbors=k).fit(X).kneighbors(new)
    return np.asarray(distance, dtype=np.float32), np.asarray(row, dtype=np.int64)


def can_search(X: Any) -> bool:
    """Return whether the neighbors of all rows of X are found in reasonable time."""
    return X.shape[0] <= EXACT or (not issparse(X) and _has_faiss())


def _has_faiss() -> bool:
    return importlib.util.find_spec("faiss") is not None


def _approximate(X: Any, new: Any, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    import faiss

    X = np.ascontiguousarray(X, dtype=np.float32)
    index = faiss.IndexHNSWFlat(X.shape[1], LINKS)
    index.hnsw.efSearch = max(DEPTH, 2 * k)
    index.add(X)
    if new is not None:
        square, row = index.search(np.ascontiguousarray(new, dtype=np.float32), k)
        return np.sqrt(square), row
    square, row = index.search(X, k + 1)
    own = row == np.arange(len(X))[:, None]
    own[~own.any(axis=1), -1] = True  # of many equal rows, the search may find others only: one of them goes
    return np.sqrt(square[~own]).reshape(-1, k), row[~own].reshape(-1, k)
