"""``Rows``: inputs indexed by row, the only thing that training needs to know about data."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Rows(Protocol):
    """Inputs indexed by row: a numpy array, or an object that reads rows on access.

    Attributes
    ----------
    shape : tuple of int
        ``(N, C, H, W)`` for images, ``(N, D)`` for vectors; N is ``len(rows)``.
    dtype : dtype
        uint8 for images, float32 for images and vectors.

    Notes
    -----
    ``rows[index]`` takes an int array of shape (B,), which may repeat rows, or a slice. It returns an array of shape
    ``(B, *shape[1:])`` and of this dtype, with the rows in the order of the index.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> NDArray[Any]: ...
