"""The teacher as a mean of students, what each of the two sees, and the pace of weight and rates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from by_hand import reduced
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.functional.schedules import rampdown, rampup
from goldvein.methods.mean_teacher import MeanTeacher
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch, Terms

Start = Callable[..., Run]


def test_the_loss_by_hand() -> None:
    method = MeanTeacher(noise=0.0)
    method.student, method.net = nn.Identity(), nn.Linear(3, 3, bias=False).double()
    seen = torch.tensor([[1.0, 0.0, 2.0], [0.0, 2.0, 0.0]]).double().requires_grad_()
    other = torch.randn(2, 3, dtype=torch.float64)
    terms = reduced(method.loss(Batch((seen, other), torch.tensor([2, -1]), torch.arange(2)), 5.0))
    torch.testing.assert_close(terms["cross_entropy"], F.cross_entropy(seen[:1], torch.tensor([2])))
    s, s_teacher = seen.softmax(1), method.net(other).softmax(1)
    torch.testing.assert_close(terms["consistency"], 5.0 * (s - s_teacher).square().mean())
    # no gradient through the target
    terms["consistency"].backward()
    assert method.net.weight.grad is None
    expected = torch.autograd.grad(5.0 * (s - s_teacher.detach()).square().mean(), seen)[0]
    torch.testing.assert_close(seen.grad, expected)


def test_alike_and_without_noise_they_agree() -> None:
    method = MeanTeacher(noise=0.0)
    method.net = nn.Linear(3, 2)
    method.student = method.net
    x = torch.randn(5, 3)
    batch = Batch((x, x), torch.zeros(5, dtype=torch.int64), torch.arange(5))
    assert reduced(method.loss(batch, 1.0))["consistency"] == 0


def test_student_and_teacher_see_noise_of_their_own() -> None:
    torch.manual_seed(0)
    seen: list[Tensor] = []

    class Looks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return x

    method = MeanTeacher(noise=0.5)
    method.net = method.student = Looks()
    x = torch.zeros(4000, 2)
    method.loss(Batch((x, x + 1), torch.zeros(4000, dtype=torch.int64), torch.arange(4000)))
    teacher, student = seen
    assert student.mean().item() == pytest.approx(0, abs=0.03)  # the first view
    assert teacher.mean().item() == pytest.approx(1, abs=0.03)
    assert student.std().item() == pytest.approx(0.5, abs=0.02)
    assert torch.corrcoef(torch.stack([student[:, 0], teacher[:, 0]]))[0, 1].abs() < 0.06


class Watched(MeanTeacher):
    """Keeps the student's weights, from the start and after each step."""

    def loss(self, batch: Batch, w: float = 0.0) -> Terms:
        self.seen.append(next(self.student.parameters()).detach().clone())
        return super().loss(batch, w)


def trained(start: Start, blobs: Any, n_epochs: int, **params: Any) -> Run:
    method = Watched(**params)
    method.seen = []
    recipe = Recipe(epochs=n_epochs, batch_size=50, lr=0.01)
    run = start(method, blobs.x, blobs.y, validation=blobs.validation, recipe=recipe)
    run.module.train_on(run)
    method.seen.append(next(method.student.parameters()).detach().clone())
    return run


def test_the_teacher_is_the_plain_mean_of_the_first_students(start: Start, blobs: Any) -> None:
    method: Any = trained(start, blobs, 4).module
    weights = torch.stack(method.seen).double()
    assert 10 < len(weights) < 100  # while 1 - 1/(t+1) is the smaller of the two
    torch.testing.assert_close(next(method.net.parameters()).double(), weights.mean(0), atol=1e-6, rtol=1e-5)


def test_the_teacher_is_the_moving_average_from_then_on(start: Start, blobs: Any) -> None:
    method: Any = trained(start, blobs, 4, early_decay=0.7, decay=0.8).module
    ramp = 40 / 180 * (len(method.seen) - 1)
    average = method.seen[0].double()
    for t, weights in enumerate(method.seen[1:]):
        gamma = min(1 - 1 / (t + 2), 0.7 if t < ramp else 0.8)
        average = gamma * average + (1 - gamma) * weights
    torch.testing.assert_close(next(method.net.parameters()).double(), average, atol=1e-6, rtol=1e-5)


def test_only_the_student_is_optimized_and_the_teacher_predicts(start: Start, blobs: Any) -> None:
    run = trained(start, blobs, 1)
    method: Any = run.module
    optimized = {id(p) for group in run.optimizer.param_groups for p in group["params"]}
    assert optimized == {id(p) for p in method.student.parameters()}
    assert all(p.grad is None for p in method.net.parameters())
    method.eval()
    x = run.inputs.view(run.inputs.read(torch.arange(180)), "plain")
    torch.testing.assert_close(run.predict(), method.net(x).softmax(1))
    assert not torch.allclose(run.predict(), method.student(x).softmax(1))


def test_the_student_begins_where_the_network_that_predicts_is(start: Start, blobs: Any) -> None:
    method: Any = Watched()
    method.seen = []
    run = start(method, blobs.x, blobs.y, recipe=Recipe(epochs=1))
    before = nn.init.constant_(next(method.net.parameters()), 0.25).detach().clone()  # as another stage may leave it
    method.train_on(run)
    assert torch.equal(method.seen[0], before)


