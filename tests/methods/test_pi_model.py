"""Eq. 2 of Ding et al. 2018 by hand, its gradients, and its weight in the units of Laine & Aila."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from by_hand import reduced
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.functional.schedules import rampup
from goldvein.methods.pi_model import PiModel
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch, Terms

N, C, M = 8, 4, 4


def batch(y: Tensor, *views: Tensor) -> Batch:
    return Batch(views, y, torch.arange(len(y)))


def still(alpha: float = 20.0, net: nn.Module | None = None) -> PiModel:
    """A model without noise."""
    method = PiModel(alpha=alpha, noise=0.0)
    method.net = nn.Identity() if net is None else net
    return method


def logits(seed: int) -> Tensor:
    return torch.randn(N, C, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


Y = torch.tensor([0, 3, 1, 2, -1, -1, -1, -1])


def test_equal_branches_leave_the_cross_entropy() -> None:
    terms = reduced(still().loss(batch(Y, logits(0), logits(0))))
    assert terms["consistency"].item() == 0
    torch.testing.assert_close(sum(terms.values()), F.cross_entropy(logits(0)[:M], Y[:M]))


def test_no_weight_leaves_the_cross_entropy_of_the_first_branch() -> None:
    terms = reduced(still(alpha=0).loss(batch(Y, logits(0), logits(1))))
    torch.testing.assert_close(sum(terms.values()), F.cross_entropy(logits(0)[:M], Y[:M]))


def test_disjoint_predictions_are_two_apart() -> None:
    first, second = torch.eye(C).double()[:2] * 1e4, torch.eye(C).double()[2:] * 1e4
    terms = reduced(still(alpha=1).loss(batch(torch.tensor([0, 1]), first, second)))
    assert terms["consistency"].item() == 2


def test_all_rows_labeled_is_the_plain_mean() -> None:
    y = torch.arange(N) % C
    terms = reduced(still().loss(batch(y, logits(0), logits(1))))
    torch.testing.assert_close(terms["cross_entropy"], F.cross_entropy(logits(0), y))


def test_eq_2_by_hand() -> None:
    z1, z2 = logits(0).softmax(1), logits(1).softmax(1)
    by_hand = -sum(z1[j, Y[j]].log() for j in range(M)) / M
    by_hand = by_hand + 5.0 / N * sum(((z1[i] - z2[i]) ** 2).sum() for i in range(N))
    torch.testing.assert_close(sum(reduced(still(alpha=5).loss(batch(Y, logits(0), logits(1)))).values()), by_hand)


@pytest.mark.parametrize("risen", [0.0, 0.25])
def test_the_share_of_the_weight_that_is_in_force(risen: float) -> None:
    half, whole = (reduced(still(alpha=5).loss(batch(Y, logits(0), logits(1)), r)) for r in (risen, 1.0))
    torch.testing.assert_close(half["consistency"], risen * whole["consistency"])
    torch.testing.assert_close(half["cross_entropy"], whole["cross_entropy"])


@pytest.mark.parametrize("w", [1.0, 100.0])
def test_it_is_the_loss_of_laine_and_aila_times_n_over_m(w: float) -> None:
    z1, z2 = logits(0).softmax(1), logits(1).softmax(1)
    theirs = F.cross_entropy(logits(0)[:M], Y[:M], reduction="sum") / N + w * (z1 - z2).square().mean()
    ours = sum(reduced(still(alpha=w * N / (C * M)).loss(batch(Y, logits(0), logits(1)))).values())
    torch.testing.assert_close(ours, theirs * N / M)


def problem() -> tuple[PiModel, Batch]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, C)).double()
    views = [torch.randn(N, 3, dtype=torch.float64) for _ in range(2)]
    method = PiModel(alpha=7.0, noise=0.15)
    method.net = net
    return method, batch(Y, *views)


def loss_at(method: PiModel, data: Batch) -> Tensor:
    torch.manual_seed(1)  # the same noise at every point
    return sum(reduced(method.loss(data)).values(), start=torch.zeros((), dtype=torch.float64))


def test_gradients_are_those_of_finite_differences() -> None:
    method, data = problem()
    loss_at(method, data).backward()
    step = 1e-6
    for p in method.parameters():
        for i in range(p.numel()):
            flat = p.detach().view(-1)
            value = flat[i].item()
            flat[i] = value + step
            above = loss_at(method, data).item()
            flat[i] = value - step
            below = loss_at(method, data).item()
            flat[i] = value
            assert p.grad.view(-1)[i].item() == pytest.approx((above - below) / (2 * step), abs=1e-7)


def test_both_branches_receive_gradient() -> None:
    method, data = problem()
    method.noise = 0.0
    parameters = list(method.parameters())
    full = torch.autograd.grad(reduced(method.loss(data))["consistency"], parameters)
    z1, z2 = (method.net(view).softmax(1) for view in data.views)
    parts = [
        torch.autograd.grad(7.0 * (a - b).square().sum(1).mean(), parameters, retain_graph=True)
        for a, b in ((z1.detach(), z2), (z1, z2.detach()))
    ]
    for whole, first, second in zip(full, *parts, strict=True):
        torch.testing.assert_close(whole, first + second, atol=1e-12, rtol=0)
        assert first.abs().max() > 1e-6
        assert second.abs().max() > 1e-6


def test_the_branches_have_noise_of_their_own() -> None:
    method = PiModel(alpha=1.0, noise=0.15)
    method.net = nn.Identity()
    x = torch.zeros(400, 50)
    seen: list[Tensor] = []
    method.net.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    method.loss(batch(torch.zeros(400, dtype=torch.int64), x, x))
    first, second = seen[0].chunk(2)
    assert not torch.equal(first, second)
    assert first.std().item() == pytest.approx(0.15, abs=0.005)
    assert second.std().item() == pytest.approx(0.15, abs=0.005)
    assert abs((first * second).mean().item()) < 0.001


@pytest.mark.parametrize("ramp", [0.0, 0.5])
def test_the_weight_by_epoch(start: Callable[..., Run], blobs: Any, ramp: float) -> None:
    seen: dict[int, float] = {}

    class Watched(PiModel):
        def loss(self, data: Batch, risen: float = 1.0) -> Terms:
            seen[run.at.history[-1]["epoch"] + 1 if run.at.history else 0] = self.alpha * risen
            return super().loss(data, risen)

    run = start(Watched(alpha=8.0, ramp=ramp), blobs.x, blobs.y, recipe=Recipe(epochs=4, batch_size=64))
    run.module.train_on(run)
    assert seen == {e: pytest.approx(8 * rampup(e, 4 * ramp)) for e in range(4)}
    assert (seen[0] == 8) == (ramp == 0)


def test_unlabeled_rows_and_classes_in_a_batch(start: Callable[..., Run], blobs: Any) -> None:
    seen: list[Tensor] = []

    class Watched(PiModel):
        def loss(self, data: Batch, risen: float = 1.0) -> Terms:
            assert len(data.views) == 2
            seen.append(data.y)
            return super().loss(data, risen)

    run = start(Watched(), blobs.x, blobs.y, recipe=Recipe(epochs=1, batch_size=24))
    run.module.train_on(run)
    for y in seen:
        assert (y[:12] >= 0).all()
        assert (y[12:] == -1).all()
    counts = torch.cat(seen).clamp(min=-1).add(1).bincount()[1:]
    assert counts.max() - counts.min() <= 1
