"""Matrices of noise: checked, counted, estimated by anchors, and taken out of predictions again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.errors import InputError
from goldvein.noise import synthetic as noise
from goldvein.noise.transition import anchor_transition, check_transition, count_confident, count_transition, unmix

T3 = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.02, 0.08, 0.9]])
seeds = st.integers(0, 2**32)


def noisy_posteriors(T: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """p T of n rows, none of which is certainly of a class."""
    rng = np.random.default_rng(seed)
    return (0.02 + 0.9 * rng.dirichlet(np.full(len(T), 0.4), n)) @ T / (0.02 * len(T) + 0.9)


def test_a_checked_matrix_is_a_copy_with_rows_that_sum_to_one() -> None:
    given_matrix = T3 * (1 + 1e-8)
    T = check_transition(given_matrix, 3, invertible=True)
    np.testing.assert_allclose(T, T3, atol=1e-8)
    np.testing.assert_array_equal(check_transition(T3.tolist()), check_transition(T3))
    np.testing.assert_allclose(T.sum(1), 1, atol=1e-15)
    T[0, 0] = 0
    assert given_matrix[0, 0] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2), r"shape \(2, 2\): it must be 3 x 3, with true classes in rows"),
        ([[1.0, 0, 0]], r"shape \(1, 3\): it must be 3 x 3"),
        ("identity", "is not numeric"),
        (None, r"shape \(\)"),
        ([[1, 0, 0], [0, 1.2, -0.2], [0, 0, 1]], "holds -0.2: its entries are probabilities"),
        ([[1, 0, 0], [0, np.inf, 0], [0, 0, 1]], "holds inf"),
        (T3.T, r"row 2 of the transition matrix sums to 1.15: a row must sum to 1; .* or transpose"),
        ([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0.01]], "row 2 of the transition matrix sums to 1.01"),
    ],
)
def test_a_bad_matrix_is_refused(matrix: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_transition(matrix, 3)


def test_the_condition_number_of_a_singular_matrix_is_named() -> None:
    half = noise.transition("patrini_cifar10", 10, 0.5)  # cat and dog have one row
    assert check_transition(half, 10).shape == (10, 10)
    with pytest.raises(InputError, match=r"condition number (inf|\d\.?\d*e\+1\d), too near to singular"):
        check_transition(half, 10, invertible=True)


@pytest.mark.parametrize(("name", "condition"), [("patrini_cifar10", 5.93), ("patrini_mnist", 6.81)])
def test_the_noise_of_the_papers_can_be_inverted(name: str, condition: float) -> None:
    T = noise.transition(name, 10, 0.6)
    assert np.linalg.cond(check_transition(T, 10, invertible=True)) == pytest.approx(condition, abs=5e-3)


def test_count_transition_by_hand() -> None:
    y, y_true = np.array([0, 0, 0, 1, 1, 1, 1, 0, 1]), np.array([0, 0, 0, 0, 1, 1, 1, 1, 0])
    # five rows of class 0, labeled 0 0 0 1 1, and four of class 1, labeled 1 1 1 0; one count is added
    np.testing.assert_allclose(count_transition(y, y_true, 2), [[4 / 6, 2 / 6], [1 / 5, 4 / 5]], atol=1e-12)


def test_a_class_without_rows_is_taken_for_clean() -> None:
    found = count_transition(np.array([0, 1, -1]), np.array([0, 0, 2]), 3)
    np.testing.assert_allclose(found, [[2 / 3, 1 / 3, 0], [0, 1, 0], [0, 0, 1]])


def test_anchors_give_the_transition_matrix() -> None:
    probs = np.concatenate([noisy_posteriors(T3, 500), T3])
    np.testing.assert_allclose(anchor_transition(probs, percentile=None), T3, atol=1e-10)


def test_rows_from_the_97th_percentile_on_are_no_anchors() -> None:
    # of 1,003 rows, sorted, the percentile is number ceil(.97 x 1002) = 972: 31 rows lie there or above
    outliers = np.repeat(np.eye(3), 31, axis=0)
    probs = np.concatenate([noisy_posteriors(T3, 1000 - 93), T3, outliers])
    assert len(probs) == 1003
    np.testing.assert_allclose(anchor_transition(probs), T3, atol=1e-10)
    np.testing.assert_allclose(anchor_transition(probs, percentile=None), np.eye(3), atol=1e-10)


def test_the_view_of_the_published_code() -> None:
    # class 0: row 0 is the outlier, row 1 the anchor; class 1: row 2 is the outlier, row 0 the anchor
    probs = np.array([[0.6, 0.4], [0.55, 0.45], [0.5, 0.5], [0.54, 0.46]])
    before = probs.copy()
    assert anchor_transition(probs, 90).tolist() == [[0.55, 0.45], [0.54, 0.46]]
    probs[0] = [0.62, 0.49]  # rows of a network sum to 1; here the outlier of class 0 is the anchor of class 1
    apart = anchor_transition(probs, 90)
    np.testing.assert_allclose(apart, [[0.55, 0.45], [0.62 / 1.11, 0.49 / 1.11]])
    np.testing.assert_allclose(anchor_transition(probs, 90, inplace=True), [[0.55, 0.45], [0, 1]], atol=1e-10)
    np.testing.assert_array_equal(probs[1:], before[1:])


@given(seeds, st.integers(1, 40), st.integers(2, 5), st.sampled_from([None, 0.0, 50.0, 97.0, 100.0]), st.booleans())
def test_whatever_the_rows_the_estimate_is_a_transition_matrix(
    seed: int, n: int, n_classes: int, percentile: float | None, inplace: bool
) -> None:
    probs = np.random.default_rng(seed).dirichlet(np.full(n_classes, 0.3), n).round(1)
    probs = (probs + 1e-9) / (probs + 1e-9).sum(1, keepdims=True)  # many ties
    before = probs.copy()
    T = anchor_transition(probs, percentile, inplace=inplace)
    np.testing.assert_allclose(check_transition(T, n_classes), T, rtol=1e-12)
    np.testing.assert_array_equal(probs, before)


@pytest.mark.parametrize("percentile", [-1, 101, np.nan])
def test_percentiles_that_mean_nothing(percentile: float) -> None:
    with pytest.raises(InputError, match="percentile="):
        anchor_transition(np.eye(2), percentile)


@given(seeds, st.integers(2, 6), st.floats(0, 0.45))
def test_unmix_is_the_inverse_of_the_noise(seed: int, n_classes: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(n_classes, 2.0), 8)
    p = (p + 1e-3) / (1 + n_classes * 1e-3)
    T = (1 - rate) * np.eye(n_classes) + rate * rng.dirichlet(np.ones(n_classes), n_classes)
    np.testing.assert_allclose(unmix(p @ T, T), p, atol=1e-8)


def test_unmix_keeps_probabilities_that_no_clean_ones_explain() -> None:
    # more certain than the noise allows
    found = unmix(np.array([[1.0, 0.0]]), noise.transition("symmetric", 2, 0.2))
    assert found.sum() == pytest.approx(1)
    assert found[0, 0] == pytest.approx(1, abs=1e-5)
    assert found[0, 1] > 0


def test_a_singular_transition_changes_nothing() -> None:
    probs = np.array([[0.7, 0.3]])
    np.testing.assert_array_equal(unmix(probs, np.full((2, 2), 0.5)), probs)


def test_confident_joint_counts_a_row_for_its_most_probable_class() -> None:
    probs = np.array([[0.5, 0.5, 0.0], [0.2, 0.6, 0.2], [0.4, 0.3, 0.3]])
    # means: class 0 (0.5 + 0.4) / 2, class 1 0.6; class 2 has no label
    assert count_confident(np.array([0, 1, 0]), probs).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
