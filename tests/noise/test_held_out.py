"""Training rows are matched with held-out rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from goldvein.noise.held_out import _fit_line, likeliest_share, match_held_out


def test_matching_keeps_held_out_rows_and_the_proportions_of_other_classes() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 2000)
    held_out = np.arange(2000) < 500
    probs = rng.dirichlet(np.ones(3), 2000)
    probs[~held_out] = 0.5 * probs[~held_out] + 0.5 * np.eye(3)[y[~held_out]]
    out = match_held_out(y, probs, held_out)
    np.testing.assert_allclose(out[held_out], probs[held_out], rtol=1e-6)
    np.testing.assert_allclose(out.sum(1), 1, rtol=1e-6)
    own = out[np.arange(2000), y]
    assert np.median(own[~held_out]) == pytest.approx(np.median(own[held_out]), abs=0.02)
    other = (y + 1) % 3, (y + 2) % 3
    rows = np.arange(2000)
    before = probs[rows, other[0]] / probs[rows, other[1]]
    np.testing.assert_allclose(out[rows, other[0]] / out[rows, other[1]], before, rtol=1e-6)


def test_matching_gives_all_other_classes_the_same_where_a_label_is_memorized() -> None:
    y = np.zeros(400, dtype=int)
    held_out = np.arange(400) < 200
    probs = np.where(held_out[:, None], [0.7, 0.2, 0.1], [1.0, 0.0, 0.0])
    probs[399] = [1 - 3e-9, 2e-9, 1e-9]
    out = match_held_out(y, probs, held_out)
    np.testing.assert_allclose(out[200:399], [[0.7, 0.15, 0.15]] * 199, atol=1e-6)
    np.testing.assert_allclose(out[399], [0.7, 0.2, 0.1], atol=1e-6)


def test_matching_ignores_how_many_held_out_labels_are_wrong_by_chance() -> None:
    rng = np.random.default_rng(0)
    held_out = np.arange(11_000) < 1000
    wrong = np.where(held_out, np.arange(11_000) % 200 < 35, np.arange(11_000) % 100 < 20)
    logit = np.where(wrong, -4.0, 2.0) + 0.5 * rng.standard_normal(11_000)  # no label is memorized
    own = 1 / (1 + np.exp(-logit))
    out = match_held_out(np.zeros(11_000, dtype=int), np.c_[own, 1 - own], held_out)
    assert (out[~held_out, 0] < 0.5).mean() == pytest.approx(0.2, abs=0.002)


def test_the_line_weights_points_by_their_errors() -> None:
    x = np.array([0.0, 1, 2, 3])
    np.testing.assert_allclose(_fit_line(x, 1 + 2 * x, np.array([1, 2, 0.5, 1])), 1 + 2 * x)
    np.testing.assert_allclose(_fit_line(x, np.array([0.0, 1, 2, 90]), np.array([1, 1, 1, 1e4])), x, atol=1e-4)
    np.testing.assert_allclose(_fit_line(np.ones(4), x, np.ones(4)), 1.5)


def test_matching_needs_enough_held_out_rows() -> None:
    probs = np.full((300, 2), 0.5)
    y = np.zeros(300, dtype=int)
    assert match_held_out(y, probs, np.arange(300) < 19) is probs
    assert match_held_out(y, probs, np.ones(300, dtype=bool)) is probs


@given(hnp.arrays(float, 12, elements=st.floats(0.01, 1)), hnp.arrays(float, 12, elements=st.floats(0.01, 1)))
def test_no_other_share_is_likelier(old: np.ndarray, new: np.ndarray) -> None:
    best = likeliest_share(old, new)
    found = np.log((1 - best) * old + best * new).sum()
    for a in np.linspace(0, 1, 51):
        assert np.log((1 - a) * old + a * new).sum() <= found + 1e-6
