"""The list of doubtful labels: what it finds, what it refuses, how it is sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldvein import find_label_issues
from goldvein.errors import InputError
from goldvein.issues import COLUMNS, MIN_HELD_OUT, audit, level


def separable(seed: int, n_wrong: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of three classes, ``n_wrong`` of them flipped, and a network that is nearly sure of the true ones."""
    rng = np.random.default_rng(seed)
    y_true = rng.permutation(np.arange(90) % 3)
    probs = 0.98 * np.eye(3)[y_true] + 0.02 * rng.dirichlet(np.ones(3), 90)
    y = y_true.copy()
    wrong = rng.choice(90, n_wrong, replace=False)
    y[wrong] = (y[wrong] + rng.integers(1, 3, n_wrong)) % 3
    return y, y_true, probs


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_exactly_the_flipped_labels_are_found(seed: int, n_wrong: int) -> None:
    y, y_true, probs = separable(seed, n_wrong)
    table = find_label_issues(y, probs=probs)
    found = table[table["is_issue"]]
    assert set(found["id"]) == set(np.flatnonzero(y != y_true))
    assert (found["suggested_label"].to_numpy() == y_true[found["id"]]).all()
    others = table[~table["is_issue"]]
    assert (others["suggested_label"] == others["given_label"]).all()


def test_the_table() -> None:
    y, _, probs = separable(0, 9)
    y[:6] = -1
    table = find_label_issues(y, probs=probs)
    assert tuple(table.columns) == COLUMNS
    assert sorted(table["id"]) == list(range(6, 90))
    assert (table["given_label"].to_numpy() == y[table["id"]]).all()
    assert table["p_wrong"].is_monotonic_decreasing
    assert table["p_wrong"].between(0, 1).all()
    assert table["rank"].tolist() == list(range(1, 85))
    np.testing.assert_allclose(table["label_quality"], 1 - table["p_wrong"])
    assert (table["is_issue"] == (table["p_wrong"] > 0.5)).all()
    assert ((table["reason"] != "") == table["is_issue"]).all()


def test_the_reason_names_both_classes_and_their_probabilities() -> None:
    probs = np.repeat([[0.98, 0.02], [0.03, 0.97]], 20, axis=0)
    y = np.repeat([0, 1], 20)
    y[0] = 1
    assert find_label_issues(y, probs=probs)["reason"][0] == "looks like 0 (probability 0.98), not 1 (0.02)"


