"""Class indices of labels in Python (arrays, lists, columns; some missing), and which rows to hold out."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from goldvein.data.check import check_labels, check_trusted
from goldvein.errors import InputError, unknown

MIN_VALIDATION = 10  # held-out labels per class that validation needs


def split_missing(y: ArrayLike | None, missing: Any = "auto") -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return labels (N,), and the mask of the missing ones.

    NaN and None are missing. With ``auto``, -1 and "" are, too; otherwise the value, or the values of the list,
    ``missing``.

    Raises
    ------
    InputError
        If there is not one label per row.

    Examples
    --------
    >>> labels, missing = split_missing(["cat", None, "dog", ""])
    >>> missing.tolist()
    [False, True, False, True]
    """
    if y is None:
        raise InputError("fit requires y to be passed, but the target y is None: give labels, with -1 for missing ones")
    values = np.asarray(y)
    if values.dtype.kind in "US" and not hasattr(y, "dtype"):
        values = np.asarray(y, dtype=object)  # numpy turns a NaN in a list of names into "nan"
    if values.ndim == 2 and values.shape[1] == 1:
        values = column_or_1d(values, warn=True)
    if values.ndim != 1:
        raise InputError(f"y has shape {values.shape}: give one label per row, shape (n_samples,)")
    given = missing if isinstance(missing, list | tuple | set) else [] if missing is None else [missing]
    marks: list[Any] = ["", -1] if isinstance(missing, str) and missing == "auto" else list(given)
    if values.dtype.kind in "iufb":
        absent = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
        for mark in marks:
            # True equals 1, but labels are either numbers or not
            if isinstance(mark, Real) and isinstance(mark, bool) == (values.dtype.kind == "b"):
                absent |= values == mark
        return values, absent
    import pandas as pd

    absent = np.asarray(pd.isna(values))  # also finds None, NaT and pd.NA
    absent[~absent] = [any(v is m or (type(v) is type(m) and v == m) for m in marks) for v in values[~absent].tolist()]
    kinds = {_kind_of(v): v for v in reversed(values[~absent].tolist())}
    if len(kinds) > 1:
        (one, a), (other, b), *_ = kinds.items()
        raise InputError(f"y mixes {one} ({a!r}) and {other} ({b!r}): write all labels in one way")
    if "whole numbers" in kinds:  # next to None, they are an array of objects
        values = np.where(absent, -1, values).astype(np.int64)
    elif "numbers" in kinds:
        values = np.where(absent, np.nan, values).astype(np.float64)
    return values, absent


def _kind_of(label: Any) -> str:
    if isinstance(label, bool | np.bool_):
        return "True and False"
    if isinstance(label, Integral):
        return "whole numbers"
    return "numbers" if isinstance(label, Real) else "text" if isinstance(label, str) else type(label).__name__


