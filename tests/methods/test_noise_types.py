"""Types of noise: their probabilities, their posterior, and how they are told apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from goldvein.methods._noise_types import class_and_type, confusions, label_probs, largest_entries, noise_types

C = torch.tensor([[0, 1, 0, 0], [0.5, 0, 0.5, 0], [0.2, 0.3, 0, 0.5], [0, 0, 1, 0]], dtype=torch.float64)
P = torch.tensor([[0.7, 0.2, 0.1, 0.0], [0.1, 0.6, 0.2, 0.1]], dtype=torch.float64)
Y = torch.tensor([1, 3])


def always(place: int) -> Tensor:
    return torch.eye(3, dtype=torch.float64)[[place, place]]


def drawn(seed: int) -> tuple[Tensor, Tensor]:
    """Logits of four classes and of three types, six rows."""
    generator = torch.Generator().manual_seed(seed)
    logits, types = (torch.randn(6, n, dtype=torch.float64, generator=generator) * 2 for n in (4, 3))
    return logits, types


def nll(logits: Tensor, types: Tensor, y: Tensor) -> Tensor:
    return F.nll_loss(label_probs(logits.softmax(1), types.softmax(1), C).log(), y, reduction="sum")


def test_each_type_alone() -> None:
    free, random, confusing = (label_probs(P, always(z), C)[torch.arange(2), Y] for z in range(3))
    torch.testing.assert_close(free, P[torch.arange(2), Y], atol=1e-10, rtol=0)
    torch.testing.assert_close(random, (1 - P[torch.arange(2), Y]) / 3, atol=1e-10, rtol=0)
    by_hand = torch.tensor([0.7 * 1 + 0.1 * 0.3, 0.2 * 0.5], dtype=torch.float64)
    torch.testing.assert_close(confusing, by_hand, atol=1e-10, rtol=0)


@given(st.integers(0, 2**32))
def test_the_probabilities_of_all_labels_sum_to_1(seed: int) -> None:
    logits, types = drawn(seed)
    total = label_probs(logits.softmax(1), types.softmax(1), C).sum(1)
    torch.testing.assert_close(total, torch.ones(6, dtype=torch.float64), atol=1e-10, rtol=0)


def test_the_posterior_by_hand() -> None:
    p, z = P[:1], torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64)
    found = class_and_type(p, z, C, torch.tensor([1]))[0]
    # by true class: free, random, confusing
    joint = torch.tensor(
        [[0, 0.7 * 0.3 / 3, 0.7 * 0.2 * 1], [0.2 * 0.5, 0, 0], [0, 0.1 * 0.3 / 3, 0.1 * 0.2 * 0.3], [0, 0, 0]]
    ).double()
    torch.testing.assert_close(found, joint / joint.sum(), atol=1e-6, rtol=0)
    total = label_probs(p, z, C)[0, 1]
    assert total.item() == pytest.approx(joint.sum().item(), abs=1e-6)


@given(st.integers(0, 2**32))
def test_the_gradient_of_em_is_that_of_the_likelihood(seed: int) -> None:
    logits, types = (t.requires_grad_() for t in drawn(seed))
    y = torch.randint(0, 4, (6,), generator=torch.Generator().manual_seed(seed))
    r = class_and_type(logits.detach().softmax(1), types.detach().softmax(1), C, y)
    torch.testing.assert_close(r.sum((1, 2)), torch.ones(6, dtype=torch.float64), atol=1e-10, rtol=0)
    of_logits, of_types = torch.autograd.grad(nll(logits, types, y), (logits, types))
    torch.testing.assert_close(of_logits, logits.softmax(1) - r.sum(2), atol=1e-10, rtol=0)
    torch.testing.assert_close(of_types, types.softmax(1) - r.sum(1), atol=1e-10, rtol=0)


def test_the_gradient_by_finite_differences() -> None:
    y = torch.tensor([0, 1, 2, 3, 0, 1])
    assert torch.autograd.gradcheck(lambda a, b: nll(a, b, y), tuple(t.requires_grad_() for t in drawn(0)))


def test_two_classes_have_one_way_to_be_wrong() -> None:
    p = torch.tensor([[0.9, 0.1]])
    torch.testing.assert_close(label_probs(p, torch.tensor([[0.0, 1.0, 0.0]]), 1 - torch.eye(2)), p.flip(1))
    assert confusions(np.array([[0.8, 0.2], [0.0, 1.0]])).tolist() == [[0, 1], [1, 0]]
    assert noise_types(np.array([0, 1]), np.array([0, 0]), np.array([[0.0, 1.0], [1.0, 0.0]])).tolist() == [0, 1]


def test_the_number_of_entries_by_hand() -> None:
    # n = 1: 0.8 log 1 + 0.2 log 1/9 = -0.439; n = 2: 0.8 log 0.8/0.9 + 0.1 log 0.1/0.9 + 0.1 log 1/9 = -0.534
    assert largest_entries(np.array([0.1, 0.8, 0, 0.1, 0, 0, 0, 0, 0, 0]), 1 / 9).tolist() == np.eye(10)[1].tolist()
    # two equal ones: log 1/2 whether both, against 0.5 log 1 + 0.5 log 1/9 = -1.099
    assert largest_entries(np.array([0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0]), 1 / 9)[:2].tolist() == [0.5, 0.5]


@given(st.lists(st.integers(0, 30), min_size=3, max_size=8).filter(any))
def test_the_entries_kept_are_the_likeliest_number(counts: list[int]) -> None:
    f = np.array(counts) / sum(counts)
    chance = 1 / (len(f) - 1)
    kept = largest_entries(f, chance)
    assert kept.sum() == pytest.approx(1)
    n = (kept > 0).sum()
    order = np.argsort(-f, kind="stable")
    np.testing.assert_allclose(kept[order[:n]], f[order[:n]] / f[order[:n]].sum())

    def likelihood(n: int) -> float:
        inside = f[order[:n]]
        return float((inside * np.log(inside / inside.sum())).sum() + (1 - inside.sum()) * np.log(chance))

    best = max(likelihood(m) for m in range(1, (f > 0).sum() + 1))
    assert likelihood(n) == pytest.approx(best, abs=1e-9)


def test_a_class_without_wrong_labels_has_an_even_row() -> None:
    np.testing.assert_allclose(confusions(np.eye(3)), (1 - np.eye(3)) / 2)
