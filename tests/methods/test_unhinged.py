"""The unhinged loss on scores that a batch norm bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from by_hand import reduced
from torch import nn

from goldvein.methods.unhinged import Unhinged
from goldvein.training.network import build_network
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task

Start = Callable[..., Run]


def test_the_loss_by_hand() -> None:
    method = Unhinged()
    method.net = nn.Identity()
    scores = torch.tensor([[2.0, -1.0, 0.5], [9.0, 9.0, 9.0], [0.0, 3.0, 1.0]])
    terms = reduced(method.loss(Batch((scores,), torch.tensor([0, -1, 2]), torch.arange(3))))
    # 1 - 2/3 and 1 - 1/3; the row without a label is not counted
    torch.testing.assert_close(terms["unhinged"], torch.tensor((1 / 3 + 2 / 3) / 2))


def test_the_scores_of_a_batch_are_normalized_with_a_scale_and_a_shift(start: Start, blobs: Any) -> None:
    net = start(Unhinged(), blobs.x, blobs.y).module.net.train()
    scores = net(torch.as_tensor(blobs.x))
    torch.testing.assert_close(scores.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(scores.std(0, correction=0), torch.ones(3), atol=1e-3, rtol=0)
    trained = {name for name, parameter in net[-1].named_parameters() if parameter.requires_grad}
    assert trained == {"weight", "bias"}


def test_the_loss_falls_while_the_scale_grows(start: Start, blobs: Any) -> None:
    run = start(Unhinged(), blobs.x, blobs.y, validation=blobs.validation)
    run.module.train_on(run)
    losses = [entry["unhinged"] for entry in run.at.history]
    assert losses[-1] < losses[0] < 1.1  # scores of mean 0 have a loss of 1
    assert (run.module.net[-1].weight > 1).all()  # the loss itself has no bound: the scale is what is left of it


def test_the_weights_fit_a_network_that_is_set_up_without_rows(start: Start, blobs: Any) -> None:
    run = start(Unhinged(), blobs.x, blobs.y)
    run.module.train_on(run)
    other, none = Unhinged(), torch.empty(0, dtype=torch.bool)
    other.setup(Task(0, 3, (2,), none.long(), None, none, lambda: build_network("mlp", (2,), 3)))
    other.net.load_state_dict(run.module.net.state_dict())
    torch.testing.assert_close(run.predict(net=other), run.predict())
