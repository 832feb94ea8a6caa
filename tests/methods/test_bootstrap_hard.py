"""The hard bootstrap: labels mixed with what the network decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from by_hand import reduced
from torch import nn

from goldvein.methods.bootstrap_hard import BootstrapHard
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.training.run import Run
from goldvein.training.task import Batch

PROBS = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1]])


def test_the_loss_by_hand() -> None:
    method = BootstrapHard()
    method.net = nn.Identity()
    terms = reduced(method.loss(Batch((PROBS.log(),), torch.tensor([0, -1, 1]), torch.arange(3))))
    # the row without a label is not counted
    assert terms["bootstrap"].item() == pytest.approx((0.3566749 + 1.3588853) / 2, abs=1e-6)


def test_with_the_whole_weight_on_the_label_it_is_cross_entropy(start: Callable[..., Run], blobs: Any) -> None:
    found = []
    for method in (BootstrapHard(beta=1.0), CrossEntropy()):
        run = start(method, blobs.x, blobs.y, validation=blobs.validation)
        method.train_on(run)
        found.append(run.predict())
    torch.testing.assert_close(*found, atol=1e-5, rtol=0)


def test_without_weight_on_the_label_no_label_is_learned() -> None:
    method = BootstrapHard(beta=0.0)
    method.net = nn.Identity()
    labels = torch.tensor([[1, 0, 0], [2, 2, 1]])
    first, second = (reduced(method.loss(Batch((PROBS.log(),), y, torch.arange(3))))["bootstrap"] for y in labels)
    assert first == second
    # -log of the largest probability of each row, in the mean
    assert first.item() == pytest.approx(0.3121645, abs=1e-6)
