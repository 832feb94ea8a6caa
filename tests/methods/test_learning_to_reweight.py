"""Weights of labels by the gradient of trusted ones, against the algorithm written out with two backward passes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import ALONE, reduced
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from goldvein.errors import InputError
from goldvein.methods.learning_to_reweight import LearningToReweight, endless
from goldvein.training.device import LowPrecision
from goldvein.training.network import build_network
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch

Start = Callable[..., Run]


def problem(shape: tuple[int, ...], n: int = 6, n_trusted: int = 5) -> tuple[Batch, Batch]:
    rows = torch.arange(n)
    batch = Batch((torch.randn(n, *shape, dtype=torch.float64),), torch.randint(3, (n,)), rows)
    trusted = Batch((torch.randn(n_trusted, *shape, dtype=torch.float64),), torch.randint(3, (n_trusted,)), rows)
    return batch, trusted


def method_with(net: nn.Module) -> LearningToReweight:
    method = LearningToReweight()
    method.net = net
    return method


def literal(net: nn.Module, batch: Batch, trusted: Batch) -> Tensor:
    """Algorithm 1, lines 4 to 9, as printed: through the virtual step."""
    parameters = dict(net.named_parameters())
    state = {name: b.clone() for name, b in net.named_buffers()}

    def losses(at: dict[str, Tensor], b: Batch) -> Tensor:
        return F.cross_entropy(functional_call(net, (at, state), (b.views[0],)), b.y, reduction="none")

    epsilon = torch.zeros(len(batch.y), dtype=torch.float64, requires_grad=True)
    gradient = torch.autograd.grad(
        (epsilon * losses(parameters, batch)).sum(), list(parameters.values()), create_graph=True
    )
    virtual = {name: p - g for (name, p), g in zip(parameters.items(), gradient, strict=True)}
    return -torch.autograd.grad(losses(virtual, trusted).mean(), epsilon)[0]


@pytest.mark.parametrize(
    ("model", "shape", "params"),
    [
        ("mlp", (4,), {"hidden": (5,), "dropout": 0.0}),
        ("resnet14", (2, 8, 8), {}),
        ("conv13", (1, 12, 12), {"dropout": 0.0}),
    ],
)
def test_one_forward_pass_equals_two_backward_passes(
    model: str, shape: tuple[int, ...], params: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    net = build_network(model, shape, 3, **params).double().train()
    batch, trusted = problem(shape)
    u = method_with(net).alignment(ALONE, batch, trusted)
    torch.testing.assert_close(u, literal(net, batch, trusted), atol=1e-10, rtol=1e-8)


@given(st.integers(0, 2**32))
def test_it_is_the_inner_product_of_gradients(seed: int) -> None:
    torch.manual_seed(seed % 2**31)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    batch, trusted = problem((3,))

    def gradient(b: Batch) -> Tensor:
        parts = torch.autograd.grad(F.cross_entropy(net(b.views[0]), b.y), list(net.parameters()))
        return torch.cat([part.flatten() for part in parts])

    clean = gradient(trusted)
    each = [gradient(Batch((batch.views[0][i : i + 1],), batch.y[i : i + 1], batch.rows[:1])) @ clean for i in range(6)]
    u = method_with(net).alignment(ALONE, batch, trusted)
    torch.testing.assert_close(u, torch.stack(each), atol=1e-10, rtol=1e-8)


def test_a_finite_step_agrees() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    batch, trusted = problem((3,))
    u = method_with(net).alignment(ALONE, batch, trusted)
    gradient = torch.autograd.grad(F.cross_entropy(net(batch.views[0][2:3]), batch.y[2:3]), list(net.parameters()))

    def clean(eps: float) -> float:
        moved = {n: p - eps * g for (n, p), g in zip(net.named_parameters(), gradient, strict=True)}
        return F.cross_entropy(functional_call(net, moved, (trusted.views[0],)), trusted.y).item()

    assert u[2].item() == pytest.approx(-(clean(1e-5) - clean(-1e-5)) / 2e-5, rel=1e-6)


def at_zero(input_shape: tuple[int, ...], n_classes: int) -> nn.Module:
    net = nn.Linear(input_shape[0], n_classes, bias=False)
    nn.init.zeros_(net.weight)
    return net


def test_a_label_against_the_trusted_gradient_counts_nothing(start: Start) -> None:
    x, y = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1, 0])
    batch, trusted = Batch((x.double(),), y, torch.arange(3)), Batch((x[:1].double(),), y[:1], torch.arange(1))
    # at 0 the gradient of a row is (1/2 - onehot) x^T: <.,.> is 1/2, -1/2 and, for orthogonal inputs, 0
    method = method_with(at_zero((2,), 2).double())
    u = method.alignment(ALONE, batch, trusted)
    torch.testing.assert_close(u, torch.tensor([0.5, -0.5, 0.0]).double())
    assert method.weigh(ALONE, u).tolist() == [1, 0, 0]
    right = np.array([True, False, False])
    run = start(LearningToReweight(), x.numpy(), y, trusted=right, model=at_zero, recipe=Recipe(epochs=1, batch_size=3))
    seen: list[dict[str, Tensor]] = []
    run.update = lambda terms: seen.append(reduced(terms))  # type: ignore[method-assign]
    run.module.train_on(run)
    (terms,) = seen
    assert terms["cross_entropy"].item() == pytest.approx(np.log(2))  # of the first row alone
    (gradient,) = torch.autograd.grad(terms["cross_entropy"], run.module.net.weight)
    torch.testing.assert_close(gradient, torch.tensor([[-0.5, 0.0], [0.5, 0.0]]))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9))
def test_weights_are_a_positive_part_of_sum_one(u: list[float]) -> None:
    values = torch.tensor(u, dtype=torch.float64)
    w = LearningToReweight().weigh(ALONE, values)
    assert (w >= 0).all()
    assert (w[values <= 0] == 0).all()
    assert w.sum().item() == pytest.approx(1.0 if (values > 0).any() else 0.0)


def with_batch_norm(input_shape: tuple[int, ...], n_classes: int) -> nn.Module:
    return nn.Sequential(nn.Linear(input_shape[0], 4), nn.BatchNorm1d(4), nn.Linear(4, n_classes))


def test_only_the_real_pass_moves_batch_norms(start: Start, blobs: Any) -> None:
    torch.manual_seed(0)
    net: Any = with_batch_norm((3,), 3).double()
    batch, trusted = problem((3,))
    method_with(net).alignment(ALONE, batch, trusted)
    assert net[1].num_batches_tracked == 0
    assert net[1].running_mean.abs().max() == 0
    assert all(p.grad is None for p in net.parameters())
    recipe = Recipe(epochs=1, batch_size=180)
    run = start(LearningToReweight(), blobs.x, blobs.y, trusted=blobs.trusted, model=with_batch_norm, recipe=recipe)
    net = run.module.net
    x = torch.as_tensor(blobs.x[blobs.y >= 0])
    expected = 0.1 * net[0](x).mean(0).detach()
    run.module.train_on(run)
    assert net[1].num_batches_tracked == 1
    torch.testing.assert_close(net[1].running_mean, expected)


def test_in_bfloat16_too() -> None:
    torch.manual_seed(0)
    net = build_network("resnet14", (2, 8, 8), 3)
    batch, trusted = problem((2, 8, 8), n=16, n_trusted=16)
    batch, trusted = (Batch((b.views[0].float(),), b.y, b.rows) for b in (batch, trusted))
    exact = method_with(net).alignment(ALONE, batch, trusted)
    rough = method_with(LowPrecision(net)).alignment(ALONE, batch, trusted)
    assert torch.corrcoef(torch.stack([exact, rough]))[0, 1] > 0.95


def test_wrong_labels_get_less_weight(start: Start, blobs: Any) -> None:
    weights = torch.zeros(12, 180)  # by epoch and row

    class Watched(LearningToReweight):
        def alignment(self, run: Run, batch: Batch, trusted: Batch) -> Tensor:
            assert run.task.trusted[trusted.rows].all()
            assert (trusted.y == run.y[trusted.rows]).all()
            u = super().alignment(run, batch, trusted)
            weights[len(run.at.history)].index_add_(0, batch.rows, self.weigh(run, u))
            return u

    recipe = Recipe(epochs=12, batch_size=32, lr=0.01)
    run = start(Watched(), blobs.x, blobs.y, trusted=blobs.trusted, validation=blobs.validation, recipe=recipe)
    run.module.train_on(run)
    used, wrong = (blobs.y >= 0) & ~blobs.validation, blobs.y != blobs.y_true
    assert weights.sum(1).tolist() == pytest.approx([3.0] * 12)  # three batches an epoch, each of sum 1
    on_wrong, on_right = weights[:, used & wrong].mean(1), weights[:, used & ~wrong].mean(1)
    assert on_wrong.median() < 0.5 * on_right.median()


def test_the_authors_optimizer(start: Start, blobs: Any) -> None:
    recipe = Recipe(epochs=8, batch_size=500)
    run = start(LearningToReweight(optimizer="sgd"), blobs.x, blobs.y, trusted=blobs.trusted, recipe=recipe)
    run.module.train_on(run)
    assert isinstance(run.optimizer, torch.optim.SGD)
    assert run.optimizer.param_groups[0]["weight_decay"] == 2e-4
    expected = [0.1] * 4 + [0.01] * 2 + [1e-3] * 2
    assert [entry["lr"] for entry in run.at.history] == pytest.approx(expected)


@pytest.mark.parametrize("trusted", ["none", "nobody", "held out"])
def test_without_trusted_labels(start: Start, blobs: Any, trusted: str) -> None:
    rows = {"none": None, "nobody": np.zeros(180, dtype=bool), "held out": blobs.validation}[trusted]
    run = start(LearningToReweight(), blobs.x, blobs.y, trusted=rows, validation=blobs.validation)
    with pytest.raises(InputError, match=r"no label is trusted: .* mark some as trusted"):
        run.module.train_on(run)


def test_trusted_batches_go_round_all_trusted_rows(start: Start, blobs: Any) -> None:
    rows = torch.as_tensor(blobs.trusted)
    run = start(LearningToReweight(), blobs.x, blobs.y, trusted=blobs.trusted, recipe=Recipe(epochs=1, batch_size=4))
    n = int(rows.sum())
    batches = islice(endless(run, rows), 3 * -(-n // 4))
    times = torch.cat([batch.rows for batch in batches]).bincount(minlength=180)
    assert times[rows].tolist() == [3] * n
    assert times.sum() == 3 * n
