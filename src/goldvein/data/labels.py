"""Class indices of labels that are text or numbers, and the order in which names are sorted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.errors import InputError

Classes = tuple[str | int, ...]

# An integer has no leading zeros, because 007 is a name. pandas writes 1 as 1.0 in a column with empty cells.
_INTEGER = re.compile(r"(0|-?[1-9][0-9]*)(\.0)?")


def natural_key(text: str) -> tuple[list[str | int], str]:
    """Return a sort key that puts ``img10`` after ``img9``.

    Examples
    --------
    >>> sorted(["b1", "a10", "a9", "a09"], key=natural_key)
    ['a09', 'a9', 'a10', 'b1']
    """
    parts = re.split(r"([0-9]+)", text)
    # the text at the end orders 9 and 09, whose other keys are equal
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], text


def encode_labels(
    values: Sequence[str], classes: Classes | None = None, *, integers: bool = True, what: str = "label"
) -> tuple[NDArray[np.int64], Classes]:
    """Return the class indices of written labels, and the classes.

    Parameters
    ----------
    values : sequence of str, length N
        Labels. Surrounding spaces are removed; an empty label is missing. ``NA``, ``nan``, ``None`` and ``-1`` are
        ordinary labels.
    classes : tuple, optional
        The classes to index into; by default all labels that occur, sorted (integers by value, names naturally).
    integers : bool, default=True
        Whether the classes are int if every label is an integer (``3``, ``-1``, ``3.0``, but not ``03``).
    what : str
        What the error message calls a label.

    Returns
    -------
    y : ndarray of shape (N,), int64
        -1 for a missing label.
    classes : tuple of str or int

    Raises
    ------
    InputError
        If a label is not one of the given ``classes``.

    Examples
    --------
    >>> y, classes = encode_labels(["2", "", "10", "2"])
    >>> y.tolist(), classes
    ([0, -1, 1, 0], (2, 10))
    """
    written = [value.strip() for value in values]
    distinct = [value for value in dict.fromkeys(written) if value]
    if classes is None:
        if integers and distinct and all(_INTEGER.fullmatch(value) for value in distinct):
            classes = tuple(sorted({_to_int(value) for value in distinct}))  # a set: 3 and 3.0 are one class
        else:
            classes = tuple(sorted(distinct, key=natural_key))
    numeric = bool(classes) and all(isinstance(c, int) for c in classes)
    index = {c: i for i, c in enumerate(classes)}
    index_of = {"": -1}
    for value in distinct:
        label = _to_int(value) if numeric and _INTEGER.fullmatch(value) else value
        if label not in index:
            row = written.index(value)
            known = ", ".join(map(str, classes[:10])) + (", ..." if len(classes) > 10 else "")
            where = f"{what} {value!r} of row {row}"
            raise InputError(f"{where} is not one of the classes, {known}; correct it or leave it empty")
        index_of[value] = index[label]
    return np.array([index_of[value] for value in written], dtype=np.int64), classes


def _to_int(value: str) -> int:
    return int(value.removesuffix(".0"))


def encode_label_array(
    y: NDArray[Any], classes: Classes | None = None, what: str = "y"
) -> tuple[NDArray[np.int64], Classes]:
    """Return the class indices of a label array, and the classes.

    Parameters
    ----------
    y : ndarray of shape (N,)
        Integers (-1 for missing), whole floats (NaN for missing) or strings ("" for missing).
    classes : tuple, optional
        As for :func:`encode_labels`.
    what : str
        What the error message calls the array.

    Returns
    -------
    y : ndarray of shape (N,), int64
    classes : tuple of str or int
        Integers stay int, strings stay str.

    Raises
    ------
    InputError
        If the array has another shape or type, or a label is not one of ``classes``.

    Examples
    --------
    >>> encode_label_array(np.array([3, -1, 5]))[0].tolist()
    [0, -1, 1]
    """
    if y.ndim != 1:
        raise InputError(f"{what} has shape {y.shape}: it must hold one label per row; give an array of shape (N,)")
    if y.dtype.kind in "US":
        names = y if y.dtype.kind == "U" else np.char.decode(y, "utf-8")
        return encode_labels(names.tolist(), classes, integers=False, what=f"{what} label")
    if y.dtype.kind == "f":
        whole = np.where(np.isnan(y), -1, y)
        wrong = np.isinf(whole) | (whole != np.rint(whole))
        if wrong.any():
            raise InputError(f"{what} holds {whole[wrong][0]}: labels must be whole numbers or strings")
        y = whole.astype(np.int64)
    if y.dtype.kind not in "biu":
        raise InputError(f"{what} has dtype {y.dtype}: labels must be integers (-1 missing) or strings ('' missing)")
    written = ["" if value == -1 else str(value) for value in y.astype(np.int64).tolist()]
    return encode_labels(written, classes, what=f"{what} label")
