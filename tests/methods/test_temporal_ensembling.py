"""The ensemble of past predictions, its weight by epoch, and what it pulls towards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import reduced
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.functional.schedules import rampdown, rampup
from goldvein.methods.temporal_ensembling import TemporalEnsembling
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch, Terms

Start = Callable[..., Run]


def fresh(n: int = 4, n_classes: int = 2, **params: Any) -> TemporalEnsembling:
    method = TemporalEnsembling(**params)
    method.net = nn.Identity()
    method.register_buffer("Z", torch.zeros(n, n_classes, dtype=torch.float64))
    method.register_buffer("passes", torch.zeros(n, dtype=torch.float64))
    method.register_buffer("times", torch.zeros(n, dtype=torch.float64))
    return method


def test_a_row_that_stands_twice_in_a_batch_gives_the_mean() -> None:
    method, z = fresh(), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    method.ensemble(torch.tensor([2, 0, 2]), z)
    torch.testing.assert_close(method.targets(torch.tensor([0, 2])), z[[1, 0]])
    assert method.passes.tolist() == [1, 0, 1, 0]


def test_the_ensemble_of_ones() -> None:
    method, rows, ones = fresh(), torch.tensor([1, 3]), torch.ones(2, 2, dtype=torch.float64)
    for expected in (0.4, 0.64, 0.784, 0.8704, 0.92224):
        method.ensemble(rows, ones)
        torch.testing.assert_close(method.Z[rows], expected * ones, atol=1e-10, rtol=0)
        torch.testing.assert_close(method.targets(rows), ones, atol=1e-10, rtol=0)
    assert method.Z[[0, 2]].abs().max() == 0
    assert method.passes.tolist() == [0, 5, 0, 5]


@given(st.integers(0, 2**32), st.floats(0.0, 0.95), st.integers(1, 12))
def test_a_constant_prediction_is_its_own_target(seed: int, decay: float, n_passes: int) -> None:
    method = fresh(decay=decay)
    z = torch.rand(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    for _ in range(n_passes):
        method.ensemble(torch.arange(4), z)
    torch.testing.assert_close(method.targets(torch.arange(4)), z, atol=1e-10, rtol=1e-10)


def test_rows_count_their_own_passes() -> None:
    method = fresh()
    first, second = torch.tensor([[0.9, 0.1]]).double(), torch.tensor([[0.2, 0.8]]).double()
    method.ensemble(torch.tensor([0]), first)
    method.ensemble(torch.tensor([2]), first)
    method.ensemble(torch.tensor([2]), second)
    torch.testing.assert_close(method.targets(torch.tensor([0])), first)
    torch.testing.assert_close(method.targets(torch.tensor([2])), (0.6 * 0.4 * first + 0.4 * second) / (1 - 0.36))
    assert method.targets(torch.tensor([1])).tolist() == [[0, 0]]


def test_the_loss_by_hand() -> None:
    method = fresh(noise=0.0)
    passed = torch.tensor([[0.5, 0.5]]).double()
    method.ensemble(torch.tensor([2]), passed)
    logits = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.5, 0.1]]).double()
    batch = Batch((logits,), torch.tensor([0, -1, -1]), torch.tensor([0, 2, 1]))
    torch.testing.assert_close(method.logits(batch), logits)
    terms = reduced(method.terms(batch, logits, 3.0))
    torch.testing.assert_close(terms["cross_entropy"], F.cross_entropy(logits[:1], torch.tensor([0])))
    # rows 0 and 1 were never passed and have no target; the mean is over all rows of the batch
    by_hand = 3.0 * (logits.softmax(1)[1] - 0.5).square().sum() / 3
    torch.testing.assert_close(terms["consistency"], by_hand)


def test_targets_are_constants() -> None:
    method = fresh(n=2, noise=0.0)
    method.net = nn.Linear(2, 2).double()
    x = torch.randn(2, 2, dtype=torch.float64)
    batch = Batch((x,), torch.tensor([0, -1]), torch.arange(2))
    method.ensemble(torch.arange(2), method.logits(batch).softmax(1))
    assert not method.Z.requires_grad
    assert not method.targets(torch.arange(2)).requires_grad
    terms = reduced(method.terms(batch, method.logits(batch), 1.0))
    (gradient,) = torch.autograd.grad(terms["consistency"], method.net.weight)
    assert gradient.abs().max() < 1e-12  # the prediction is the target: only a moving target would pull


def spied(start: Start, blobs: Any, n_epochs: int, **params: Any) -> tuple[Run, dict[int, float]]:
    seen: dict[int, float] = {}

    class Watched(TemporalEnsembling):
        def terms(self, batch: Batch, logits: Tensor, alpha: float) -> Terms:
            seen[len(run.at.history)] = alpha
            return super().terms(batch, logits, alpha)

    recipe = Recipe(epochs=n_epochs, batch_size=64)
    run = start(Watched(**params), blobs.x, blobs.y, validation=blobs.validation, recipe=recipe)
    run.module.train_on(run)
    return run, seen


def test_the_weight_by_epoch(start: Start, blobs: Any) -> None:
    _, seen = spied(start, blobs, 12, w_max=30.0)
    training = ~blobs.validation
    share = ((blobs.y >= 0) & training).sum() / training.sum()
    # w N / (C M) with M = N/2 and three classes, 0 in the first epoch; 80 epochs of 300 are 3.2 of 12
    assert seen == {e: pytest.approx((e > 0) * 2 / 3 * 30 * share * rampup(e, 3.2)) for e in range(12)}
    assert seen[0] == 0


def test_its_own_optimizer(start: Start, blobs: Any) -> None:
    betas: list[float] = []

    class Watched(TemporalEnsembling):
        def terms(self, batch: Batch, logits: Tensor, alpha: float) -> Terms:
            betas.append(run.optimizer.param_groups[0]["betas"][0])
            return super().terms(batch, logits, alpha)

    method = Watched(optimizer="adam", lr=0.003)
    run = start(method, blobs.x, blobs.y, recipe=Recipe(epochs=12, batch_size=500, optimizer="sgd"))
    run.module.train_on(run)
    down = [rampdown(e, 12, 2) for e in range(12)]
    expected = [0.003 * rampup(e, 3.2) * down[e] for e in range(12)]
    assert [entry["lr"] for entry in run.at.history] == pytest.approx(expected)
    assert betas == pytest.approx([d * 0.9 + (1 - d) * 0.5 for d in down])


def test_the_optimizer_of_the_run(start: Start, blobs: Any) -> None:
    run = start(TemporalEnsembling(), blobs.x, blobs.y, recipe=Recipe(epochs=2, optimizer="sgd", lr=0.5))
    run.module.train_on(run)
    assert isinstance(run.optimizer, torch.optim.SGD)
    assert [entry["lr"] for entry in run.at.history] == [0.5, 0.5]


@pytest.mark.parametrize("balance", [True, False])
def test_classes_are_drawn_equally_often(start: Start, blobs: Any, balance: bool) -> None:
    """A tenth of the labels of two classes are left, so the third one has ten times as many."""
    y = np.where((blobs.y > 0) & (np.arange(len(blobs.y)) % 10 > 0), -1, blobs.y)
    drawn = np.zeros(3)

    class Watched(TemporalEnsembling):
        def terms(self, batch: Batch, logits: Tensor, alpha: float) -> Terms:
            drawn[:] += np.bincount(batch.y[batch.labeled], minlength=3)
            return super().terms(batch, logits, alpha)

    run = start(Watched(balance=balance), blobs.x, y, recipe=Recipe(epochs=4, batch_size=64))
    run.module.train_on(run)
    counts = np.bincount(y[y >= 0], minlength=3)
    if balance:
        assert drawn.max() <= 1.1 * drawn.min()
    else:
        np.testing.assert_allclose(drawn / drawn.sum(), counts / counts.sum(), atol=0.02)


def test_held_out_rows_have_no_ensemble(start: Start, blobs: Any) -> None:
    run, _ = spied(start, blobs, 3, balance=False)
    passes = run.module.passes.numpy()
    assert (passes[blobs.validation] == 0).all()
    assert (passes[~blobs.validation] >= 1).all()
    labeled = (blobs.y >= 0) & ~blobs.validation
    assert (passes[labeled] >= 3).all()  # at least once an epoch
    z = run.module.targets(torch.arange(len(blobs.y)))[torch.as_tensor(~blobs.validation)]
    torch.testing.assert_close(z.sum(1), torch.ones(len(z)))
