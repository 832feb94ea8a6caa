"""Stage 1 of Ding et al. 2018 on tables made by hand, and what holds on any table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.errors import InputError
from goldvein.selectors.confidence import Confidence, given_probability


def row(c: int, p: float) -> list[float]:
    """Probabilities of three classes with P(c) = p, the rest on the next class (its argmax where p < 0.5)."""
    probs = [0.0, 0.0, 0.0]
    probs[c], probs[(c + 1) % 3] = p, 1 - p
    return probs


def keep(table: list[tuple[int, float]], **params: object) -> list[int]:
    """Kept rows of a table of (given label, P(given label))."""
    y = np.array([c for c, _ in table])
    _, mask = Confidence(**params).select(y, probs=np.array([row(c, p) for c, p in table]))
    return np.flatnonzero(mask).tolist()


def test_the_floor_follows_the_ranking_down() -> None:
    sure, near, doubted = [(0, 0.95), (0, 0.92)], [(0, 0.80), (0, 0.85), (0, 0.7)], [(0, 0.2)] * 25
    # 30 labels: at least 3 are kept, and the third of the ranking is row 3
    assert keep(sure + near + doubted) == [0, 1, 3]


def test_more_than_the_floor_are_sure() -> None:
    assert keep([(1, p) for p in (0.99, 0.9, 0.91, 0.899, 0.6)]) == [0, 1, 2]


def test_all_are_sure() -> None:
    assert keep([(c, 0.9 + 0.01 * c) for c in (0, 1, 2) for _ in range(7)]) == list(range(21))


def test_fewer_are_predicted_than_the_floor_asks_for() -> None:
    assert keep([(1, 0.6)] + [(1, 0.4)] * 39) == [0]


def test_a_class_that_is_never_predicted_keeps_none() -> None:
    assert keep([(2, 0.3)] * 10 + [(0, 0.95)]) == [10]


def test_ties_at_the_floor_go_to_the_first_rows() -> None:
    assert keep([(0, 0.2)] * 17 + [(0, 0.7)] * 3, floor=0.1) == [17, 18]


def test_a_tie_between_classes_is_no_prediction_of_the_second() -> None:
    y = np.array([0, 1])
    assert Confidence(threshold=0.5).select(y, probs=np.full((2, 2), 0.5))[1].tolist() == [True, False]


def test_a_part_of_a_label_is_rounded_up() -> None:
    table = [(0, 0.8 - 0.01 * i) for i in range(11)]
    assert keep(table) == [0, 1]


def test_top_keeps_the_share_and_asks_no_threshold() -> None:
    table = [(0, p) for p in (0.99, 0.97, 0.95, 0.6)] + [(1, p) for p in (0.55, 0.3, 0.7, 0.9)]
    assert keep(table, mode="top", floor=0.5) == [0, 1, 6, 7]
    assert keep(table, mode="top", floor=1.0) == [0, 1, 2, 3, 4, 6, 7]  # 5 is predicted as another class


def test_missing_labels() -> None:
    quality, mask = Confidence().select(np.array([-1, 0]), probs=np.array([[1.0, 0.0], [0.95, 0.05]]))
    assert mask.tolist() == [False, True]
    assert np.isnan(quality[0])
    assert quality[1] == 0.95


def test_unknown_mode() -> None:
    with pytest.raises(InputError, match="mode='best': it must be one of threshold, top"):
        Confidence(mode="best").select(np.array([0]), probs=np.array([[1.0, 0.0]]))


def any_table(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 80))
    return rng.integers(-1, 3, n), rng.dirichlet(np.full(3, rng.choice([0.1, 1.0, 5.0])), n)


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.35, 1.0]), st.sampled_from([0.4, 0.9, 1.0]))
def test_the_rule(seed: int, floor: float, threshold: float) -> None:
    y, probs = any_table(seed)
    quality, mask = Confidence(threshold, floor).select(y, probs=probs)
    consistent = (probs.argmax(1) == y) & (y >= 0)
    assert not (mask & ~consistent).any()
    assert mask[consistent & (probs.max(1) >= threshold)].all()
    for c in np.unique(y[y >= 0]):
        s = consistent & (y == c)
        n_sure = int((s & (probs[:, c] >= threshold)).sum())
        assert mask[y == c].sum() == max(n_sure, min(int(np.ceil(floor * (y == c).sum())), int(s.sum())))
        if mask[s].any() and not mask[s].all():
            assert quality[s & mask].min() >= quality[s & ~mask].max()


@given(st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    y, probs = any_table(seed)
    order = np.random.default_rng(seed).permutation(len(y))
    quality, mask = Confidence().select(y, probs=probs)
    moved_quality, moved_mask = Confidence().select(y[order], probs=probs[order])
    assert np.array_equal(mask[order], moved_mask)
    assert np.array_equal(quality[order], moved_quality, equal_nan=True)


def test_given_probability() -> None:
    found = given_probability(np.array([1, -1, 0]), np.array([[0.2, 0.8], [0.5, 0.5], [0.3, 0.7]], np.float32))
    assert found.dtype == float
    np.testing.assert_allclose(found, [0.8, np.nan, 0.3], atol=1e-7)
