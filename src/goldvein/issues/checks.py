"""Checks of the arrays by which labels are judged, and of precision and budget, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldvein.errors import InputError
from goldvein.noise.model import blocks

SLACK = 1e-2  # largest allowed difference between 1 and the sum of a row of probabilities
ROUNDING = 1e-6  # how far a probability may be below 0, by rounding errors


def check_target(precision: float, budget: int | None) -> None:
    """Refuse a precision or a budget that is out of range."""
    if not isinstance(precision, Real) or not 0 < precision < 1:
        raise InputError(f"precision={precision!r}: it must be above 0 and below 1")
    if budget is not None and (not isinstance(budget, Integral) or isinstance(budget, bool) or budget < 1):
        raise InputError(f"budget={budget!r}: it must be a number of labels to review, at least 1")


def as_array(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return values as an array.

    Raises
    ------
    InputError
        If rows have different lengths.
    """
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of different length
        raise InputError(f"{name} is not an array ({error}): give rows of the same length") from error


def check(y: NDArray[Any], arrays: Mapping[str, NDArray[Any] | None]) -> int:
    """Check shapes, types and ranges of labels and arrays, and return the number of classes K.

    Raises
    ------
    InputError
        With the first fault.
    """
    for name, values in arrays.items():
        if values is not None and values.dtype.kind not in "iufb":
            raise InputError(f"{name} holds {values.dtype}: give numbers")
    probs = arrays["probs"]
    if probs is not None and (probs.ndim != 2 or y.shape != (len(probs),)):
        raise InputError(f"y has shape {y.shape} and probs {probs.shape}: they must be (N,) and (N, K)")
    n_classes = int(y.max(initial=0)) + 1 if probs is None and y.dtype.kind in "iu" else 0
    n_classes = n_classes if probs is None else probs.shape[1]
    if y.ndim != 1 or not len(y):
        raise InputError(f"y has shape {y.shape}: give one label for each row, at least one")
    if y.dtype.kind not in "iu":
        raise InputError(f"y holds {y.dtype}, as {y[0]!r}: give class numbers, as np.unique(y, return_inverse=True)[1]")
    if y.max() >= n_classes or y.min() < -1:
        last, stranger = n_classes - 1, int(y[(y >= n_classes) | (y < -1)][0])
        raise InputError(f"y holds {stranger}: give class numbers 0 to {last}, the columns of probs, or -1 for missing")
    if not (y >= 0).any():
        raise InputError("y has no label: every entry is -1; give at least one label per class")
    for name, dimensions in (("margins", 1), ("agreement", 1), ("features", 2)):
        values = arrays[name]
        if values is None:
            continue
        if values.ndim != dimensions or len(values) != len(y):
            shape = "(N,)" if dimensions == 1 else "(N, D)"
            raise InputError(f"y has shape {y.shape} and {name} {values.shape}: they must be (N,) and {shape}")
        bad = np.flatnonzero(~np.isfinite(values[y >= 0].reshape(int((y >= 0).sum()), -1)).all(1))
        if len(bad):
            raise InputError(f"row {np.flatnonzero(y >= 0)[bad[0]]} of {name} is not finite: give finite numbers")
        if name == "features" and (y >= 0).sum() < 2:
            raise InputError("features need at least 2 labeled rows to compare")
        outside = values[(y >= 0) & ((values < 0) | (values > 1))] if name == "agreement" else values[:0]
        if len(outside):
            raise InputError(f"agreement holds {outside[0]}: it is a share of the epochs, from 0 to 1")
    if probs is not None:
        _check_probs(probs)
    return n_classes


def _check_probs(probs: NDArray[Any]) -> None:
    ones = np.ones(probs.shape[1], dtype=probs.dtype if probs.dtype.kind == "f" else float)
    for part in blocks(probs):  # no second array of this size in memory
        p = probs[part]
        sums = p @ ones
        fine = np.abs(sums - 1) < SLACK
        if fine.all() and p.min() >= -ROUNDING:
            continue
        row = int(np.flatnonzero(~(fine & (p >= -ROUNDING).all(1)))[0])
        where = f"row {part.start + row} of probs"
        if np.isnan(p[row]).any():
            raise InputError(f"{where} sums to nan: it holds NaN; give probabilities, or leave the row out")
        if (p[row] < 0).any():
            raise InputError(f"{where} holds {p[row].min()}: probabilities are not negative; apply a softmax to logits")
        raise InputError(f"{where} sums to {sums[row]:.6g}: each row must be probabilities that sum to 1")