def test_keeping_the_best_epoch_keeps_its_teacher(start: Start, blobs: Any) -> None:
    recipe = Recipe(epochs=6, batch_size=16, lr=0.05, keep="best")
    run = start(MeanTeacher(), blobs.x, blobs.y, validation=blobs.validation, recipe=recipe)
    teachers: list[Tensor] = []
    close = run._close_epoch

    def closed(epoch: int) -> bool:
        teachers.append(next(run.module.net.parameters()).detach().clone())
        return close(epoch)

    run._close_epoch = closed  # type: ignore[method-assign]
    run.module.train_on(run)
    accuracies = [entry["validation_accuracy"] for entry in run.at.history]
    best = accuracies.index(max(accuracies))
    assert torch.equal(next(run.module.net.parameters()), teachers[best])


@pytest.mark.parametrize(
    ("n_steps", "up", "down"), [(180_000, 40_000, 25_000), (400_000, 40_000, 25_000), (360, 80, 50)]
)
def test_the_pace(n_steps: int, up: float, down: float) -> None:
    method, rates = MeanTeacher(optimizer="adam", lr=0.003, w_max=100.0), {}

    class Rates:
        def set_rate(self, lr: float, beta1: float, beta2: float) -> None:
            rates.update(lr=lr, beta1=beta1, beta2=beta2)

    for t in (0, round(up / 2), up - 1, up, n_steps - down, n_steps - down // 2, n_steps - 1):
        w, gamma = method.pace(Rates(), t, n_steps)  # type: ignore[arg-type]
        risen, fallen = rampup(t, up), rampdown(t, n_steps, down)
        assert w == pytest.approx(100 * risen)
        assert rates["lr"] == pytest.approx(0.003 * risen * fallen)
        assert rates["beta1"] == pytest.approx(0.5 + 0.4 * fallen)
        assert gamma == rates["beta2"] == (0.99 if t < up else 0.999)


def test_the_rates_reach_the_optimizer(start: Start, blobs: Any) -> None:
    run = trained(start, blobs, 3, optimizer="adam", lr=0.02)
    assert isinstance(run.optimizer, torch.optim.Adam)
    # most of the 150 rows outside the validation set are labeled, and so is most of a batch: it passes over the labels
    n_labeled = int(((blobs.y >= 0) & ~blobs.validation).sum())
    n_steps = 3 * math.ceil(n_labeled / math.ceil(50 * n_labeled / 150))
    last = rampdown(n_steps - 1, n_steps, 25 / 180 * n_steps)
    (group,) = run.optimizer.param_groups
    assert group["lr"] == pytest.approx(0.02 * last)
    assert group["betas"] == pytest.approx((0.5 + 0.4 * last, 0.999))
    assert len(run.module.seen) == n_steps + 1  # type: ignore[attr-defined]


def test_the_run_keeps_its_own_rate(start: Start, blobs: Any) -> None:
    run = trained(start, blobs, 2)
    assert [entry["lr"] for entry in run.at.history] == [0.01, 0.01]


def test_five_of_a_hundred_rows_are_labeled_and_all_rows_stand_beside_them(start: Start) -> None:
    x = torch.randn(400, 2).numpy()
    y = torch.full((400,), -1)
    y[:8] = torch.arange(8) % 2
    batches: list[Batch] = []

    class Batches(MeanTeacher):
        def loss(self, batch: Batch, w: float = 0.0) -> Terms:
            batches.append(batch)
            return super().loss(batch, w)

    run = start(Batches(), x, y, recipe=Recipe(epochs=1, batch_size=100))
    run.module.train_on(run)
    assert [int((b.y >= 0).sum()) for b in batches] == [5] * 5
    assert all((b.y[5:] == -1).all() for b in batches)
    others = torch.cat([b.rows[5:] for b in batches])
    assert len(others.unique()) == 400  # the labeled ones as well


@pytest.mark.parametrize(("n_labeled", "n_steps"), [(40, 5), (200, 8), (360, 4), (400, 5)])
def test_an_epoch_passes_over_the_larger_part(start: Start, n_labeled: int, n_steps: int) -> None:
    """Of 400 rows in batches of 100: 380 of 400 without labels, ..., or all labels where there are more of them."""
    y = torch.arange(400) % 2
    y[n_labeled:] = -1
    method: Any = Watched(early_decay=0.5, decay=0.5)
    method.seen = []
    run = start(method, torch.randn(400, 2).numpy(), y, recipe=Recipe(epochs=2, batch_size=100))
    method.train_on(run)
    assert len(method.seen) == 2 * n_steps


def test_the_teacher_has_dropout_and_batch_norms_of_its_own(start: Start, blobs: Any) -> None:
    """Only weights are averaged: with gamma = 0 they are the student's, and what a batch norm has seen is not."""

    def network(shape: tuple[int, ...], n_classes: int) -> nn.Module:
        return nn.Sequential(nn.Linear(shape[0], 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, n_classes))

    method = MeanTeacher(early_decay=0.0, decay=0.0)
    run = start(method, blobs.x, blobs.y, model=network, recipe=Recipe(epochs=2, batch_size=30))
    modes = []
    method.net.register_forward_pre_hook(lambda net, _: modes.append((net.training, torch.is_grad_enabled())))
    method.loss(next(iter(run.batches())))
    assert modes == [(True, False)]
    method.train_on(run)
    for a, b in zip(method.net.parameters(), method.student.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    ours, theirs = (net[1].running_mean for net in (method.net, method.student))  # type: ignore[index]
    assert not torch.equal(ours, theirs)
