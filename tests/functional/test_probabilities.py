"""Distances, soft labels and moving averages against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from goldvein.functional.probabilities import kept_mask, one_hot, soft_cross_entropy, squared_distance, update_average


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


def test_kept_removed_and_missing_labels() -> None:
    found = kept_mask(torch.tensor([0, 3, -1, 2]), torch.tensor([0, -1, -1, 2]))
    assert found[[0, 1, 3]].tolist() == [1, 0, 1]
    assert found[2].isnan()
