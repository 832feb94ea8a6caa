"""Rows that are the same, and yet have different labels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def twins(rows: NDArray, y: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row (N,) the first equal one with another label, or -1; rows without a label (-1) have none.

    Examples
    --------
    >>> twins(np.array([[1, 2], [3, 4], [1, 2], [1, 2]]), np.array([0, 0, 1, -1])).tolist()
    [2, -1, 0, -1]
    """
    out: NDArray[np.int64] = np.full(len(y), -1)
    groups: dict[int, list[int]] = {}
    given = np.flatnonzero(y >= 0)
    flat = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    for i in given.tolist():
        groups.setdefault(hash(flat[i].tobytes()), []).append(i)
    for group in groups.values():
        if len(group) > 1 and len(set(y[group].tolist())) > 1:
            for i in group:
                out[i] = next((j for j in group if y[j] != y[i] and np.array_equal(flat[i], flat[j])), -1)
    return out
