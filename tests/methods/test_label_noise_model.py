"""The noise model in training: what is trusted, what begins it, whom its gradients reach."""

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
from goldvein.methods._noise_types import label_probs
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.label_noise_model import LabelNoiseModel
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch

Start = Callable[..., Run]
Y = np.array([0, 1, 1, 2, 2, -1, 0, 1])
TRUSTED = np.array([1, 0, 0, 1, 0, 0, 0, 1], dtype=bool)


def begun(start: Start, **params: Any) -> tuple[LabelNoiseModel, Batch]:
    x = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    run = start(LabelNoiseModel(**params), x, Y, trusted=TRUSTED, params={"hidden": (5,), "dropout": 0.0})
    method = run.module.double()
    with torch.no_grad():
        method.types.weight.normal_()
        method.C.copy_(torch.tensor([[0, 0.5, 0.5], [1, 0, 0], [0.2, 0.8, 0]]))
        method.kind.copy_(torch.tensor([-1, 0, 2, -1, 1, -1, 0, -1]))
    rows = torch.tensor([0, 1, 2, 3, 4, 6])
    return method, Batch((torch.as_tensor(x).double()[rows],), torch.as_tensor(Y)[rows], rows)


def test_the_loss_by_its_parts(start: Start) -> None:
    method, batch = begun(start, type_weight=0.5)
    terms = reduced(method.loss(batch))
    logits, types = method.net(batch.views[0]), method.types(method.net.features(batch.views[0]))
    given = label_probs(logits.softmax(1), types.softmax(1), method.C)
    by_hand = -sum(given[i, batch.y[i]].log() for i in (1, 2, 4, 5)) / 6
    torch.testing.assert_close(terms["noisy"], by_hand)
    torch.testing.assert_close(terms["trusted"], -sum(logits.log_softmax(1)[i, batch.y[i]] for i in (0, 3)) / 6)
    kinds = {1: 0, 2: 2, 4: 1, 5: 0}
    known = -0.5 * sum(types.log_softmax(1)[i, z] for i, z in kinds.items()) / 6
    torch.testing.assert_close(terms["types"], known)


def test_free_labels_are_cross_entropy(start: Start) -> None:
    method, batch = begun(start)
    with torch.no_grad():
        method.types.weight.zero_()
        method.types.bias.copy_(torch.tensor([800.0, 0.0, 0.0]))
    terms = reduced(method.loss(batch))
    whole = F.cross_entropy(method.net(batch.views[0]), batch.y)
    torch.testing.assert_close(terms["noisy"] + terms["trusted"], whole, atol=1e-10, rtol=0)


def test_whom_the_gradients_reach(start: Start) -> None:
    method, batch = begun(start)
    h = method.net.features(batch.views[0])
    given = label_probs(method.net.head(h).softmax(1), method.types(h.detach()).softmax(1), method.C)
    full = F.nll_loss(
        given.log(), batch.y.masked_fill(method.trusted[batch.rows], -1), reduction="sum", ignore_index=-1
    )
    expected = torch.autograd.grad(full / 6, [method.types.weight, *method.net.parameters()])
    noisy = reduced(method.loss(batch))["noisy"]
    found = torch.autograd.grad(noisy, [method.types.weight, *method.net.parameters()])
    torch.testing.assert_close(found[0], 0.1 * expected[0])
    for a, b in zip(found[1:], expected[1:], strict=True):
        torch.testing.assert_close(a, b)
    types = reduced(method.loss(batch))["types"]
    reached = torch.autograd.grad(types, [method.types.weight, *method.net.parameters()], allow_unused=True)
    assert [g is not None for g in reached] == [True] + [False] * len(expected[1:])


class Says(nn.Module):
    """Probabilities by the number in x: a base that was trained on noisy labels."""

    def __init__(self, probs: list[list[float]]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(probs).log())

    def forward(self, x: Tensor) -> Tensor:
        return self.logits[x[:, 0].long()]


def test_the_noise_begins_from_trusted_rows(start: Start) -> None:
    # most rows of class 1 are labeled 0, and the base says so; trusted rows tell which rows those are
    base = [[0.9, 0.05, 0.05], [0.7, 0.3, 0.0], [0.05, 0.05, 0.9]]
    true = np.repeat([0, 1, 2], 10)
    y = np.where((true == 1) & (np.arange(30) % 10 < 7), 0, true)
    trusted = np.arange(30) % 10 == 9
    run = start(LabelNoiseModel(), true[:, None].astype(np.float32), y, trusted=trusted)
    method = run.module
    method.net = Says(base)
    method.start_noise(run)
    torch.testing.assert_close(method.C[1], torch.tensor([1.0, 0.0, 0.0]))
    assert method.kind[trusted].tolist() == [-1] * 3
    assert method.kind[~trusted].tolist() == [0] * 9 + [2] * 7 + [0] * 2 + [0] * 9
    rates = method.types.bias.exp() / method.types.bias.exp().sum()
    torch.testing.assert_close(rates, torch.tensor([20 / 27, 0, 7 / 27]), atol=0.003, rtol=0)
    assert method.types.weight.abs().max() == 0


