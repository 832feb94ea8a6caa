"""Measures against counts by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from goldvein.metrics import balanced_accuracy


def test_balanced_accuracy_by_hand() -> None:
    y = torch.tensor([0, 0, 0, 0, 2, 2])
    predicted = torch.tensor([0, 0, 0, 1, 2, 0])
    assert balanced_accuracy(y, predicted) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_balanced_accuracy_without_rows_is_nan() -> None:
    nothing = torch.tensor([], dtype=torch.int64)
    assert math.isnan(balanced_accuracy(nothing, nothing))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=50))
def test_balanced_accuracy_is_mean_recall(pairs: list[tuple[int, int]]) -> None:
    y, predicted = (torch.tensor(side) for side in zip(*pairs, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # classes that are only predicted
        expected = balanced_accuracy_score(y.numpy(), predicted.numpy())
    assert balanced_accuracy(y, predicted) == pytest.approx(expected, abs=1e-6)
