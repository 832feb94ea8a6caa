"""Labels as Python hands them over: arrays, lists and columns, with gaps."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from goldvein.data.check import check_labels, check_trusted
from goldvein.errors import InputError

MIN_VALIDATION = 10  # labels per class below which no validation set is held out


def split_missing(y: ArrayLike | None) -> tuple[NDArray, NDArray[np.bool_]]:
    """Labels (N,), and which of them are missing: -1, NaN, None, and "".

    Raises
    ------
    InputError
        If there is not one label a row.

    Examples
    --------
    >>> labels, missing = split_missing(["cat", None, "dog", ""])
    >>> missing.tolist()
    [False, True, False, True]
    """
    if y is None:
        raise InputError("fit requires y to be passed, but the target y is None: give labels, -1 where missing")
    given = np.asarray(y)
    if given.dtype.kind in "US" and not hasattr(y, "dtype"):
        given = np.asarray(y, dtype=object)  # numpy would write a NaN in a list of names as "nan"
    if given.ndim == 2 and given.shape[1] == 1:
        given = column_or_1d(given, warn=True)
    if given.ndim != 1:
        raise InputError(f"y has shape {given.shape}: give one label a row, shape (n_samples,)")
    if given.dtype.kind in "iufb":
        missing = np.isnan(given) if given.dtype.kind == "f" else np.zeros(len(given), dtype=bool)
        return given, missing | (given == -1 if given.dtype.kind in "if" else False)
    import pandas as pd

    missing = np.asarray(pd.isna(given))
    missing[~missing] = [v in ("", -1) for v in given[~missing].tolist()]
    if all(isinstance(v, Integral) for v in given[~missing]):
        given = np.where(missing, -1, given).astype(np.int64)
    return given, missing


def as_trusted_mask(trusted: ArrayLike, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Labels known to be right, (n,) bool.

    Raises
    ------
    InputError
        If the mask has another length, holds anything but True, False, 1 and 0, or a trusted row has no label.
    """
    given = np.asarray(trusted)
    strange = [value for value in given.ravel().tolist() if value not in (True, False)]
    if strange:
        raise InputError(f"trusted holds {strange[0]!r}: give True or False for each row")
    mask = given.astype(bool)
    if mask.shape != labels.shape:
        raise InputError(f"trusted has shape {mask.shape}: give one bool for each of the {len(labels)} rows")
    check_trusted(mask, labels)
    return mask


def encode_targets(y: ArrayLike, n: int) -> tuple[NDArray, NDArray[np.int64]]:
    """The sorted classes (K,) of given labels of n rows, and the labels as indices into them, -1 where missing.

    Raises
    ------
    InputError
        There is not one label a row, all are missing, or a class has too few: see
        :func:`goldvein.data.check.check_labels`.

    Examples
    --------
    >>> encode_targets(["b", "", "a", "b", "a"], 5)
    (array(['a', 'b'], dtype=object), array([ 1, -1,  0,  1,  0]))
    """
    given, missing = split_missing(y)
    if len(given) != n:
        raise InputError(f"y has {len(given)} labels and X {n} rows: give one label (or -1) for each row")
    if not missing.all():
        check_classification_targets(given[~missing])
    classes, codes = np.unique(given[~missing], return_inverse=True)
    labels = np.full(n, -1, dtype=np.int64)
    labels[~missing] = codes
    check_labels(labels, tuple(classes.tolist()))
    return classes, labels


def encode_as(y: NDArray, classes: NDArray, name: str) -> NDArray[np.int64]:
    """Labels (n,), none missing, as indices into the classes of training (K,).

    Raises
    ------
    InputError
        A label is none of them; ``name`` is what the message calls ``y``.

    Examples
    --------
    >>> encode_as(np.array(["b", "a"]), np.array(["a", "b"]), "y_val")
    array([1, 0])
    """
    known = {label: k for k, label in enumerate(classes.tolist())}
    for label in y.tolist():
        if label not in known:
            raise InputError(f"{name} holds {label!r}, which y does not: drop it, or label a row of X so")
    return np.array([known[label] for label in y.tolist()], dtype=np.int64)


def encode_known(y: ArrayLike | None, n: int, classes: NDArray, name: str) -> NDArray[np.int64]:
    """Labels (n,) as indices into the classes of training (K,); -1 for none, and for one of no such class.

    Raises
    ------
    InputError
        There is not one label a row; ``name`` is what the message calls ``y``.

    Examples
    --------
    >>> encode_known(["b", "", "z"], 3, np.array(["a", "b"]), "y_test")
    array([ 1, -1, -1])
    """
    given, missing = split_missing(y)
    if len(given) != n:
        raise InputError(f"{name} has {len(given)} labels for {n} rows: give one for each row")
    same = (given[:, None] == classes) & ~missing[:, None]
    return np.where(same.any(1), same.argmax(1), -1)


def hold_out(
    labels: NDArray[np.int64],
    n_classes: int,
    fraction: float | str,
    seed: int,
    trusted: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Labeled rows to validate on, (N,) bool: a share of each class, but never all of it.

    Parameters
    ----------
    labels : ndarray of shape (N,), int64
        -1 is a missing label, which is never held out.
    fraction : float in [0, 1), or "auto"
        ``auto`` is 0.1, or 0 where that leaves fewer than 10 rows a class on average.
    trusted : ndarray of shape (N,), bool, optional
        Labels known to be right: of those of each class, the same share is held out, but never all.

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
    parts = [labels >= 0] if trusted is None else [~trusted, trusted]
    for k in range(n_classes):
        for part in parts:
            of_class = rng.permutation(np.flatnonzero(part & (labels == k)))
            held_out[of_class[: max(0, min(round(fraction * len(of_class)), len(of_class) - 1))]] = True
    return held_out
