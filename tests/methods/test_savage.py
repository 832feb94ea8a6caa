"""The savage loss on the probability of the given label."""

from __future__ import annotations

import pytest
import torch
from by_hand import reduced
from torch import nn

from goldvein.methods.savage import Savage
from goldvein.training.task import Batch


def test_the_loss_by_hand() -> None:
    method = Savage()
    method.net = nn.Identity()
    logits = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.5, 1e-30]]).log()
    terms = reduced(method.loss(Batch((logits,), torch.tensor([0, -1, 2]), torch.arange(3))))
    # p = 0 is 1/4 in every class; the row without a label is not counted
    assert terms["savage"].item() == pytest.approx((0.1797104 + 0.25) / 2, abs=1e-6)


def test_a_row_that_the_network_is_sure_of_against_its_label_hardly_pulls() -> None:
    method = Savage()
    method.net = nn.Identity()
    pulls = []
    for probability in (0.5, 0.001):
        logits = torch.tensor([[probability, 1 - probability]]).log().requires_grad_()
        loss = reduced(method.loss(Batch((logits,), torch.tensor([0]), torch.arange(1))))["savage"]
        (gradient,) = torch.autograd.grad(loss, logits)
        pulls.append(gradient.abs().max().item())
    assert pulls[1] < pulls[0] / 100
