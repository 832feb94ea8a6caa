"""A stochastic matrix that is learned: its projection, its gradient, its decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from by_hand import reduced
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.methods.bottom_up import BottomUp, TameGradient, nearest_in_simplex
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch

Start = Callable[..., Run]
PROBS = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]], dtype=torch.float64)
NOISE = torch.tensor([[0.6, 0.4, 0.0], [0.0, 0.5, 0.5], [0.1, 0.2, 0.7]], dtype=torch.float64)
seeds = st.integers(0, 2**32)


def model(T: Tensor, **params: Any) -> BottomUp:
    method = BottomUp(**params)
    method.net = nn.Identity()
    method.T = nn.Parameter(T.clone())
    return method


def batch(y: list[int]) -> Batch:
    return Batch((PROBS.log(),), torch.tensor(y), torch.arange(3))


def points(seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_identity_is_cross_entropy() -> None:
    terms = reduced(model(torch.eye(3, dtype=torch.float64)).loss(batch([0, 2, 1])))
    expected = F.cross_entropy(PROBS.log(), torch.tensor([0, 2, 1]))
    torch.testing.assert_close(terms["cross_entropy"], expected, atol=1e-10, rtol=0)


def test_a_fixed_matrix_is_the_forward_loss() -> None:
    terms = reduced(model(NOISE).loss(batch([1, 2, 0])))
    expected = -(PROBS @ NOISE)[torch.arange(3), [1, 2, 0]].log().mean()
    torch.testing.assert_close(terms["cross_entropy"], expected, atol=1e-10, rtol=0)


def test_a_missing_label_says_nothing() -> None:
    terms = reduced(model(NOISE).loss(batch([1, -1, -1])))
    # 0.7 * 0.4 + 0.2 * 0.5 + 0.1 * 0.2
    assert terms["cross_entropy"].exp().item() == pytest.approx(1 / 0.4, abs=1e-10)


def test_the_decay_by_hand() -> None:
    # squares of the rows: 0.52, 0.5, 0.54
    terms = reduced(model(NOISE, decay=0.2).loss(batch([0, 0, 0])))
    assert terms["decay"].item() == pytest.approx(0.1 * 1.56 / 3, abs=1e-10)


@given(seeds, st.floats(0.1, 50))
def test_the_projection_is_the_nearest_point(seed: int, scale: float) -> None:
    rows = points(seed, scale)
    nearest = nearest_in_simplex(rows)
    torch.testing.assert_close(nearest.sum(1), torch.ones(5, dtype=torch.float64))
    assert (nearest >= 0).all()
    torch.testing.assert_close(nearest_in_simplex(nearest), nearest)
    # of a convex set: no direction into it makes an acute angle with the way out
    others = torch.cat([torch.eye(4, dtype=torch.float64), points(seed + 1).softmax(1)])
    assert (((rows - nearest)[:, None] * (others[None] - nearest[:, None])).sum(2) < 1e-9).all()


def test_a_row_of_huge_numbers_is_projected() -> None:
    assert nearest_in_simplex(torch.tensor([[1e12, 0.0, -1e12]])).tolist() == [[1, 0, 0]]


@given(seeds)
def test_the_gradient_by_finite_differences(seed: int) -> None:
    method = model(0.5 * NOISE + 0.5 / 3, decay=0.0)
    given_batch = batch([1, 2, 0])
    loss = reduced(method.loss(given_batch))["cross_entropy"]
    (gradient,) = torch.autograd.grad(loss, method.T)
    torch.testing.assert_close(gradient.sum(1), torch.zeros(3, dtype=torch.float64))
    inside = points(seed)[:3, :3]
    inside = inside - inside.mean(1, keepdim=True)
    h, T = 1e-5, method.T.detach()
    up, down = (reduced(model(T + s * h * inside).loss(given_batch))["cross_entropy"] for s in (1, -1))
    slope = ((up - down) / (2 * h)).item()
    assert (gradient * inside).sum().item() == pytest.approx(slope, abs=1e-8)


@given(seeds)
def test_a_plain_step_ends_at_the_same_point(seed: int) -> None:
    T, gradient = points(seed).softmax(1).requires_grad_(), 0.1 * points(seed + 1)
    (tame,) = torch.autograd.grad(TameGradient.apply(T), T, gradient)
    torch.testing.assert_close(nearest_in_simplex(T - 0.3 * tame), nearest_in_simplex(T - 0.3 * gradient))


def test_a_long_gradient_is_cut() -> None:
    T = torch.eye(2, requires_grad=True)
    (tame,) = torch.autograd.grad(TameGradient.apply(T), T, torch.tensor([[3e6, -1e6], [0.0, 0.0]]))
    torch.testing.assert_close(tame, torch.tensor([[0.5**0.5, -(0.5**0.5)], [0.0, 0.0]]))


def test_the_matrix_rests_then_stays_stochastic(start: Start, blobs: Any) -> None:
    run = start(BottomUp(), blobs.x, blobs.y, recipe=Recipe(epochs=3, batch_size=16, lr=0.05, optimizer="sgd"))
    seen: list[tuple[int, Tensor]] = []
    project = run.module.project
    run.module.project = lambda: (project(), seen.append((run.at.stage, run.module.T.detach().clone())))
    update = run.update
    run.update = lambda terms: (seen.append((run.at.stage, run.module.T.detach().clone())), update(terms))
    run.module.train_on(run)
    assert {stage for stage, _ in seen} == {0, 1}
    for stage, T in seen:
        assert (T >= 0).all()
        torch.testing.assert_close(T.sum(1), torch.ones(3))
        assert stage or torch.equal(T, torch.eye(3))
    assert not torch.equal(seen[-1][1], torch.eye(3))


@pytest.mark.parametrize(("optimizer", "lr"), [("adam", 0.01), ("sgd", 0.05)])
def test_it_learns_the_noise(start: Start, chain: Any, optimizer: str, lr: float) -> None:
    recipe = Recipe(epochs=40, batch_size=32, lr=lr, schedule="constant", optimizer=optimizer)
    net: dict[str, Any] = {"params": {"hidden": (32,)}, "recipe": recipe}
    run = start(BottomUp(), chain.x, chain.y, **net)
    run.module.train_on(run)
    assert (run.module.T.detach() - torch.as_tensor(chain.T)).abs().max() < 0.2
    plain = start(CrossEntropy(), chain.x, chain.y, **net)
    plain.module.train_on(plain)
    true = torch.as_tensor(chain.y_true)
    right, right_of_plain = (F.cross_entropy(r.predict().log(), true) for r in (run, plain))
    assert right_of_plain > 0.3  # it believes the labels: at best 2/3 log(1/.6) = 0.34
    assert right < 0.6 * right_of_plain
