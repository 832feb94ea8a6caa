"""Bayes' rule worked out by hand, and a noisy network with its noise taken out again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.errors import InputError
from goldvein.selectors.posterior import Posterior, class_posterior, probability_right

UNSEEN = {"trained_on": np.full(9, -1)}
PROBS = np.array([[0.99, 0.01]] * 4 + [[0.01, 0.99]] * 4 + [[0.6, 0.4]])
Y = np.array([0, 0, 0, 1, 1, 1, 1, 0, 1])
# the network says class 0 of five rows, labeled 0 0 0 1 1, and class 1 of four, labeled 1 1 1 0; one count is added
T = np.array([[4 / 6, 2 / 6], [1 / 5, 4 / 5]])


def symmetric(n_classes: int, rate: float) -> np.ndarray:
    return np.full((n_classes, n_classes), rate / (n_classes - 1)) + np.eye(n_classes) * (
        1 - rate - rate / (n_classes - 1)
    )


def test_posterior_by_hand() -> None:
    q = class_posterior(Y, PROBS, **UNSEEN)
    wrong = 0.99 * T[0, 1]  # row 3: the network says 0, the label 1
    right = 0.01 * T[1, 1]
    np.testing.assert_allclose(q[3], [wrong / (wrong + right), right / (wrong + right)], atol=1e-10)
    undecided = np.array([0.6 * T[0, 1], 0.4 * T[1, 1]])
    np.testing.assert_allclose(q[8], undecided / undecided.sum(), atol=1e-10)
    np.testing.assert_allclose(probability_right(Y, PROBS, **UNSEEN), q[np.arange(9), Y])


def test_a_label_outweighs_a_network_that_is_nine_to_one_against_it() -> None:
    # 20 % symmetric noise over ten classes, as the module says: 0.1 x 0.8 against 0.9 x 0.2 / 9
    predicted = np.repeat(np.arange(10), 9000)
    y = np.concatenate([np.r_[np.repeat(k, 7200), np.repeat(np.delete(np.arange(10), k), 200)] for k in range(10)])
    probs = np.full((90_001, 10), 1e-6)
    probs[np.arange(90_000), predicted] = 1
    probs[-1, :2] = [0.9, 0.1]
    probs /= probs.sum(1, keepdims=True)
    p = probability_right(np.r_[y, 1], probs, np.full(90_001, -1))[-1]
    assert p == pytest.approx(0.1 * 0.8 / (0.1 * 0.8 + 0.9 * 0.2 / 9), abs=1e-3)


def test_a_network_that_learned_the_noise_is_seen_through() -> None:
    noise = symmetric(3, 0.3)
    y_true = np.repeat([0, 1, 2], 1000)
    y = np.concatenate([np.repeat([k, (k + 1) % 3, (k + 2) % 3], [700, 150, 150]) for k in range(3)])
    probs = np.eye(3)[y_true] @ noise  # what a network predicts that was trained on y until it knew nothing else
    right = probability_right(y, probs)
    assert right[y == y_true].min() > 0.95
    assert right[y != y_true].max() < 0.05


def test_a_missing_label_leaves_the_network_alone() -> None:
    y = np.r_[Y, -1]
    probs = np.r_[PROBS, [[0.3, 0.7]]]
    trained_on = np.full(10, -1)
    np.testing.assert_allclose(class_posterior(y, probs, trained_on)[-1], [0.3, 0.7], atol=1e-9)
    assert np.isnan(probability_right(y, probs, trained_on)[-1])
    quality, mask = Posterior().select(y, probs=probs)
    assert np.isnan(quality[-1])
    assert not mask[-1]


def test_select_keeps_what_is_likelier_right_than_not() -> None:
    quality, mask = Posterior(floor=0.0).select(Y, probs=PROBS, **UNSEEN)
    assert mask.tolist() == (quality >= 0.5).tolist()
    assert mask.tolist() == [True, True, True, False, True, True, True, False, True]


def test_select_keeps_the_floor_of_each_class() -> None:
    quality, mask = Posterior(threshold=1.0, floor=0.5).select(Y, probs=PROBS, **UNSEEN)
    for c in (0, 1):
        of_class = np.flatnonzero(c == Y)
        assert mask[of_class].sum() == np.ceil(0.5 * len(of_class))
        assert quality[of_class][mask[of_class]].min() >= quality[of_class][~mask[of_class]].max()


@pytest.mark.parametrize("threshold", [0.0, 1.5, -1.0])
def test_thresholds_that_mean_nothing(threshold: float) -> None:
    with pytest.raises(InputError, match="threshold="):
        Posterior(threshold=threshold).select(Y, probs=PROBS)


@given(st.integers(0, 2**32))
def test_every_row_is_a_distribution_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    y, probs = rng.integers(-1, 3, n), rng.dirichlet(np.full(3, 0.5), n)
    q = class_posterior(y, probs)
    np.testing.assert_allclose(q.sum(1), 1)
    assert (q >= 0).all()
    order = rng.permutation(n)
    np.testing.assert_allclose(class_posterior(y[order], probs[order]), q[order], atol=1e-12)
