"""Which labels are listed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.issue_table import listed

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(SHARES, st.floats(0.05, 0.95))
def test_the_list_keeps_its_precision_and_is_the_longest_that_does(shares: list[float], precision: float) -> None:
    p = np.array(shares)
    issue = listed(p, np.zeros(len(p), dtype=int), precision, None, 1)
    cut = min(precision, 0.5)
    assert (p[issue] > cut).all()
    left = np.sort(p[~issue & (p > cut)])[::-1]
    if issue.any():
        assert p[issue].mean() >= precision - 1e-9
        assert p[issue].min() >= p[~issue].max(initial=0) - 1e-12
    if len(left):
        assert np.r_[p[issue], left[0]].mean() < precision


@given(SHARES, st.integers(1, 50))
def test_a_budget_is_kept(shares: list[float], budget: int) -> None:
    p = np.array(shares)
    issue = listed(p, np.zeros(len(p), dtype=int), 0.5, budget, 1)
    assert issue.sum() == min(budget, (p > 0).sum())


def test_a_rare_class_is_listed_until_a_fifth_of_its_wrong_labels_is_expected() -> None:
    p = np.r_[np.full(100, 0.01), np.full(100, 0.01), 0.45, 0.4, 0.3, np.full(7, 0.1)]
    y = np.r_[np.zeros(100, int), np.ones(100, int), np.full(10, 2)]
    issue = listed(p, y, 0.5, None, 3)
    assert np.flatnonzero(issue).tolist() == [200]  # 0.45 of 1.85 is 24 %
    assert p[issue].sum() >= 0.2 * p[y == 2].sum()
    few = listed(np.where(y == 2, p / 2, p), y, 0.5, None, 3)
    assert not few.any()  # less than one wrong label is expected


@pytest.mark.parametrize("precision", [0.2, 0.5, 0.9])
def test_nothing_wrong_is_an_empty_list(precision: float) -> None:
    assert not listed(np.zeros(5), np.zeros(5, dtype=int), precision, None, 1).any()
