"""``Dataset``: inputs, labels and what else is known of each row; every reader returns one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from goldvein.data.spec import Spec
from goldvein.rows import Rows

Kind = Literal["image", "vector"]


@dataclass(frozen=True)
class Dataset:
    """Inputs with labels of which some may be wrong or missing.

    Attributes
    ----------
    name : str
        Name of a standard data set, or the path that was read.
    kind : {"image", "vector"}
        Images are augmented by flips and shifts; vectors are not.
    x : Rows
        ``(N, C, H, W)`` uint8 images, or ``(N, D)`` float32 vectors.
    y : ndarray of shape (N,), int64
        Given labels as indices into ``classes``; -1 is a missing label.
    classes : tuple
        The labels as the user wrote them (str or int), in the order of the columns of every (N, K) array.
    ids : ndarray of shape (N,), str
        Name of each row in every output table: a path, a value of an id column, or the row number.
    y_true : ndarray of shape (N,), int64, or None
        Hidden true labels, for benchmarks. Only reports read them, never training.
    trusted : ndarray of shape (N,), bool, or None
        Labels known to be right.
    y_before : ndarray of shape (N,), int64, or None
        ``y`` before a person reviewed some labels.
    x_test, y_test : Rows and ndarray of shape (M,), or None
        The official test set; its labels never get noise.
    spec : Spec or None
        What :func:`goldvein.data.read.read_data` needs to read new data in the same way; None for a standard data set.
    skipped : tuple of (path, reason)
        Files that were left out because ``skip_bad`` was set.
    """

    name: str
    kind: Kind
    x: Rows
    y: NDArray[np.int64]
    classes: tuple[str | int, ...]
    ids: NDArray[np.str_]
    y_true: NDArray[np.int64] | None = None
    trusted: NDArray[np.bool_] | None = None
    y_before: NDArray[np.int64] | None = None
    x_test: Rows | None = None
    y_test: NDArray[np.int64] | None = None
    spec: Spec | None = None
    skipped: tuple[tuple[str, str], ...] = ()

    def without_bad_images(self, *, progress: bool = False) -> Dataset:
        """Return the data set without the images that cannot be read; ``skipped`` lists them.

        This reads every file once. Data that is not decoded on access stays as it is.
        """
        if not hasattr(self.x, "problems"):  # all files were checked when the array was read
            return self
        changes: dict[str, Any] = {}
        skipped = list(self.skipped)
        # arrays that must lose the same rows as the images
        arrays_of = {"x": ("y", "ids", "y_true", "trusted", "y_before"), "x_test": ("y_test",)}
        for name, arrays in arrays_of.items():
            files: Any = getattr(self, name)
            bad = {} if files is None else files.problems(progress=progress)
            if bad:
                skipped += [(str(files.paths[row]), reason) for row, reason in bad.items()]
                changes[name] = files.without(bad)
                values = {key: getattr(self, key) for key in arrays}
                changes |= {key: None if v is None else np.delete(v, list(bad), axis=0) for key, v in values.items()}
        return replace(self, **changes, skipped=tuple(skipped))


def make_benchmark(
    name: str,
    kind: Kind,
    train: tuple[Rows, NDArray[Any]],
    test: tuple[Rows, NDArray[Any]],
    classes: tuple[str | int, ...],
) -> Dataset:
    """Return a standard data set from the inputs and labels of its official split; the row numbers are the ids."""
    (x, y), (x_test, y_test) = train, test
    ids = np.arange(len(y)).astype(str)
    return Dataset(name, kind, x, y.astype(np.int64), classes, ids, x_test=x_test, y_test=y_test.astype(np.int64))
