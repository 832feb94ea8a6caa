"""Equal rows, and pictures that are all but equal, with different labels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from goldvein.issues import duplicates as module
from goldvein.issues.duplicates import find_duplicates


def scenes(n: int, side: int = 32) -> np.ndarray:
    """Smooth color pictures (n, 3, side, side) of which no two are alike."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, side // 8, side // 8, 3), dtype=np.uint8)
    pictures = [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in coarse]
    return np.stack(pictures).transpose(0, 3, 1, 2).copy()


def as_jpeg(picture: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture.transpose(1, 2, 0)).save(file, "JPEG", quality=85)
    return np.asarray(Image.open(file)).transpose(2, 0, 1)


def test_equal_rows_with_another_label() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 4), dtype=np.uint8)
    images[3] = images[0]
    images[5] = images[0]
    assert find_duplicates(images, np.array([0, 0, 1, 1, 0, 0])).tolist() == [3, -1, -1, 0, -1, 3]
    assert find_duplicates(images, np.array([0, 0, 1, 0, 0, 0])).tolist() == [-1] * 6
    assert find_duplicates(images, np.array([0, 0, 1, -1, 0, 1])).tolist() == [5, -1, -1, -1, -1, 0]


def test_pictures_that_were_saved_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    originals = scenes(200)
    copies = np.stack([as_jpeg(picture) for picture in originals[:40]])
    assert not np.array_equal(copies, originals[:40])
    rows, y = np.concatenate([originals, copies]), np.r_[np.zeros(200, dtype=int), np.ones(40, dtype=int)]
    found = find_duplicates(rows, y)
    hits = found[200:] == np.arange(40)
    assert hits.mean() > 0.9
    assert (found[:40][hits] == 200 + np.flatnonzero(hits)).all()
    assert (found[40:200] == -1).all()
    assert (find_duplicates(rows, np.zeros(240, dtype=int)) == -1).all()  # the same label is no conflict
    monkeypatch.setattr(module, "CELLS", 10_000)  # a few rows at a time
    assert np.array_equal(find_duplicates(rows, y), found)


def test_equal_vectors_count_where_nearly_all_rows_differ() -> None:
    rng = np.random.default_rng(0)
    texts, answers = rng.standard_normal((100, 5)), rng.integers(0, 3, (100, 2)).astype(float)
    texts[7], answers[7] = texts[3], answers[3]
    y = np.arange(100) % 2
    y[7] = 1 - y[3]
    assert np.flatnonzero(find_duplicates(texts, y) >= 0).tolist() == [3, 7]
    assert (find_duplicates(answers, y) == -1).all()  # of two questions with three answers each most are equal


@pytest.mark.filterwarnings("error")
def test_many_rows_that_are_the_same() -> None:
    y = np.zeros(20_000, dtype=int)
    y[-1] = 1
    found = find_duplicates(np.zeros((20_000, 1, 8, 8), dtype=np.uint8), y)  # all pairs would take minutes
    assert (found[:-1] == 19_999).all()
    assert found[-1] == 0


def test_no_rows() -> None:
    assert find_duplicates(np.empty((0, 2)), np.empty(0, dtype=int)).tolist() == []
    assert find_duplicates(np.empty((0, 1, 8, 8)), np.empty(0, dtype=int)).tolist() == []
    assert find_duplicates(np.zeros((1, 1, 9, 11)), np.array([0])).tolist() == [-1]