def as_trusted_mask(trusted: ArrayLike, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the mask (n,) of labels known to be right.

    Raises
    ------
    InputError
        If the mask has another length or holds other values than True, False, 1 and 0, or a trusted row has no label.
    """
    values = np.asarray(trusted)
    invalid = [value for value in values.ravel().tolist() if value not in (True, False)]
    if invalid:
        raise InputError(f"trusted holds {invalid[0]!r}: give True or False for each row")
    mask = values.astype(bool)
    if mask.shape != labels.shape:
        raise InputError(f"trusted has shape {mask.shape}: give one bool for each of the {len(labels)} rows")
    check_trusted(mask, labels)
    return mask


def encode_targets(y: ArrayLike | None, n: int, missing: Any = "auto") -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sorted classes (K,) of the labels of n rows, and the labels as class indices, -1 for missing ones.

    Raises
    ------
    InputError
        If there is not one label per row, or :func:`goldvein.data.check.check_labels` refuses the labels.

    Examples
    --------
    >>> encode_targets(["b", "", "a", "b", "a"], 5)
    (array(['a', 'b'], dtype=object), array([ 1, -1,  0,  1,  0]))
    """
    values, absent = split_missing(y, missing)
    if len(values) != n:
        raise InputError(f"y has {len(values)} labels and X {n} rows: give one label (or -1) for each row")
    if not absent.all():
        check_classification_targets(values[~absent])
    classes, codes = np.unique(values[~absent], return_inverse=True)
    labels = np.full(n, -1, dtype=np.int64)
    labels[~absent] = codes
    _say_what_minus_one_is(values, classes, missing)
    check_labels(labels, tuple(classes.tolist()))
    return classes, labels


def _say_what_minus_one_is(values: NDArray[Any], classes: NDArray[Any], missing: Any) -> None:
    """Speak up where -1 may be a class: next to 1 alone, or next to 0 and 1."""
    if not (isinstance(missing, str) and missing == "auto") or values.dtype.kind not in "if":
        return
    n = int((values == -1).sum())
    if n and classes.tolist() == [1]:
        raise InputError(
            f"y has -1 and 1 only, and -1 is a missing label ({n} rows): give missing=None if it is a class"
        )
    if n and classes.tolist() == [0, 1]:
        warnings.warn(
            f"-1 is a missing label ({n} rows): give missing=None if it is a class, missing=-1 if it is not",
            stacklevel=4,
        )


def encode_as(y: NDArray[Any], classes: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Return labels (n,), none of them missing, as indices into the classes of training (K,).

    Raises
    ------
    InputError
        If a label is not one of the classes; the message calls ``y`` by ``name``.

    Examples
    --------
    >>> encode_as(np.array(["b", "a"]), np.array(["a", "b"]), "y_val")
    array([1, 0])
    """
    known = {label: k for k, label in enumerate(classes.tolist())}
    for label in y.tolist():
        if label not in known:
            raise InputError(f"{name} holds {label!r}, which y does not have: remove it, or give a row of X this label")
    return np.array([known[label] for label in y.tolist()], dtype=np.int64)


def encode_known(
    y: ArrayLike | None, n: int, classes: NDArray[Any], name: str, missing: Any = "auto"
) -> NDArray[np.int64]:
    """Return labels (n,) as indices into the classes of training (K,); -1 for missing labels and other classes.

    Raises
    ------
    InputError
        If there is not one label per row; the message calls ``y`` by ``name``.

    Examples
    --------
    >>> encode_known(["b", "", "z"], 3, np.array(["a", "b"]), "y_test")
    array([ 1, -1, -1])
    """
    values, absent = split_missing(y, missing)
    if len(values) != n:
        raise InputError(f"{name} has {len(values)} labels for {n} rows: give one for each row")
    same = (values[:, None] == classes) & ~absent[:, None]  # (n, K)
    return np.where(same.any(1), same.argmax(1), -1)


def hold_out(
    labels: NDArray[np.int64],
    n_classes: int,
    fraction: float | str,
    seed: int,
    trusted: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Choose labeled rows to validate on: a share of each class, but never all of its rows.

    Parameters
    ----------
    labels : ndarray of shape (N,), int64
        -1 is a missing label, which is never held out.
    fraction : float in [0, 1), or "auto"
        ``auto`` is 0.1, or 0 if that gives fewer than 10 rows per class on average.
    seed : int
    trusted : ndarray of shape (N,), bool, optional
        Labels known to be right. The same share of these is held out in each class, but never all of them.

    Returns
    -------
    ndarray of shape (N,), bool

    Examples
    --------
    >>> hold_out(np.array([0] * 5 + [1] * 5 + [-1]), 2, 0.4, seed=0).sum()
    np.int64(4)
    """
    n_labeled = int((labels >= 0).sum())
    if fraction == "auto":
        fraction = 0.1 if 0.1 * n_labeled >= MIN_VALIDATION * n_classes else 0.0
    if isinstance(fraction, str) or not 0 <= fraction < 1:
        raise InputError(f"validation_fraction={fraction}: it must be at least 0 and below 1, or auto")
    held_out = np.zeros(len(labels), dtype=bool)
    rng = np.random.default_rng(seed)
    parts = [labels >= 0] if trusted is None else [~trusted, trusted]  # the same share of trusted and other labels
    for k in range(n_classes):
        for part in parts:
            of_class = rng.permutation(np.flatnonzero(part & (labels == k)))
            held_out[of_class[: max(0, min(round(fraction * len(of_class)), len(of_class) - 1))]] = True
    return held_out


def append_rows(
    rows: Any, labels: NDArray[np.int64], more: Any, y: ArrayLike | None, classes: NDArray[Any], missing: Any = "auto"
) -> tuple[Any, NDArray[np.int64]]:
    """Return rows (N, ...) and labels (N,) with those of a validation set after them; its rows without a label go.

    Raises
    ------
    InputError
        If rows are not arrays, or a row of the validation set has no entry in ``y``.
    """
    if not (isinstance(rows, np.ndarray) and isinstance(more, np.ndarray)):
        raise InputError("X_val needs X and X_val as arrays: give arrays, or let a share of X be held out")
    given, absent = split_missing(y, missing)
    if len(given) != len(more):
        raise InputError(f"y_val has {len(given)} labels and X_val {len(more)} rows: give one for each row")
    codes = encode_as(given[~absent], classes, "y_val")
    return np.concatenate([rows, more[~absent]]), np.r_[labels, codes]


def weigh(
    y: NDArray[np.int64], classes: NDArray[Any], sample_weight: ArrayLike | None, class_weight: Any
) -> NDArray[np.float64] | None:
    """Return the weights (n,) of rows with labels (n,), indices into the classes (K,); None if none were given.

    Parameters
    ----------
    y, classes
    sample_weight : array of shape (n,), optional
    class_weight : dict of label to weight, or "balanced", optional
        A label that is not in the dict has weight 1.

    Raises
    ------
    InputError
        If a weight is not a finite number of at least 0, there is not one for each row, or a class does not exist.

    Examples
    --------
    >>> weigh(np.array([0, 0, 1, -1]), np.array(["a", "b"]), None, "balanced").tolist()
    [0.75, 0.75, 1.5, 1.0]
    """
    if sample_weight is None and class_weight is None:
        return None
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != y.shape:
        raise InputError(f"sample_weight has shape {weight.shape}: give one weight for each of the {len(y)} rows")
    of_class = np.ones(len(classes))
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise InputError(f"class_weight={class_weight!r}: give 'balanced', or a dict of label to weight")
        counts = np.bincount(y[y >= 0], minlength=len(classes))
        of_class = counts.sum() / len(classes) / counts
    elif class_weight is not None:
        position = {label: k for k, label in enumerate(classes.tolist())}
        for label, value in class_weight.items():
            if label not in position:
                raise unknown("class", label, list(map(str, position)))
            of_class[position[label]] = value
    weight = weight * np.where(y >= 0, of_class[y], 1.0)
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(f"the weight of row {row} is {weight[row]}: give a number of at least 0")
    if not weight[y >= 0].any():
        raise InputError("the weight of every row with a label is zero: give some row a weight above 0")
    return weight
