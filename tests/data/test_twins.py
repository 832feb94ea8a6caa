"""Equal images with different labels."""

from __future__ import annotations

import numpy as np

from goldvein.data.twins import twins


def test_equal_rows_with_another_label() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 4), dtype=np.uint8)
    images[3] = images[0]
    images[5] = images[0]
    assert twins(images, np.array([0, 0, 1, 1, 0, 0])).tolist() == [3, -1, -1, 0, -1, 3]
    assert twins(images, np.array([0, 0, 1, 0, 0, 0])).tolist() == [-1] * 6
    assert twins(images, np.array([0, 0, 1, -1, 0, 1])).tolist() == [5, -1, -1, -1, -1, 0]


def test_no_rows() -> None:
    assert twins(np.empty((0, 2)), np.empty(0, dtype=int)).tolist() == []
