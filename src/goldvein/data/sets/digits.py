"""Digits: 1,797 handwritten digits of 8x8 pixels, which are part of scikit-learn.

Source: the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998), from
``sklearn.datasets.load_digits``. There is no official split. Here the test set is a third of each class, drawn by
``RandomState(0)`` (596 rows; 1,201 remain). ``ids`` are scikit-learn's row numbers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from goldvein.data.dataset import Dataset

NAMES = ("digits",)
PAGE = "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"
FILES: tuple[tuple[str, ...], ...] = ()
N_CLASSES = 10
SHOWN_AS = (8, 8)  # height and width in pixels, for display


def load(name: str, data_dir: Path) -> Dataset:
    """Return the digits as (N, 64) float32 vectors in [0, 1]; ``data_dir`` is not used.

    Examples
    --------
    >>> digits = load("digits", Path())
    >>> digits.kind, digits.x.shape, digits.x_test.shape
    ('vector', (1201, 64), (596, 64))
    """
    from sklearn.datasets import load_digits

    pixels, y = load_digits(return_X_y=True)
    x, y = (pixels / 16).astype(np.float32), y.astype(np.int64)  # from 0..16 to 0..1
    test = _choose_third(y)
    return Dataset(
        name=name,
        kind="vector",
        x=x[~test],
        y=y[~test],
        classes=tuple(range(N_CLASSES)),
        ids=np.flatnonzero(~test).astype(str),
        x_test=x[test],
        y_test=y[test],
    )


def _choose_third(y: NDArray[np.int64]) -> NDArray[np.bool_]:
    rng = np.random.RandomState(0)  # its draws are the same in every version of numpy
    chosen = np.zeros(len(y), dtype=bool)
    for label in range(N_CLASSES):
        rows = rng.permutation(np.flatnonzero(y == label))
        chosen[rows[: len(rows) // 3]] = True
    return chosen
