"""Ramps, distances, soft labels and moving averages against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from goldvein.functional.probabilities import (
    one_hot,
    rampdown,
    rampup,
    soft_cross_entropy,
    squared_distance,
    trusted_term,
    update_average,
)


@pytest.mark.parametrize(
    ("epoch", "value"),
    [(0, 0.006738), (1, 0.007629), (20, 0.060055), (40, 0.286505), (60, 0.731616), (79, 0.999219), (80, 1), (300, 1)],
)
def test_rampup(epoch: int, value: float) -> None:
    assert rampup(epoch, 80) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("epoch", "value"), [(249, 1.0), (250, 1.0), (260, 0.606531), (275, 0.043937), (290, 0.000335), (299, 0.000006)]
)
def test_rampdown(epoch: int, value: float) -> None:
    assert rampdown(epoch, 300, 50) == pytest.approx(value, abs=1e-6)


def test_ramps_of_no_length_are_one() -> None:
    assert rampup(0, 0) == 1.0
    assert rampdown(9, 10, 0) == 1.0


@given(st.floats(1, 500), st.lists(st.floats(0, 600), min_size=2, max_size=20))
def test_rampup_rises(length: float, epochs: list[float]) -> None:
    values = [rampup(e, length) for e in sorted(epochs)]
    assert values == sorted(values)
    assert all(math.exp(-5) - 1e-12 <= v <= 1 for v in values)


@given(st.integers(1, 400), st.integers(1, 100))
def test_rampdown_falls(n_epochs: int, length: int) -> None:
    values = [rampdown(e, n_epochs, length) for e in range(n_epochs)]
    assert values == sorted(values, reverse=True)
    assert all(v == 1 for v in values[: max(0, n_epochs - length)])


def test_squared_distance_sums_over_classes() -> None:
    p = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], dtype=torch.float64)
    q = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.5, 0.5], [0.2, 0.3, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(squared_distance(p, q), torch.tensor([2.0, 0.5, 0.0], dtype=torch.float64))


def test_soft_cross_entropy() -> None:
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64))
    target = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64)
    by_hand = -0.5 * math.log(0.7) - 0.25 * math.log(0.2) - 0.25 * math.log(0.1)
    assert soft_cross_entropy(logits, target).item() == pytest.approx(by_hand, abs=1e-12)


@given(st.integers(0, 2**32))
def test_soft_cross_entropy_of_one_hot_labels_is_cross_entropy(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 5 * torch.randn(6, 4, generator=generator)
    y = torch.randint(0, 4, (6,), generator=generator)
    found = soft_cross_entropy(logits, one_hot(y, 4))
    torch.testing.assert_close(found, F.cross_entropy(logits, y, reduction="none"))


def test_one_hot_of_a_missing_label_is_zero() -> None:
    assert one_hot(torch.tensor([2, -1, 0]), 3).tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize(("decay", "expected"), [(0.0, 5.0), (1.0, 1.0), (0.75, 2.0)])
def test_update_average(decay: float, expected: float) -> None:
    average, current = [torch.ones(2)], [torch.full((2,), 5.0)]
    update_average(average, current, decay)
    assert average[0].tolist() == [expected, expected]
    assert current[0].tolist() == [5, 5]


def test_update_average_in_closed_form_and_without_gradient() -> None:
    decay, seen = 0.9, [3.0, -1.0, 4.0, 1.5]
    average = [torch.zeros(1, dtype=torch.float64)]
    for value in seen:
        update_average(average, [torch.tensor([value], dtype=torch.float64, requires_grad=True)], decay)
    closed = sum((1 - decay) * decay ** (len(seen) - 1 - s) * value for s, value in enumerate(seen))
    assert average[0].item() == pytest.approx(closed, abs=1e-12)
    assert not average[0].requires_grad


def test_update_average_copies_counters() -> None:
    average = [torch.tensor(3)]
    update_average(average, [torch.tensor(7)], 0.9)
    assert average[0].item() == 7


@pytest.mark.parametrize("n_classes", [2, 10])
def test_a_trusted_term_is_pushed_at_least_as_hard_as_any_other(n_classes: int) -> None:
    """Its gradient is f (1 - q) where the linear term has f q (1 - q): not 0 where q is."""
    logits = torch.randn(50, n_classes, dtype=torch.float64).mul_(4).requires_grad_()
    y = torch.arange(50) % n_classes
    q = logits.softmax(1)[torch.arange(50), y]
    f = math.log((n_classes - 1) * 0.999 / 0.001)
    torch.testing.assert_close(trusted_term(logits, y, 1e-3), -f * q.log())
    (sure,) = torch.autograd.grad(trusted_term(logits, y, 1e-3).sum(), logits, retain_graph=True)
    (linear,) = torch.autograd.grad(-(f * q).sum(), logits)
    torch.testing.assert_close(sure * q[:, None], linear)
