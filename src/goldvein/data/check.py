"""Checks of inputs and labels before training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from goldvein.errors import InputError

# Names that may mean "no label". They only cause a warning, because a class may have such a name.
NO_LABEL = {"na", "n/a", "nan", "null", "-1", "?"}
CHANNELS = (1, 3, 4)  # gray, RGB, RGBA
MOST_DENSE = 2**29  # values of a sparse matrix that become an array, of 2 GiB


def check_labels(y: NDArray[np.int64], classes: Sequence[str | int]) -> None:
    """Raise an error for labels that no classifier can learn from.

    Parameters
    ----------
    y : ndarray of shape (N,), integer
        Index into ``classes``; -1 is a missing label.
    classes : sequence of length K
        The labels as the user wrote them, for the message.

    Raises
    ------
    InputError
        If every entry is -1, fewer than two classes have labels, or a class has fewer than two labels.

    Examples
    --------
    >>> check_labels(np.array([0, 0, 1, 1, -1]), ("cat", "dog"))
    >>> check_labels(np.array([0, 1, 1, -1]), ("cat", "dog"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: class 'cat' has 1 label; each class needs at least 2; add labels ...
    """
    given = y[y >= 0]
    if not len(given):
        raise InputError("y holds no label: every entry is missing; give at least 2 labels per class")
    counts = np.bincount(given, minlength=len(classes))
    if np.count_nonzero(counts) == 1:
        only = classes[int(counts.argmax())]
        raise InputError(f"every label is {only!r}: a classifier needs 2 classes; add labels of another class")
    few = np.flatnonzero(counts < 2)  # one label to train on, and one to check it against
    if len(few):
        first, count = int(few[0]), int(counts[few[0]])
        more = len(few) - 1
        others = f" (and {more} more class{'es have' if more > 1 else ' has'} fewer than 2)" if more else ""
        raise InputError(
            f"class {classes[first]!r} has {count} label{'s' * (count != 1)}{others}; "
            "each class needs at least 2; add labels or remove the class"
        )


def like_missing(classes: Sequence[str | int]) -> list[int]:
    """Return the classes whose name is often used to mark a missing label.

    Examples
    --------
    >>> like_missing(("cat", "NA", "nancy", "-1"))
    [1, 3]
    """
    return [k for k, name in enumerate(classes) if str(name).strip().lower() in NO_LABEL]


def are_vectors(x: Any) -> bool:
    """Return whether X is a matrix, a frame or a list of rows; images are not, nor what is read batch by batch.

    Examples
    --------
    >>> are_vectors(np.zeros((2, 8))), are_vectors([[1, 2]]), are_vectors(np.zeros((2, 1, 8, 8)))
    (True, True, False)
    """
    # whatever else has a shape is read batch by batch, such as images in files
    plain = hasattr(x, "__array__") or hasattr(x, "__dataframe__") or issparse(x)
    return not hasattr(x, "shape") or (plain and getattr(x, "ndim", 2) != 4)


def to_dense(x: Any) -> NDArray[np.float32]:
    """Return a matrix as an array.

    Raises
    ------
    InputError
        If a sparse matrix would have more than 2 GiB.
    """
    if not issparse(x):
        return np.asarray(x)
    if x.shape[0] * x.shape[1] > MOST_DENSE:
        raise InputError(
            f"X is sparse, {x.shape[0]:,} x {x.shape[1]:,}, and a network needs all of it: keep fewer columns"
        )
    return np.asarray(x.toarray(), dtype=np.float32)


def as_images(x: Any) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Return images (N, C, H, W) unchanged if they are uint8, otherwise as float32.

    Raises
    ------
    InputError
        If the last axis looks like the channels, or a number is not finite.

    Examples
    --------
    >>> as_images(np.zeros((2, 3, 8, 8))).dtype
    dtype('float32')
    """
    images: NDArray[Any] = np.asarray(x)
    _, first, _, last = images.shape
    # if both axes fit, as in (N, 3, 8, 3), the images are taken as they are
    if last in CHANNELS and first not in CHANNELS:
        raise InputError(f"X has shape {images.shape}: images are (N, channels, H, W); give X.transpose(0, 3, 1, 2)")
    if images.dtype != np.uint8:
        images = images.astype(np.float32)
        check_finite(images)
    return images


def check_finite(x: NDArray[Any], name: str = "X") -> None:
    """Raise an error for inputs with NaN or infinite values.

    Parameters
    ----------
    x : ndarray of shape (N, ...)
        Inputs; integers always pass.
    name : str
        Name of the inputs in the message.

    Raises
    ------
    InputError
        With the number of such values and the first row that has one.

    Examples
    --------
    >>> check_finite(np.array([[0.0, 1.0], [np.nan, np.inf]]))
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: X holds 2 NaN or infinite values, the first in row 1; fill or remove them
    """
    if x.dtype.kind not in "fc":  # integers have neither NaN nor infinity
        return
    bad = ~np.isfinite(x)
    count = int(np.count_nonzero(bad))
    if count:
        row = int(bad.reshape(len(x), -1).any(axis=1).argmax())
        values = "value" if count == 1 else "values"
        raise InputError(f"{name} holds {count} NaN or infinite {values}, the first in row {row}; fill or remove them")


def check_trusted(trusted: NDArray[np.bool_], y: NDArray[np.int64]) -> None:
    """Raise an error for a trusted row without a label.

    Parameters
    ----------
    trusted : ndarray of shape (N,), bool
    y : ndarray of shape (N,), int64
        -1 is a missing label.

    Examples
    --------
    >>> check_trusted(np.array([True, True]), np.array([0, -1]))
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: row 1 is trusted but has no label: label it, or set trusted to False
    """
    bad = np.flatnonzero(trusted & (y < 0))
    if len(bad):
        raise InputError(f"row {bad[0]} is trusted but has no label: label it, or set trusted to False")


def check_ids(ids: NDArray[np.str_]) -> None:
    """Raise an error for row names that are blank or occur twice.

    Parameters
    ----------
    ids : ndarray of shape (N,), str

    Raises
    ------
    InputError
        With the repeated name, or the row of the blank one.

    Examples
    --------
    >>> check_ids(np.array(["a", "b", "a"]))
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: id 'a' occurs 2 times; give each row its own id
    """
    names, counts = np.unique(ids, return_counts=True)
    if "" in names:
        raise InputError(f"the id of row {int((ids == '').argmax())} is blank; give each row its own id")
    if (counts > 1).any():
        twice = int((counts > 1).argmax())  # the first one by name, whatever the order of the rows
        raise InputError(f"id {str(names[twice])!r} occurs {counts[twice]} times; give each row its own id")
