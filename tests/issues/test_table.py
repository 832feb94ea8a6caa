"""Which labels are listed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.issues.table import Case, listed, table_of, worst_first

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def test_of_equally_doubtful_labels_those_that_were_predicted_less_come_first() -> None:
    p_wrong, agreement, y = np.array([0.7, 0.9, 0.9, 0.9]), np.array([0.0, 0.6, 0.2, 0.4]), np.zeros(4, dtype=int)
    assert worst_first(p_wrong, agreement).tolist() == [2, 3, 1, 0]
    assert worst_first(p_wrong).tolist() == [1, 2, 3, 0]
    assert np.flatnonzero(listed(p_wrong, y, 0.5, 2, 1, agreement)).tolist() == [2, 3]
    assert np.flatnonzero(listed(p_wrong, y, 0.5, 2, 1)).tolist() == [1, 2]


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


@given(SHARES, st.floats(0.51, 0.95), st.floats(0.01, 1))
def test_a_stated_precision_holds_at_the_lower_end_of_the_interval(
    shares: list[float], precision: float, least: float
) -> None:
    p, y = np.array(shares), np.zeros(len(shares), dtype=int)
    issue = listed(p, y, precision, None, 1, least=least)
    if issue.any():
        assert (least * p / (1 - p + least * p))[issue].mean() >= precision - 1e-9
    assert issue.sum() <= listed(p, y, precision, None, 1).sum()
    assert not listed(p, y, precision, None, 1, least=0).any()  # perhaps none is wrong
    # one half is no promise: a label is listed if it is more likely wrong than right
    np.testing.assert_array_equal(listed(p, y, 0.5, None, 1, least=least), listed(p, y, 0.5, None, 1))


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


class Stub:
    """A noise model whose probabilities are given."""

    def __init__(self, clean: list[list[float]], posterior: list[list[float]]) -> None:
        self.given, self.found = np.array(clean), np.array(posterior)

    def clean_probs(self, probs: np.ndarray) -> np.ndarray:
        return self.given[probs[:, 0].astype(int)]

    def p_true(self, y: np.ndarray, probs: np.ndarray) -> np.ndarray:
        return self.found[probs[:, 0].astype(int)]


def test_it_looks_like_the_likeliest_class_and_is_held_to_be_what_the_label_makes_likeliest() -> None:
    n = 25
    p_wrong = np.full(n, 0.01)
    p_wrong[:3] = 0.7, 0.6, 0.515
    case = Case(
        rows=np.arange(n),
        names=np.array(["cat", "dog", "owl"], dtype=object),
        y=np.zeros(n, dtype=np.int64),
        p_wrong=p_wrong,
        is_issue=p_wrong > 0.5,
        duplicate=None,
        margins=None,
        agreement=None,
        outlier=None,
        ids=np.arange(n),
        scores={},
    )
    clean = [[0.2, 0.7, 0.1], [0.2, 0.5, 0.3], [0.24, 0.49, 0.27]]
    posterior = [[0.3, 0.65, 0.05], [0.4, 0.1, 0.5], [0.485, 0.25, 0.265]]
    model: Any = Stub(clean, posterior)
    table = table_of(case, model, np.minimum(np.arange(n), 2)[:, None] * np.ones(3))
    assert table["suggested_label"][:3].tolist() == ["dog", "owl", "cat"]
    assert table["reason"][:3].tolist() == [
        "looks like dog (probability 0.70), not cat (0.20)",
        "looks like dog (probability 0.50), not cat (0.20); with this label more likely owl",
        "looks like dog (probability 0.49), not cat (0.24); no other label is likelier",
    ]
    assert model.given.tolist() == clean
