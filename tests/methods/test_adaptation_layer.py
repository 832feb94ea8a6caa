"""The layer between classes and labels: its start, its rows, and what it learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import reduced
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.errors import InputError
from goldvein.methods.adaptation_layer import AdaptationLayer
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch, Terms

Start = Callable[..., Run]
PROBS = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]], dtype=torch.float64)
NOISE = torch.tensor([[0.6, 0.4, 0.0], [0.0, 0.5, 0.5], [0.1, 0.2, 0.7]], dtype=torch.float64)


class Split(nn.Module):
    """Logits that are given, above features that are given."""

    def features(self, x: Tensor) -> Tensor:
        return x[:, 3:]

    def head(self, h: Tensor) -> Tensor:
        return self.logits

    def forward(self, x: Tensor) -> Tensor:
        self.logits = x[:, :3]
        return self.logits


def layer(T: Tensor, *, by_input: bool = False) -> AdaptationLayer:
    method = AdaptationLayer(complex=by_input)
    method.net = Split()
    method.W = nn.Parameter((T + 1e-300).log())
    method.U = nn.Parameter(torch.zeros(3, 2, 3, dtype=torch.float64))
    return method


def batch(logits: Tensor, y: list[int]) -> Batch:
    x = torch.cat([logits, torch.linspace(-1, 1, 2 * len(y)).double().view(-1, 2)], dim=1)
    return Batch((x,), torch.tensor(y), torch.arange(len(y)))


def loss(method: AdaptationLayer, given: Batch) -> Tensor:
    method.net(given.views[0])
    return reduced(method.loss(given))["cross_entropy"]


@pytest.mark.parametrize("by_input", [False, True])
def test_without_noise_it_is_cross_entropy(by_input: bool) -> None:
    given = batch(PROBS.log(), [0, 2, 1])
    expected = F.cross_entropy(PROBS.log(), given.y)
    found = loss(layer(torch.eye(3, dtype=torch.float64), by_input=by_input), given)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("by_input", [False, True])
def test_with_fixed_noise_it_is_the_forward_loss(by_input: bool) -> None:
    y = [1, 2, 0]
    expected = -(PROBS @ NOISE)[torch.arange(3), y].log().mean()
    found = loss(layer(NOISE, by_input=by_input), batch(PROBS.log(), y))
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)
    # row 0: 0.7 * 0.4 + 0.2 * 0.5 + 0.1 * 0.2
    first = loss(layer(NOISE, by_input=by_input), batch(PROBS[:1].log(), [1]))
    assert first.item() == pytest.approx(-np.log(0.4), abs=1e-10)


def test_a_missing_label_says_nothing() -> None:
    whole, part = batch(PROBS.log(), [1, -1, -1]), batch(PROBS[:1].log(), [1])
    torch.testing.assert_close(loss(layer(NOISE), whole), loss(layer(NOISE), part))


def test_rows_are_stochastic_for_every_input() -> None:
    method = layer(NOISE, by_input=True)
    with torch.no_grad():
        method.U.normal_()
    x = batch(PROBS.log(), [0, 0, 0]).views[0]
    method.net(x)
    _, T = method.predict_noise(x)
    assert T.shape == (3, 3, 3)
    torch.testing.assert_close(T.sum(2), torch.ones(3, 3, dtype=torch.float64))
    assert not torch.allclose(T[0], T[1])
    # entry by entry: u_ij . h + W_ij
    scores = torch.stack([method.U[1, :, j] @ x[2, 3:] + method.W[1, j] for j in range(3)])
    torch.testing.assert_close(T[2, 1], scores.softmax(0))


@pytest.mark.parametrize("by_input", [False, True])
def test_the_gradient_by_finite_differences(by_input: bool) -> None:
    y = torch.tensor([0, 2, 1])

    def value(logits: Tensor, W: Tensor, U: Tensor) -> Tensor:
        method = AdaptationLayer(complex=by_input)
        method.net = Split()
        object.__setattr__(method, "W", W)
        object.__setattr__(method, "U", U)
        return loss(method, batch(logits, y.tolist()))

    W = (NOISE + 0.1).log()
    U = torch.linspace(-1, 1, 18).double().view(3, 2, 3)
    assert torch.autograd.gradcheck(value, tuple(t.clone().requires_grad_() for t in (PROBS.log(), W, U)))


def test_the_layer_starts_at_the_confusion_of_the_base(start: Start) -> None:
    x = np.eye(3, dtype=np.float32)[[0, 0, 0, 0, 1, 1, 1]]
    y = np.array([0, 0, 1, -1, 1, 2, 2])
    run = start(AdaptationLayer(), x, y)
    run.module.net = nn.Identity()  # predicts the place of the 1; class 2 is never predicted
    run.module.start_layer(run)
    expected = [[3 / 4, 1 / 4, 0], [0, 2 / 4, 2 / 4], [0, 0, 1]]
    torch.testing.assert_close(run.module.W.softmax(1).detach(), torch.tensor(expected), atol=1e-6, rtol=0)
    assert run.module.W[0, 2].item() == pytest.approx(np.log(1e-8), abs=1e-4)


def test_first_the_base_then_both(start: Start, blobs: Any) -> None:
    run = start(AdaptationLayer(), blobs.x, blobs.y, validation=blobs.validation, recipe=Recipe(epochs=3, lr=0.02))
    method, seen = run.module, []
    update = run.update

    def watched(terms: Terms) -> None:
        before = method.W.detach().clone(), method.net.head.weight.detach().clone()
        update(terms)
        after = method.W.detach(), method.net.head.weight.detach()
        seen.append((run.at.stage, *(not torch.equal(a, b) for a, b in zip(before, after, strict=True)), before[1]))

    run.update = watched
    method.train_on(run)
    assert {s[:3] for s in seen} == {(0, False, True), (1, True, True)}
    last, first = [s for s in seen if s[0] == 0][-1], next(s for s in seen if s[0] == 1)
    assert (first[3] - last[3]).abs().max() < 0.2  # it goes on from the base: fresh weights would differ by about 1


def test_the_complex_layer_needs_the_last_hidden_layer(start: Start, blobs: Any) -> None:
    def factory(input_shape: tuple[int, ...], n_classes: int) -> nn.Module:
        return nn.Linear(2, n_classes)

    start(AdaptationLayer(), blobs.x, blobs.y, model=factory)
    with pytest.raises(InputError, match="Linear has no `features` and `head`"):
        start(AdaptationLayer(complex=True), blobs.x, blobs.y, model=factory)


@pytest.mark.parametrize("by_input", [False, True])
def test_it_learns_the_noise(start: Start, chain: Any, by_input: bool) -> None:
    recipe = Recipe(epochs=40, batch_size=32, lr=0.01, schedule="constant")
    net: dict[str, Any] = {"params": {"hidden": (32,)}, "recipe": recipe}
    run = start(AdaptationLayer(complex=by_input), chain.x, chain.y, **net)
    run.module.train_on(run)
    if not by_input:
        T = run.module.W.softmax(1).detach()
        assert (T - torch.as_tensor(chain.T)).abs().max() < 0.1
    plain = start(CrossEntropy(), chain.x, chain.y, **net)
    plain.module.train_on(plain)
    true = torch.as_tensor(chain.y_true)
    right, right_of_plain = (F.cross_entropy(r.predict().log(), true) for r in (run, plain))
    # cross-entropy believes the labels: at best 0.6 of 1 for two classes of three, a loss of 2/3 log(1/.6) = 0.34
    assert right_of_plain > 0.3
    assert right < (0.8 if by_input else 0.6) * right_of_plain
