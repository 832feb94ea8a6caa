"""Dataset: what every reader and every benchmark loader hands over."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from goldvein.rows import Rows

Kind = Literal["image", "vector"]


@dataclass(frozen=True)
class Dataset:
    """Inputs with doubtful labels, and what is known beside them.

    Attributes
    ----------
    name : str
        What the user called it: a data set's name, or the path that was read.
    kind : {"image", "vector"}
        Images are augmented by flips and shifts; vectors are not.
    x : Rows
        ``(N, C, H, W)`` uint8 images, or ``(N, D)`` float32 vectors.
    y : ndarray of shape (N,), int64
        Index into ``classes``; -1 is a missing label.
    classes : tuple
        The labels as the user wrote them (str or int), in the order of the columns of every (N, K) array.
    ids : ndarray of shape (N,), str
        What names a row in every table that comes out: a path, a value of an id column, or the row number.
    y_true : ndarray of shape (N,), int64, or None
        Hidden true labels, where a benchmark has them. Only reports read them, never training.
    trusted : ndarray of shape (N,), bool, or None
        Labels known to be right.
    y_before : ndarray of shape (N,), int64, or None
        ``y`` before a person decided on some labels.
    x_test, y_test : Rows and ndarray of shape (M,), or None
        The official test set, labels never corrupted.
    spec : dict
        What :func:`goldvein.data.read` needs to turn new files into the same columns (JSON types only).
    skipped : tuple of (path, reason)
        Files that were left out on request.
    """

    name: str
    kind: Kind
    x: Rows
    y: np.ndarray
    classes: tuple[str | int, ...]
    ids: np.ndarray
    y_true: np.ndarray | None = None
    trusted: np.ndarray | None = None
    y_before: np.ndarray | None = None
    x_test: Rows | None = None
    y_test: np.ndarray | None = None
    spec: dict[str, Any] = field(default_factory=dict)
    skipped: tuple[tuple[str, str], ...] = ()

    def without_bad_images(self, *, progress: bool = False) -> Dataset:
        """The data set without the images that cannot be read, which ``skipped`` then lists; every file is read once.

        Only for images that are decoded when asked for; any other has been checked already.
        """
        if not hasattr(self.x, "problems"):
            return self
        parts: dict[str, Any] = {}
        skipped = list(self.skipped)
        rows_of = {"x": ("y", "ids", "y_true", "trusted", "y_before"), "x_test": ("y_test",)}
        for name, beside in rows_of.items():
            files: Any = getattr(self, name)
            bad = {} if files is None else files.problems(progress=progress)
            if bad:
                skipped += [(str(files.paths[row]), reason) for row, reason in bad.items()]
                parts[name] = files.without(bad)
                given = {key: getattr(self, key) for key in beside}
                parts |= {key: None if v is None else np.delete(v, list(bad), axis=0) for key, v in given.items()}
        return replace(self, **parts, skipped=tuple(skipped))
