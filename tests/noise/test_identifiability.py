"""Where the labels do not determine which class is which, and where they do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.noise.identifiability import Ambiguity, find_ambiguous_in, min_trusted, swap_shares
from goldvein.noise.synthetic import corrupt, transition
from goldvein.noise.transition import count_transition

MANY = np.full(10, 5000)


def groups(T: np.ndarray, n_labels: np.ndarray, **known: np.ndarray) -> list[tuple[int, ...]]:
    return [found.classes for found in find_ambiguous_in(T, n_labels, **known)]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.85])
@pytest.mark.parametrize("n_classes", [3, 10])
def test_symmetric_noise_is_not_ambiguous(rate: float, n_classes: int) -> None:
    assert groups(transition("symmetric", n_classes, rate), MANY[:n_classes]) == []


@pytest.mark.parametrize("seed", range(20))
def test_nor_does_a_rough_estimate_of_it(seed: int) -> None:
    T = transition("symmetric", 10, 0.8) * np.random.default_rng(seed).uniform(0.6, 1.6, (10, 10))
    assert groups(T / T.sum(1, keepdims=True), MANY) == []


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.29, 0.31, 0.45])
def test_symmetric_noise_of_two_classes(rate: float) -> None:
    assert groups(transition("symmetric", 2, rate), MANY[:2]) == ([(0, 1)] if rate > 0.3 else [])


def test_a_pair_stands_out_of_noise_that_all_classes_share() -> None:
    T = 0.8 * transition("patrini_mnist", 10, 0.4) + 0.2 * transition("symmetric", 10, 0.9)
    assert groups(T, MANY) == [(5, 6)]


@pytest.mark.parametrize("noise", ["patrini_mnist", "patrini_cifar10"])
@pytest.mark.parametrize("rate", [0.1, 0.2, 0.28, 0.32, 0.4, 0.6])
def test_two_classes_that_bear_each_others_name(noise: str, rate: float) -> None:
    pair = (5, 6) if noise == "patrini_mnist" else (3, 5)
    assert groups(transition(noise, 10, rate), MANY) == ([pair] if rate >= 0.3 else [])


def test_the_swapped_explanation_is_ambiguous_as_well() -> None:
    """A network that calls the majority by its name sees 0.6 as 0.4; one of trusted labels sees 0.6."""
    T = transition("patrini_mnist", 10, 0.6)
    named = T.copy()
    named[[5, 6]] = T[[6, 5]]
    for seen in (T, named):
        assert (5, 6) in groups(seen, MANY)
        (found,) = [a for a in find_ambiguous_in(seen, MANY) if a.classes == (5, 6)]
        assert "look the same whether 40 % or 60 % of their names are wrong" in found.message(
            range(10), "two_stage_clean"
        )


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.9])
def test_noise_of_one_direction_is_not_ambiguous(rate: float) -> None:
    T = np.eye(10)
    T[2, 2], T[2, 7] = 1 - rate, rate
    assert groups(T, MANY) == []


def test_a_ring_of_classes() -> None:
    T = transition("pair", 4, 0.45)
    (found,) = find_ambiguous_in(T, np.full(4, 1000))
    assert found.classes == (0, 1, 2, 3)
    assert found.share == pytest.approx(0.45)
    T[3] = np.eye(4)[3]  # no way back
    assert find_ambiguous_in(T, np.full(4, 1000)) == []


def test_groups_are_apart() -> None:
    T = np.kron(np.eye(2), [[0.6, 0.4], [0.4, 0.6]])
    assert groups(T, np.full(4, 1000)) == [(0, 1), (2, 3)]


@given(st.integers(0, 10**6), st.permutations(range(5)))
def test_the_order_of_classes_does_not_matter(seed: int, order: list[int]) -> None:
    rng = np.random.default_rng(seed)
    T = rng.dirichlet(np.full(5, 0.3), 5) * 0.6 + np.eye(5) * 0.4
    n_labels = rng.integers(10, 1000, 5)
    direct = {frozenset(classes) for classes in groups(T, n_labels)}
    moved = groups(T[np.ix_(order, order)], n_labels[order])
    assert {frozenset(order[c] for c in classes) for classes in moved} == direct


def test_few_labels_are_never_ambiguous() -> None:
    T = transition("patrini_mnist", 10, 0.4)
    assert groups(T, np.full(10, 10)) == []
    assert groups(T, np.full(10, 100)) == [(5, 6)]


@pytest.mark.parametrize("n_per_class", [10, 30, 100, 1000])
@pytest.mark.parametrize(("noise", "rate"), [("symmetric", 0.2), ("symmetric", 0.5), ("patrini_mnist", 0.2)])
def test_chance_raises_no_alarm(noise: str, rate: float, n_per_class: int) -> None:
    alarms = 0
    for seed in range(30):
        y_true = np.arange(10 * n_per_class) % 10
        y = corrupt(y_true, transition(noise, 10, rate), seed)
        alarms += bool(groups(count_transition(y, y_true, 10), np.bincount(y, minlength=10)))
    assert not alarms


def test_enough_trusted_labels_decide() -> None:
    T = transition("patrini_mnist", 10, 0.4)
    assert groups(T, MANY, trusted=5 * np.eye(10)) == []
    assert groups(T, MANY, trusted=4 * np.eye(10)) == [(5, 6)]
    few = 20 * np.eye(10)
    few[6, 6] = 4
    assert groups(T, MANY, trusted=few) == [(5, 6)]
    assert groups(T, MANY, trusted=np.diag([0, 0, 0, 0, 0, 5, 5, 0, 0, 0])) == []  # the other classes are not ambiguous


def test_trusted_labels_that_the_network_contradicts() -> None:
    T = transition("patrini_mnist", 10, 0.4)
    confusion = 20 * np.eye(10)
    confusion[[5, 6]] = confusion[[6, 5]]
    (found,) = find_ambiguous_in(T, MANY, confusion)
    assert found.swapped
    assert found.message(range(10), "two_stage_clean").startswith("classes 5 and 6 have swapped names in most labels")
    (unsure,) = find_ambiguous_in(T, MANY, confusion / 10)
    assert not unsure.swapped
    memorized = np.eye(10)  # nothing stands out in the network's predictions for the given labels
    (found,) = find_ambiguous_in(memorized, MANY, confusion)
    assert found.swapped
    assert found.classes == (5, 6)
    confusion[6] = 20 * np.eye(10)[6]  # one direction alone swaps nothing
    assert find_ambiguous_in(memorized, MANY, confusion) == []


@pytest.mark.parametrize("rows", [([10, 5, 4], [2, 12, 5]), ([4, 5, 1], [3, 3, 4]), ([5, 5, 0], [5, 5, 0])])
def test_a_weak_network_does_not_swap_names(rows: tuple[list[int], list[int]]) -> None:
    """It mixes up two classes in both directions, and gets half of the trusted rows right: this proves no exchange."""
    T = np.array([[0.55, 0.45, 0.0], [0.4, 0.6, 0.0], [0.05, 0.05, 0.9]])
    confusion = np.array([*rows, [0, 0, 20]])
    assert not any(found.swapped for found in find_ambiguous_in(T, MANY[:3], confusion))
    more_right = np.trace(confusion[:2, :2]) > confusion[0, 1] + confusion[1, 0]
    assert (find_ambiguous_in(T, MANY[:3], confusion) == []) == more_right


def test_an_exchange_by_hand() -> None:
    """Of 5 trusted rows of each class, all must be called by the other name: 2^-5 is below 5 %, 6 / 2^5 is not."""
    plain = np.eye(3)
    (found,) = find_ambiguous_in(plain, MANY[:3], np.array([[0, 5, 0], [5, 0, 0], [0, 0, 5]]))
    assert (found.classes, found.swapped) == ((0, 1), True)
    assert find_ambiguous_in(plain, MANY[:3], np.array([[1, 4, 0], [0, 5, 0], [0, 0, 5]])) == []
    assert find_ambiguous_in(plain, MANY[:3], np.array([[1, 4, 0], [1, 4, 0], [0, 0, 5]])) == []


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_trusted_labels_by_the_binomial_law(n_classes: int) -> None:
    def misled(m: int) -> float:
        return sum(math.comb(m, k) * 0.9**k * 0.1 ** (m - k) for k in range(m // 2 + 1))

    m = min_trusted(n_classes)
    assert m % 2
    assert n_classes * misled(m) <= 0.05 < n_classes * misled(m - 2)


def test_a_better_network_needs_fewer() -> None:
    assert min_trusted(2, 0.99) == 1 < min_trusted(2, 0.9) < min_trusted(2, 0.7)


def test_shares_of_a_class_without_labels_of_its_own() -> None:
    assert swap_shares(np.array([[0.0, 1.0], [0.0, 1.0]])).tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert swap_shares(np.zeros((2, 2))).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_the_message_names_them_all() -> None:
    text = Ambiguity((0, 2, 3), 0.4444, 5).message(["ant", "bee", "cat", "dog"], "two_stage_clean")
    assert text.startswith("classes ant, cat and dog may have swapped names")
    assert "44 %" in text
    assert "56 %" in text
    assert "5 right labels of each class as trusted and train with two_stage_clean" in text