@given(st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, probs = rng.integers(-1, 4, 40), rng.dirichlet(np.full(4, 0.7), 40)
    y[0] = 0
    order = rng.permutation(40)
    straight = find_label_issues(y, probs=probs).set_index("id")
    moved = find_label_issues(y[order], probs=probs[order])
    moved = moved.assign(id=order[moved["id"]]).set_index("id").loc[straight.index]
    np.testing.assert_allclose(moved["p_wrong"], straight["p_wrong"], atol=1e-12)
    assert moved["given_label"].tolist() == straight["given_label"].tolist()


HALVES = np.full((3, 2), 0.5)


@pytest.mark.parametrize(
    ("y", "probs", "message"),
    [
        ([0, 1], HALVES, r"y has shape \(2,\) and probs \(3, 2\)"),
        ([[0], [1], [0]], HALVES, r"y has shape \(3, 1\)"),
        ([0, 1, 0], np.full(3, 0.5), r"probs \(3,\)"),
        ([0, 1, 2], HALVES, "class numbers 0 to 1"),
        ([0, 1, -2], HALVES, "class numbers 0 to 1"),
        ([0.0, 1.0, 1.0], HALVES, "class numbers 0 to 1"),
        (["a", "b", "a"], HALVES, "class numbers 0 to 1"),
        ([-1, -1, -1], HALVES, "y holds no label"),
        ([], np.empty((0, 2)), "y holds no label"),
        ([0, 1, 0], np.array([[0.5, 0.5], [np.nan, 1], [0.5, 0.5]]), "row 1 of probs sums to nan"),
        ([0, 1, 0], np.array([[0.5, 0.5], [0.5, 0.5], [1.5, -0.5]]), "row 2 of probs"),
        ([0, 1, 0], np.array([[0.5, 0.1], [0.5, 0.5], [0.5, 0.5]]), "row 0 of probs sums to 0.6"),
    ],
)
def test_what_cannot_be_judged(y: Any, probs: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_label_issues(np.array(y, dtype=int) if y == [] else y, probs=probs)


def test_inputs_stay_as_they_are() -> None:
    y, _, probs = separable(1, 5)
    before = y.copy(), probs.copy()
    find_label_issues(y, probs=probs)
    assert np.array_equal(y, before[0])
    assert np.array_equal(probs, before[1])


def test_level_moves_the_training_rows_of_a_class_to_the_mean_of_its_held_out_rows() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.001, 0.4, 200)
    y = np.arange(200) % 2
    held_out = np.arange(200) >= 140
    p[held_out & (y == 1)] = 0.55
    out = level(p, y, held_out)
    for c in (0, 1):
        train, apart = (y == c) & ~held_out, (y == c) & held_out
        assert out[train].mean() == pytest.approx(p[apart].mean(), abs=1e-6)
        assert (np.argsort(out[train]) == np.argsort(p[train])).all()
    assert np.array_equal(out[held_out], p[held_out])


def test_level_is_one_shift_of_the_log_odds() -> None:
    p = np.r_[0.1, 0.2, 0.5, np.full(MIN_HELD_OUT, 0.4)]
    out = level(p, np.zeros(len(p), dtype=int), np.arange(len(p)) >= 3)
    shift = np.log(out / (1 - out)) - np.log(p / (1 - p))
    np.testing.assert_allclose(shift[:3], shift[0], atol=1e-6)
    assert shift[0] > 0


def test_level_leaves_classes_with_few_held_out_rows() -> None:
    p = np.r_[np.full(10, 0.1), np.full(MIN_HELD_OUT - 1, 0.9)]
    held_out = np.arange(len(p)) >= 10
    assert np.array_equal(level(p, np.zeros(len(p), dtype=int), held_out), p)


def test_level_of_certain_rows_stays_finite() -> None:
    p = np.r_[np.zeros(5), np.ones(5), np.full(MIN_HELD_OUT, 0.5)]
    out = level(p, np.zeros(len(p), dtype=int), np.arange(len(p)) >= 10)
    assert np.isfinite(out).all()
    assert (out >= 0).all()
    assert (out <= 1).all()


def test_audit_counts_the_noise() -> None:
    rng = np.random.default_rng(0)
    y_true = np.repeat([0, 1, 2], 400)
    noise = np.array([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]])
    y = np.array([rng.choice(3, p=noise[k]) for k in y_true])
    probs = 0.98 * np.eye(3)[y_true] + 0.02 / 3
    found = audit(y, ("a", "b", "c"), probs, trained_on=np.full(1200, -1))
    assert found.noise_rate == pytest.approx((y != y_true).mean(), abs=0.02)
    np.testing.assert_allclose(found.transition, noise, atol=0.06)
    np.testing.assert_allclose(found.transition.sum(1), 1)


def test_audit_speaks_of_names_and_ids() -> None:
    probs = np.repeat([[0.98, 0.02], [0.02, 0.98]], 20, axis=0)
    y = np.repeat([0, 1], 20)
    y[3] = 1
    ids = np.array([f"image{i}" for i in range(40)])
    agreement = np.full(40, 0.25)
    first = audit(y, ("cat", "dog"), probs, trained_on=np.full(40, -1), ids=ids, agreement=agreement).table.iloc[0]
    assert (first["id"], first["given_label"], first["suggested_label"]) == ("image3", "dog", "cat")
    assert first["reason"].endswith("predicted as dog after 25% of the epochs")


def test_audit_takes_held_out_rows_as_the_measure() -> None:
    """Rows that were learned by heart look clean; the held-out rows of their class say how many are wrong."""
    probs = np.tile([[0.95, 0.05]], (100, 1))
    probs[90:] = [0.05, 0.95]
    y = np.zeros(100, dtype=int)
    y[90:] = 1
    held_out = np.zeros(100, dtype=bool)
    held_out[:40] = True
    probs[:20] = [0.2, 0.8]  # half of the held-out rows are doubted, no training row is
    apart = audit(y, (0, 1), probs, trained_on=np.full(100, -1), held_out=held_out).table.set_index("id")["p_wrong"]
    alone = audit(y, (0, 1), probs, trained_on=np.full(100, -1)).table.set_index("id")["p_wrong"]
    assert apart[range(40, 90)].mean() == pytest.approx(apart[range(40)].mean(), abs=1e-6)
    assert apart[range(40, 90)].mean() > 10 * alone[range(40, 90)].mean()
