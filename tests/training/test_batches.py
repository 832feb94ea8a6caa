"""What is in the batches of an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run

Start = Callable[..., Run]


def masks(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(4, 60))
    y = np.array(draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n)))
    validation = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n))) & (y >= 0)
    y[:2], validation[:2] = [0, 1], False
    y[2], validation[2] = -1, False
    return y, validation


problems = st.composite(masks)()


def begin(start: Start, y: np.ndarray, validation: np.ndarray, batch_size: int) -> Run:
    x = np.arange(2 * len(y), dtype=np.float32).reshape(-1, 2)
    return start(CrossEntropy(), x, y, validation=validation, recipe=Recipe(epochs=1, batch_size=batch_size))


@settings(max_examples=40)
@given(problems, st.integers(1, 20), st.booleans())
def test_an_epoch_passes_once_over_the_labeled_rows(
    start: Start, problem: tuple[np.ndarray, np.ndarray], batch_size: int, balance: bool
) -> None:
    y, validation = problem
    run = begin(start, y, validation, batch_size)
    batches = list(run.batches(balance=balance))
    rows = torch.cat([batch.rows for batch in batches]).numpy()
    training = np.flatnonzero((y >= 0) & ~validation)
    assert len(rows) == len(training)
    assert not validation[rows].any()
    assert max(len(batch.rows) for batch in batches) <= batch_size
    if balance:
        counts = np.bincount(y[rows])[np.unique(y[training])]
        assert counts.max() - counts.min() <= 1
    else:
        assert sorted(rows) == sorted(training)
    for batch in batches:
        assert np.array_equal(batch.y, y[batch.rows.numpy()])
        assert np.array_equal(batch.views[0], run.inputs.resident[batch.rows])


def without(y: np.ndarray, validation: np.ndarray, n: int) -> np.ndarray:
    """Which rows come without a label: the training rows that have none, or all where those are fewer than ``n``."""
    rest = (y < 0) & ~validation
    return rest if rest.sum() >= n else ~validation


@settings(max_examples=40)
@given(problems, st.integers(1, 20))
def test_half_of_a_batch_comes_without_labels(
    start: Start, problem: tuple[np.ndarray, np.ndarray], batch_size: int
) -> None:
    y, validation = problem
    half = max(1, batch_size // 2)
    batches = list(begin(start, y, validation, batch_size).batches(unlabeled="rest"))
    labeled, unlabeled = [], []
    for batch in batches:
        assert len(batch.rows) == 2 * half
        assert np.array_equal(batch.y[:half], y[batch.rows[:half].numpy()])
        assert (batch.y[half:] == -1).all()
        labeled += batch.rows[:half].tolist()
        unlabeled += batch.rows[half:].tolist()
    training = set(np.flatnonzero((y >= 0) & ~validation))
    assert set(labeled) == training
    assert len(batches) == math.ceil(len(training) / half)
    times = np.bincount(unlabeled, minlength=len(y))[without(y, validation, half)]
    assert times.max() - times.min() <= 1  # cycled
    assert sum(times) == len(unlabeled)
    assert not validation[labeled + unlabeled].any()


@settings(max_examples=40)
@given(problems, st.integers(1, 5), st.integers(1, 9))
def test_an_epoch_over_the_kind_that_fills_most_of_a_batch(
    start: Start, problem: tuple[np.ndarray, np.ndarray], n_first: int, n_second: int
) -> None:
    y, validation = problem
    run = begin(start, y, validation, 8)
    batches = list(run.batches(unlabeled="rest", sizes=(n_first, n_second), over="larger", balance=True))
    hidden = np.flatnonzero(without(y, validation, 1))
    labeled = np.flatnonzero((y >= 0) & ~validation)
    by_label = n_first > n_second
    assert len(batches) == math.ceil(len(labeled) / n_first if by_label else len(hidden) / n_second)
    assert {len(batch.rows) for batch in batches} == {n_first + n_second}
    others = set(np.concatenate([batch.rows[n_first:] for batch in batches]))
    assert others <= set(hidden) if by_label else others == set(hidden)
    assert all((batch.y[:n_first] >= 0).all() for batch in batches)


def test_where_every_row_has_a_label_all_rows_come_without_it_as_well(start: Start) -> None:
    y, validation = np.arange(12) % 2, np.arange(12) < 2
    batches = list(begin(start, y, validation, 4).batches(unlabeled="rest"))
    unlabeled = torch.cat([batch.rows[2:] for batch in batches])
    assert sorted(unlabeled.tolist()) == list(range(2, 12))
    assert all((batch.y[2:] == -1).all() for batch in batches)


def test_all_training_rows_may_come_without_labels(start: Start) -> None:
    y, validation = np.array([0, 1] * 4 + [-1] * 8), np.arange(16) < 2
    batches = list(begin(start, y, validation, 4).batches(unlabeled="all", over="larger"))
    assert sorted(torch.cat([batch.rows[2:] for batch in batches]).tolist()) == list(range(2, 16))
    assert all((batch.y[2:] == -1).all() for batch in batches)


def test_rows_may_be_chosen(start: Start) -> None:
    y, validation = np.arange(12) % 3, np.zeros(12, dtype=bool)
    run = begin(start, y, validation, 4)
    labeled, unlabeled = torch.arange(12) < 4, torch.arange(12) >= 9
    batches = list(run.batches(labeled, unlabeled))
    assert sorted(torch.cat([b.rows[:2] for b in batches]).tolist()) == [0, 1, 2, 3]
    assert set(torch.cat([b.rows[2:] for b in batches]).tolist()) == {9, 10, 11}


def test_two_epochs_have_two_orders_and_two_runs_the_same(start: Start) -> None:
    y, validation = np.arange(40) % 2, np.zeros(40, dtype=bool)
    orders = []
    for _ in range(2):
        run = begin(start, y, validation, 4)
        orders.append([torch.cat([b.rows for b in run.batches()]).tolist() for _ in range(2)])
    assert orders[0] == orders[1]
    assert orders[0][0] != orders[0][1]


def test_other_labels_leave_the_run_as_it_was(start: Start) -> None:
    y, validation = np.arange(12) % 2, np.arange(12) < 2
    run = begin(start, y, validation, 12)
    other = run.with_labels(torch.tensor([1] * 6 + [-1] * 6))
    (batch,) = other.batches()
    assert sorted(batch.rows.tolist()) == [2, 3, 4, 5]
    assert batch.y.tolist() == [1] * 4
    assert run.y.tolist() == y.tolist()
    assert other.at is run.at
