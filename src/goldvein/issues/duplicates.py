"""Duplicates: rows that are the same, or nearly the same, but have different labels.

Equal rows are found by their bytes. Pictures that were saved again, a little darker or noisier, are found by sketches
(locality-sensitive hashing, Charikar 2002). A sketch has the signs of random projections of a coarse picture, in four
parts. At least one part is likely to be equal in both pictures. All pixels of two such pictures are then compared.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.selectors.neighbors import UNIQUE

SIDE = 8  # blocks in a row or column of the coarse picture
BANDS, BITS = 4, 16  # parts of a sketch, and signs in each
NEXT = 8  # rows that share a part are sorted by one more projection; each is compared with this many rows after it
ALIKE = 0.2  # largest root mean square difference of two duplicates, in standard deviations of the pixels of one
CELLS = 2**22  # values that are compared at a time, which limits the memory


def find_duplicates(rows: NDArray[Any], y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row (N,) another row that is nearly the same but has another label; -1 for none.

    Rows without a label (-1) have none.

    Parameters
    ----------
    rows : ndarray of shape (N, D), or (N, C, H, W)
        Equal vectors only count if nearly all rows differ: with few features, rows may be equal by chance. Pictures
        that are nearly equal count, too.
    y : ndarray of shape (N,), int64

    Examples
    --------
    >>> pictures = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8))
    >>> pictures[2] = pictures[0]
    >>> find_duplicates(pictures, np.array([0, 0, 1, -1])).tolist()
    [2, -1, 0, -1]
    """
    out = np.full(len(y), -1)
    given = np.flatnonzero(y >= 0)
    flat = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    groups: dict[int, list[int]] = {}
    for i in given.tolist():
        groups.setdefault(hash(flat[i].tobytes()), []).append(i)
    if rows.ndim < 4 and len(groups) < UNIQUE * len(given):
        return out
    for group in groups.values():
        first = {int(y[i]): i for i in reversed(group)}  # the first row of each label
        for i in group if len(first) > 1 else ():
            j = next(j for label, j in first.items() if label != y[i])
            out[i] = j if np.array_equal(flat[i], flat[j]) else -1  # not if only their hashes are equal
    alone = given[out[given] < 0]
    if rows.ndim == 4 and min(rows.shape[2:]) >= SIDE and len(alone) > 1:
        for a, b in _candidates(rows, y, alone):
            same = _alike(flat, a, b)
            out[a[same]], out[b[same]] = b[same], a[same]
    return out


def _candidates(
    rows: NDArray[Any], y: NDArray[np.int64], of: NDArray[np.int64]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return pairs of pictures with different labels, a common part of the sketch and similar coarse pictures."""
    coarse, spread = _coarse(rows, of)
    middle = coarse.mean(0)
    # the same rows always have the same duplicates
    planes = np.random.default_rng(0).standard_normal((coarse.shape[1], BANDS * (BITS + 1))).astype(np.float32)
    places = ((coarse - middle) @ planes).reshape(len(of), BANDS, BITS + 1)
    keys = (places[:, :, :BITS] > 0) @ (1 << np.arange(BITS))  # (n, BANDS): the signs of a part as one number
    pairs = []
    for band in range(BANDS):
        order = np.lexsort((places[:, band, BITS], keys[:, band]))  # by part, then by the extra projection
        for step in range(1, NEXT + 1):
            a, b = order[:-step], order[step:]
            chosen = (keys[a, band] == keys[b, band]) & (y[of[a]] != y[of[b]])
            a, b = a[chosen], b[chosen]
            # the mean over a block differs less than its pixels, so no duplicate is lost here
            near = np.square(coarse[a] - coarse[b]).mean(1) < np.square(ALIKE * spread[a])
            pairs.append((of[a[near]], of[b[near]]))
    return pairs


def _coarse(rows: NDArray[Any], of: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return pictures as 8 x 8 gray blocks of mean 0, (n, 64), and the standard deviation of their pixels (n,)."""
    height, width = (side // SIDE for side in rows.shape[2:])
    out, spread = np.empty((len(of), SIDE * SIDE), dtype=np.float32), np.empty(len(of), dtype=np.float32)
    step = max(1, CELLS // math.prod(rows.shape[1:]))
    for start in range(0, len(of), step):
        some = rows[of[start : start + step]]
        spread[start : start + step] = some.reshape(len(some), -1).std(1, dtype=np.float32)
        some = some[:, :, : height * SIDE, : width * SIDE]  # without the rest at the lower and right edge
        blocks = some.reshape(len(some), -1, SIDE, height, SIDE, width).mean((1, 3, 5), dtype=np.float32)
        out[start : start + step] = blocks.reshape(len(some), -1)
    return out - out.mean(1, keepdims=True), spread  # a darker copy has the same blocks


def _alike(flat: NDArray[Any], a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pairs of rows are nearly the same."""
    parts = []
    step = max(1, CELLS // flat.shape[1])
    for start in range(0, len(a), step):
        one, other = (flat[rows[start : start + step]].astype(np.float32) for rows in (a, b))
        gap = np.sqrt(np.square(one - other).mean(1))
        parts.append(gap < ALIKE * one.std(1))
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)
