"""The curriculum: which losses count at which part of the training, and the level that they are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.engine import Run
from goldvein.errors import InputError
from goldvein.methods.mentor_net import MentorNet
from goldvein.recipe import Recipe
from goldvein.task import Batch

Start = Callable[..., Run]


def fresh(percent: int, **params: Any) -> MentorNet:
    method = MentorNet(**params)
    method.net = nn.Identity()
    method.register_buffer("level", torch.zeros((), dtype=torch.float64))
    method.percent = percent
    return method


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (0, [1, 1, 1, 1, 1]),
        (18, [1, 1, 1, 1, 1]),
        (19, [1, 1, 0, 0, 0]),
        (89, [1, 1, 0, 0, 0]),
        (90, [1, 1, 0.5, 0, 0]),
        (99, [1, 1, 0.5, 0, 0]),
    ],
)
def test_weights_by_hand(percent: int, expected: list[float]) -> None:
    method = fresh(percent)
    method.level.fill_(2.0)
    d = torch.tensor([-1.5, 0.0, 0.5, 1.0, 3.0]).double()
    assert method.weights(2.0 + d).tolist() == expected


@pytest.mark.parametrize("percent", [0, 50, 95])
def test_the_self_paced_curriculum_never_changes(percent: int) -> None:
    method = fresh(percent, curriculum="self_paced")
    method.level.fill_(1.0)
    assert method.weights(torch.tensor([0.9, 1.0, 1.1]).double()).tolist() == [1, 1, 0]
    assert torch.equal(method.drop(torch.ones(50)), torch.ones(50))


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 5))
def test_the_level_follows_the_percentile(losses: list[float], percentile: float, level: float) -> None:
    method = fresh(50, percentile=percentile)
    method.level.fill_(level)
    # two classes: logits (a, 0) of class 0 have the loss log(1 + e^-a)
    values = torch.tensor(losses, dtype=torch.float64)
    logits = torch.stack([-values.expm1().log(), torch.zeros_like(values)], 1)
    method.loss(Batch((logits,), torch.zeros(len(losses), dtype=torch.int64), torch.arange(len(losses))))
    ranks = np.clip(percentile + np.array([-1e-6, 0, 1e-6]), 0, 1)  # halfway between two, either is the nearest
    expected = [0.5 * level + 0.5 * np.percentile(values.numpy(), 100 * rank, method="nearest") for rank in ranks]
    assert min(abs(method.level.item() - value) for value in expected) < 1e-9


def test_percentiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=128)
    for p in (0.5, 0.6, 0.7, 0.75, 0.8):
        ours = torch.as_tensor(values).quantile(p, interpolation="nearest").item()
        assert ours == np.percentile(values, 100 * p, method="nearest")


@pytest.mark.parametrize(("percent", "kept"), [(0, 64), (16, 64), (17, 121), (60, 121), (95, 121)])
def test_examples_are_dropped_at_random(percent: int, kept: int) -> None:
    torch.manual_seed(0)
    method = fresh(percent)
    first, second = method.drop(torch.ones(128)), method.drop(torch.ones(128))
    assert first.sum() == second.sum() == kept
    assert not torch.equal(first, second)
    assert method.drop(torch.zeros(128)).sum() == 0


def test_the_loss_by_hand_and_no_gradient_through_the_weights() -> None:
    method = fresh(95, percentile=0.0)
    method.drop = lambda v: v  # type: ignore[method-assign]
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.2], [0.0, 3.0]]).double().requires_grad_()
    terms = method.loss(Batch((logits,), torch.zeros(3, dtype=torch.int64), torch.arange(3)))
    losses = F.cross_entropy(logits, torch.zeros(3, dtype=torch.int64), reduction="none")
    level = 0.5 * losses.min().item()
    v = torch.tensor([min(1.0, max(0.0, 1 - (value - level))) for value in losses.tolist()]).double()
    assert 0 < v[1] < 1
    assert v[2] == 0
    torch.testing.assert_close(terms["cross_entropy"], (v * losses).sum() / 3)
    assert set(terms) == {"cross_entropy"}
    gradient = torch.autograd.grad(terms["cross_entropy"], logits, retain_graph=True)[0]
    expected = torch.autograd.grad((v * losses).mean(), logits)[0]
    torch.testing.assert_close(gradient, expected)


def test_the_curriculum_moves_with_the_run(start: Start, blobs: Any) -> None:
    seen: list[int] = []

    class Watched(MentorNet):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            seen.append(self.percent)
            assert (batch.y >= 0).all()
            return super().loss(batch)

    run = start(Watched(), blobs.x, blobs.y, recipe=Recipe(epochs=8, batch_size=500))
    run.method.train_on(run)
    assert seen == [0, 12, 25, 37, 50, 62, 75, 87]
    assert run.method.level > 0


def test_the_authors_optimizer(start: Start, blobs: Any) -> None:
    run = start(MentorNet(optimizer="sgd"), blobs.x, blobs.y, recipe=Recipe(epochs=39, batch_size=500))
    run.method.train_on(run)
    assert isinstance(run.optimizer, torch.optim.SGD)
    assert run.optimizer.param_groups[0]["weight_decay"] == 2e-4
    assert [run.at.history[e]["lr"] for e in (0, 19, 20, 24, 25, 29, 30, 38)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3, 1e-4, 1e-4]
    )


def test_an_unknown_curriculum(start: Start, blobs: Any) -> None:
    with pytest.raises(InputError, match="unknown curriculum 'self_pace': did you mean 'self_paced'"):
        start(MentorNet(curriculum="self_pace"), blobs.x, blobs.y)
