"""The labeled term with a known noise, by rate and by matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from goldvein.errors import InputError
from goldvein.methods.m_vae import MVAE
from goldvein.models.mlp import MLP
from goldvein.training.run import Run
from goldvein.training.task import Task


def ready(**params: object) -> MVAE:
    none, nobody = torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.bool)
    method = MVAE(z_a=2, z_b=2, hidden=4, **params)
    method.setup(Task(0, 3, (4,), none, None, nobody, lambda: MLP((4,), 3, hidden=(4,))))
    return method


LOGITS = torch.tensor([[0.0, 1.0, 2.0], [1.0, -1.0, 0.5]], requires_grad=True)
Y = torch.tensor([2, 0])
X, MEAN = torch.full((2, 4), torch.nan), torch.full((2, 2), torch.nan)  # which this term does not look at


def test_a_rate_by_hand() -> None:
    f = math.log(2 * 0.7 / 0.3)
    q = LOGITS.detach().softmax(1)
    expected = torch.stack([-f * q[0, 2], -f * q[1, 0]])
    torch.testing.assert_close(ready(noise_rate=0.3).labeled_term(X, Y, LOGITS, MEAN), expected)


def test_a_matrix_by_hand() -> None:
    T = ((0.9, 0.1, 0.0), (0.0, 0.8, 0.2), (0.3, 0.0, 0.7))
    q = LOGITS.detach().softmax(1)
    of_2 = q[0, 0] * math.log(1e-3) + q[0, 1] * math.log(0.2) + q[0, 2] * math.log(0.7)
    of_0 = q[1, 0] * math.log(0.9) + q[1, 1] * math.log(1e-3) + q[1, 2] * math.log(0.3)
    torch.testing.assert_close(ready(transition=T).labeled_term(X, Y, LOGITS, MEAN), -torch.stack([of_2, of_0]))


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.6])
def test_a_symmetric_matrix_is_a_rate(rate: float) -> None:
    T = np.full((3, 3), rate / 2)
    np.fill_diagonal(T, 1 - rate)
    by_matrix = ready(transition=T.tolist()).labeled_term(X, Y, LOGITS, MEAN)
    by_rate = ready(noise_rate=rate).labeled_term(X, Y, LOGITS, MEAN)
    torch.testing.assert_close(by_matrix - by_rate, torch.full((2,), -math.log(rate / 2)))  # a constant
    first, second = (torch.autograd.grad(term.sum(), LOGITS)[0] for term in (by_matrix, by_rate))
    torch.testing.assert_close(first, second)


def test_labels_without_noise_do_not_weigh_infinitely() -> None:
    assert ready(noise_rate=0.0).labeled_term(X, Y, LOGITS, MEAN).isfinite().all()
    identity = ready(transition=torch.eye(3).tolist()).labeled_term(X, Y, LOGITS, MEAN)
    assert identity.isfinite().all()


def test_noise_that_it_cannot_use() -> None:
    for rate in (-0.1, 0.67, 1.0):
        with pytest.raises(
            InputError, match=rf"noise_rate={rate}: for 3 classes it must be at least 0 and below 0\.667"
        ):
            ready(noise_rate=rate)
    with pytest.raises(InputError, match="transition matrix has shape"):
        ready(transition=((1.0, 0.0), (0.0, 1.0)))


def test_no_label_was_learned(start: Callable[..., Run], blobs: Any) -> None:
    run = start(MVAE(z_a=2, z_b=2, hidden=4), blobs.x, blobs.y)
    probs, learned = run.module.evidence(run)
    assert (learned == -1).all()
    torch.testing.assert_close(probs, run.predict())
