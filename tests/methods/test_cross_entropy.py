"""Plain supervised training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from by_hand import reduced
from torch import nn

from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch


def test_the_loss_is_the_mean_over_the_labeled_rows() -> None:
    method = CrossEntropy()
    method.net = nn.Identity()
    probs = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    loss = reduced(method.loss(Batch((probs.log(),), torch.tensor([0, 2, -1]), torch.arange(3))))
    expected = -(torch.tensor(0.7).log() + torch.tensor(0.1).log()) / 2
    torch.testing.assert_close(loss["cross_entropy"], expected)


@pytest.mark.parametrize("balance", [False, True])
def test_balance(start: Callable[..., Run], balance: bool) -> None:
    y = torch.tensor([0] * 30 + [1] * 6 + [-1] * 4)
    drawn: list[int] = []
    run = start(CrossEntropy(balance=balance), torch.randn(40, 2).numpy(), y, recipe=Recipe(epochs=1, batch_size=9))
    batches = run.batches
    run.batches = lambda *given, **options: ((drawn.extend(b.y.tolist()), b)[1] for b in batches(*given, **options))
    run.module.train_on(run)
    assert (drawn.count(0), drawn.count(1), drawn.count(-1)) == ((18, 18, 0) if balance else (30, 6, 0))


def test_unlabeled_rows_are_not_used(start: Callable[..., Run], same: Callable[..., bool], blobs: Any) -> None:
    found = []
    for value in (0.0, 50.0):
        x = blobs.x.copy()
        x[blobs.y < 0] = value
        run = start(CrossEntropy(), x, blobs.y, recipe=Recipe(epochs=2, batch_size=32))
        run.module.train_on(run)
        found.append(run.module.state_dict())
    assert same(*found)
