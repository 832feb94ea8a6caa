"""Orders of rows: what is drawn how often."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from goldvein.training import sampling

rows_of = st.lists(st.integers(0, 500), min_size=1, max_size=40, unique=True).map(torch.tensor)
seeds = st.integers(0, 2**32)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(rows_of, seeds)
def test_shuffled_keeps_every_row(rows: torch.Tensor, seed: int) -> None:
    assert sorted(sampling.shuffled(rows, generator(seed)).tolist()) == sorted(rows.tolist())


def test_shuffled_changes_the_order() -> None:
    g, rows = generator(0), torch.arange(50)
    first, second = sampling.shuffled(rows, g), sampling.shuffled(rows, g)
    assert first.tolist() != rows.tolist()
    assert first.tolist() != second.tolist()


@given(rows_of, st.integers(1, 200), seeds)
def test_cycled_draws_in_full_passes(rows: torch.Tensor, n: int, seed: int) -> None:
    drawn = sampling.cycled(rows, n, generator(seed))
    assert len(drawn) == n
    for start in range(0, n, len(rows)):
        part = drawn[start : start + len(rows)].tolist()
        assert len(set(part)) == len(part)
    assert set(drawn.tolist()) <= set(rows.tolist())


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 150), seeds)
def test_balanced_draws_classes_equally_often(labels: list[int], n: int, seed: int) -> None:
    y = torch.tensor(labels)
    drawn = sampling.balanced(torch.arange(len(y)), y, n, generator(seed))
    assert len(drawn) == n
    counts = y[drawn].bincount(minlength=5)[y.unique()]
    assert counts.max() - counts.min() <= 1
    for k in y.unique():  # within a class every row comes equally often, give or take one
        times = drawn.bincount(minlength=len(y))[y == k]
        assert times.max() - times.min() <= 1


def test_balanced_left_over_draws_go_to_any_class() -> None:
    y, g = torch.tensor([0, 1, 2]), generator(0)
    lucky = {int(y[sampling.balanced(torch.arange(3), y, 1, g)][0]) for _ in range(40)}
    assert lucky == {0, 1, 2}


def test_balanced_mixes_the_classes() -> None:
    y = torch.arange(200) % 2
    drawn = y[sampling.balanced(torch.arange(200), y, 200, generator(1))]
    assert 60 < int((drawn[1:] != drawn[:-1]).sum()) < 140  # 100 is expected of a fair order


@given(st.integers(1, 300), st.integers(1, 40))
def test_split_cuts_into_even_batches(n: int, n_batches: int) -> None:
    n_batches = min(n, n_batches)
    parts = sampling.split(torch.arange(n), n_batches)
    assert len(parts) == n_batches
    assert torch.cat(parts).tolist() == list(range(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(rows_of, seeds)
def test_orders_follow_the_seed(rows: torch.Tensor, seed: int) -> None:
    draws = [sampling.balanced(rows, torch.arange(501) % 3, 30, generator(seed)).tolist() for _ in range(2)]
    assert draws[0] == draws[1]


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=80), st.integers(2, 6))
def test_folds_are_dealt_class_by_class(labels: list[int], n_folds: int) -> None:
    y = torch.tensor(labels)
    fold = sampling.deal_folds(y, 5, n_folds)
    assert ((fold == -1) == (y == -1)).all()
    for rows in (y >= 0, *(y == c for c in range(5))):
        counts = fold[rows].bincount(minlength=n_folds)
        assert len(counts) == n_folds
        assert counts.max() - counts.min() <= 1


def test_folds_are_shuffled() -> None:
    """Rows often come in an order, such as those of one camera first: every third row must not be one fold."""
    y = torch.zeros(300, dtype=torch.int64)
    torch.manual_seed(0)
    first, second = sampling.deal_folds(y, 1, 3), sampling.deal_folds(y, 1, 3)
    in_turn = torch.arange(300) % 3
    for fold in (first, second):
        agree = (fold == in_turn).double().mean()
        assert abs(agree - 1 / 3) < 0.15  # five standard errors
    assert not torch.equal(first, second)


def test_no_folds() -> None:
    assert sampling.deal_folds(torch.tensor([0, 1, -1]), 2, 0).tolist() == [-1, -1, -1]
