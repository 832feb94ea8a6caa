"""The sigmoid loss on scores that a batch norm bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from by_hand import reduced
from torch import nn

from goldvein.methods.sigmoid import Sigmoid
from goldvein.training.network import build_network
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task

Start = Callable[..., Run]


def test_the_loss_by_hand() -> None:
    method = Sigmoid()
    method.net = nn.Identity()
    scores = torch.tensor([[2.0, -1.0, 0.5], [9.0, 9.0, 9.0], [0.0, 3.0, 0.0]])
    terms = reduced(method.loss(Batch((scores,), torch.tensor([0, -1, 2]), torch.arange(3))))
    # a score of 0 for the label is 1/2 in every class; the row without a label is not counted
    assert terms["sigmoid"].item() == pytest.approx((0.3730676 + 0.5) / 2, abs=1e-6)


def test_the_scores_of_a_batch_are_normalized_with_a_scale_and_a_shift(start: Start, blobs: Any) -> None:
    net = start(Sigmoid(), blobs.x, blobs.y).module.net.train()
    scores = net(torch.as_tensor(blobs.x))
    torch.testing.assert_close(scores.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(scores.std(0, correction=0), torch.ones(3), atol=1e-3, rtol=0)
    assert {name for name, _ in net[-1].named_parameters()} == {"weight", "bias"}


def test_the_weights_fit_a_network_that_is_set_up_without_rows(start: Start, blobs: Any) -> None:
    run = start(Sigmoid(), blobs.x, blobs.y)
    run.module.train_on(run)
    other, none = Sigmoid(), torch.empty(0, dtype=torch.bool)
    other.setup(Task(0, 3, (2,), none.long(), None, none, lambda: build_network("mlp", (2,), 3)))
    other.net.load_state_dict(run.module.net.state_dict())
    torch.testing.assert_close(run.predict(net=other), run.predict())
