"""Tables whose labels are few and wrong, drawn anew for each seed: what a default is judged by.

=========  ===========================================================================================================
A20, A40   All labels; exactly 20 or 40 % of them are changed to a uniformly drawn other class.
B30        All labels; each class has its own rate, drawn from [.3, 1.7] x .3 and at most .45. The wrong labels of a
           class are spread over the others by a draw from Dirichlet(.3).
C0 to C40  20 labels a class, of which 0, 20 or 40 % are wrong as in A; the other rows have no label.
D          5 % of the rows have a label, at least 5 of each class. It is the prediction of a 3-nearest-neighbor
           classifier that saw 6 other rows of each class; at most 30 % are wrong. They lie near the boundaries.
=========  ===========================================================================================================

30 % of the rows, at most 2,000, are the test set. 1,500 others are the training set (3,000 for D), at least 8 of each
class. Numbers are standardized by the training rows.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from goldvein.data.standard import find_folder, load_dataset
from goldvein.errors import InputError, unknown

TABLES = ("pendigits", "letter", "vehicle", "spambase", "nursery", "creditg", "adult", "sms")
PICTURES = ("mnist", "fashion_mnist")  # as vectors of pixels
PROTOCOLS = ("A20", "A40", "B30", "C0", "C20", "C40", "D")
TEST_SHARE, MOST_TEST = 0.3, 2000
ROWS, ROWS_OF_D, LEAST = 1500, 3000, 8
PER_CLASS, SHARE_OF_D, LEAST_OF_D, SEEN = 20, 0.05, 5, 6
RATE_OF_B, MOST_OF_B, SPREAD, WORST_OF_D = 0.3, 0.45, 0.3, 0.3

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Draw:
    """Training rows with given and true labels, and test rows.

    Attributes
    ----------
    x, x_test : ndarray of shape (n, D), float32
    y, y_true : ndarray of shape (n,)
        Given labels, -1 for none, and the true classes of all rows.
    y_test : ndarray
    """

    x: NDArray[np.float32]
    y: Ints
    y_true: Ints
    x_test: NDArray[np.float32]
    y_test: Ints


def draw(name: str, protocol: str, seed: int, data_dir: str | Path | None = None) -> Draw:
    """Return one draw of a table.

    Parameters
    ----------
    name : str
        One of ``TABLES`` (``tables/NAME.npz`` in the folder of the data, with X, y and n_num, the number of leading
        numeric columns) or of ``PICTURES``.
    protocol : str
        One of ``PROTOCOLS``.
    seed : int
    data_dir : path, optional
        As for :func:`goldvein.data.standard.load_dataset`.

    Raises
    ------
    InputError
        For an unknown name, or a table that is not in the folder.
    """
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    x, classes, n_num = _load(name, data_dir)
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), zlib.crc32(protocol.encode())])
    order = rng.permutation(len(classes))
    n_test = min(MOST_TEST, int(TEST_SHARE * len(classes)))
    test, rest = order[:n_test], order[n_test:]
    train = _at_least(rest, classes, LEAST)[: ROWS_OF_D if protocol == "D" else ROWS]
    mean, scale = x[train, :n_num].mean(0), x[train, :n_num].std(0) + 1e-9
    x[:, :n_num] = (x[:, :n_num] - mean) / scale
    true = classes[train]
    return Draw(x[train], give_labels(x[train], true, protocol, rng), true, x[test], classes[test])


def give_labels(x: NDArray[np.float32], true: Ints, protocol: str, rng: np.random.Generator) -> Ints:
    """Return given labels (n,), -1 for none, for the true classes (n,) of rows (n, D).

    Examples
    --------
    >>> true = np.repeat([0, 1, 2], 50)
    >>> y = give_labels(np.zeros((150, 1)), true, "C20", np.random.default_rng(0))
    >>> int((y >= 0).sum()), int(((y >= 0) & (y != true)).sum())
    (60, 12)
    """
    K = int(true.max()) + 1
    given = true.copy()
    if protocol == "D":
        return _by_neighbors(x, true, rng)
    if protocol.startswith("B"):
        for k in range(K):
            rate = min(rng.uniform(0.3, 1.7) * RATE_OF_B, MOST_OF_B)
            spread = np.insert(rng.dirichlet(np.full(K - 1, SPREAD)), k, 0)
            rows = np.flatnonzero(true == k)
            wrong = rows[rng.random(len(rows)) < rate]
            given[wrong] = rng.choice(K, len(wrong), p=spread)
        return given
    labeled = np.arange(len(true))
    if protocol.startswith("C"):
        labeled = np.concatenate([rng.permutation(np.flatnonzero(true == k))[:PER_CLASS] for k in range(K)])
    wrong = rng.permutation(labeled)[: round(int(protocol[1:]) / 100 * len(labeled))]
    given[wrong] = (true[wrong] + rng.integers(1, K, len(wrong))) % K
    given[np.setdiff1d(np.arange(len(true)), labeled)] = -1
    return given


def _by_neighbors(x: NDArray[np.float32], true: Ints, rng: np.random.Generator) -> Ints:
    """Return the labels of protocol D."""
    order = rng.permutation(len(true))
    of_class = [order[true[order] == k] for k in range(int(true.max()) + 1)]
    seen = np.concatenate([rows[: min(SEEN, len(rows) // 2)] for rows in of_class])
    first = np.concatenate([np.setdiff1d(rows, seen, assume_unique=True)[:LEAST_OF_D] for rows in of_class])
    others = order[~np.isin(order, np.r_[seen, first])]
    labeled = np.r_[first, others[: max(0, int(SHARE_OF_D * len(true)) - len(first))]]
    guess: Ints = KNeighborsClassifier(3).fit(x[seen], true[seen]).predict(x[labeled])
    wrong = rng.permutation(np.flatnonzero(guess != true[labeled]))
    corrected = wrong[int(WORST_OF_D * len(labeled)) :]
    guess[corrected] = true[labeled[corrected]]
    given: Ints = np.full(len(true), -1)
    given[labeled] = guess
    return given


def _at_least(rows: Ints, classes: Ints, n: int) -> Ints:
    """Return rows in an order in which the first ones are ``n`` of each class."""
    first = np.concatenate([rows[classes[rows] == k][:n] for k in np.unique(classes)])
    return np.concatenate([first, rows[~np.isin(rows, first)]])


def _load(name: str, data_dir: str | Path | None) -> tuple[NDArray[np.float32], Ints, int]:
    """Return rows (n, D), classes (n,) and the number of leading numeric columns."""
    if name in PICTURES:
        data = load_dataset(name, data_dir)
        pixels = np.asarray(data.x[:]).reshape(len(data.y), -1).astype(np.float32)
        return pixels / np.float32(255), data.y.astype(np.int64), 0
    if name not in TABLES:
        raise unknown("table", name, (*TABLES, *PICTURES))
    path = find_folder(data_dir) / "tables" / f"{name}.npz"
    if not path.exists():
        raise InputError(f"{path} does not exist: give the folder of the data by --data-dir or GOLDVEIN_DATA")
    with np.load(path) as found:
        return found["X"].astype(np.float32), found["y"].astype(np.int64), int(found["n_num"])