def test_the_noise_begins_from_the_predicted_class_without_trusted_rows(start: Start) -> None:
    base = [[0.8, 0.1, 0.1], [0.3, 0.7, 0.0], [0.05, 0.05, 0.9]]
    true = np.repeat([0, 1, 2], 10)
    y = np.where((true == 1) & (np.arange(30) % 10 < 3), 0, true)
    y[29] = -1
    run = start(LabelNoiseModel(), true[:, None].astype(np.float32), y)
    run.module.net = Says(base)
    run.module.start_noise(run)
    torch.testing.assert_close(run.module.C[1], torch.tensor([1.0, 0.0, 0.0]))
    assert run.module.kind.tolist() == [0] * 10 + [2] * 3 + [0] * 7 + [0] * 9 + [-1]


def test_trusted_rows_stand_one_to_one(start: Start, blobs: Any) -> None:
    trusted = (np.arange(180) % 20 == 1) & (blobs.y >= 0)
    method = LabelNoiseModel()
    recipe = Recipe(epochs=1, batch_size=20)
    run = start(method, blobs.x, blobs.y, validation=blobs.validation, trusted=trusted, recipe=recipe)
    seen: list[Batch] = []
    loss = method.loss
    method.loss = lambda batch: (seen.append(batch), loss(batch))[1]
    first: list[Batch] = []
    batches = run.batches
    run.batches = lambda *given, **options: ((first.append(b), b)[1] for b in batches(*given, **options))
    method.train_on(run)
    doubtful = set(np.flatnonzero((blobs.y >= 0) & ~blobs.validation & ~trusted))
    base = torch.cat([b.rows for b in first[: len(first) - len(seen)]])
    assert set(base.tolist()) == doubtful
    rows = torch.cat([b.rows for b in seen])
    assert doubtful <= set(rows.tolist()) <= doubtful | set(np.flatnonzero(trusted & ~blobs.validation))
    for batch in seen:
        assert torch.equal(batch.y, run.task.y[batch.rows])
        assert abs(int(method.trusted[batch.rows].sum()) * 2 - len(batch.rows)) <= 1


def test_all_labels_trusted_is_bad_input(start: Start, blobs: Any) -> None:
    run = start(LabelNoiseModel(), blobs.x, blobs.y, trusted=blobs.y >= 0)
    with pytest.raises(InputError, match="every label is trusted"):
        run.module.train_on(run)


def test_a_network_without_features_is_bad_input(start: Start, blobs: Any) -> None:
    with pytest.raises(InputError, match="Linear has no `features` and `head`"):
        start(LabelNoiseModel(), blobs.x, blobs.y, model=lambda input_shape, n_classes: nn.Linear(2, n_classes))


@pytest.fixture(scope="module")
def corrected(start: Start, swap: Any) -> Run:
    trusted = np.arange(len(swap.y)) < 30
    recipe = Recipe(epochs=30, batch_size=32, lr=0.01, schedule="constant")
    y = np.where(trusted, swap.y_true, swap.y)
    run = start(LabelNoiseModel(), swap.x, y, trusted=trusted, params={"hidden": (32,)}, recipe=recipe)
    run.module.train_on(run)
    return run


def test_trusted_rows_turn_a_majority_of_wrong_labels(start: Start, swap: Any, corrected: Run) -> None:
    plain = start(CrossEntropy(), swap.x, corrected.task.y, params={"hidden": (32,)}, recipe=corrected.recipe)
    plain.module.train_on(plain)
    right, right_of_plain = ((r.predict().argmax(1).numpy() == swap.y_true).mean() for r in (corrected, plain))
    assert right > 0.95
    assert right_of_plain < 0.85


def test_the_types_of_the_labels(swap: Any, corrected: Run) -> None:
    y = corrected.task.y.clone()
    y[5] = -1
    corrected.task.y[5] = -1
    scores = corrected.module.scores(corrected)
    assert list(scores) == ["p_free", "p_random", "p_confusing"]
    total = sum(scores.values())
    assert total[5].isnan()
    kept = torch.as_tensor(y >= 0)
    torch.testing.assert_close(total[kept], torch.ones(int(kept.sum())))
    wrong = torch.as_tensor(swap.y != swap.y_true)[kept] & ~corrected.module.trusted[kept]
    free = scores["p_free"][kept]
    assert free[wrong].mean() < 0.2
    assert free[~wrong].mean() > 0.8
