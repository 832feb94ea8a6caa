"""The network's own labels: their weight by epoch, their share of the loss, what they bring."""

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
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.pseudo_label import PseudoLabel
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch

Start = Callable[..., Run]
LOGITS = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.5, 0.1], [0.3, 0.4]], dtype=torch.float64)


def method(**params: Any) -> PseudoLabel:
    made = PseudoLabel(**params)
    made.net = nn.Identity()
    return made


@pytest.mark.parametrize(("epoch", "alpha"), [(0, 0), (99, 0), (100, 0), (350, 1.5), (600, 3), (999, 3)])
def test_the_weight_of_the_source(epoch: int, alpha: float) -> None:
    assert PseudoLabel().weight(epoch, 1000) == pytest.approx(alpha, abs=1e-12)


def test_the_weight_keeps_its_shares_in_a_shorter_run() -> None:
    found = [PseudoLabel(alpha=2.0, start=0.25, full=0.75).weight(t, 8) for t in range(8)]
    assert found == [0, 0, 0, 0.5, 1, 1.5, 2, 2]


def test_the_loss_by_hand() -> None:
    terms = reduced(method().loss(Batch((LOGITS,), torch.tensor([1, 0, -1, -1]), torch.arange(4)), 1.5))
    torch.testing.assert_close(terms["cross_entropy"], F.cross_entropy(LOGITS[:2], torch.tensor([1, 0])))
    # rows 2 and 3 are taken for classes 0 and 1, by 0.4 and 0.1
    by_hand = 1.5 * (np.log1p(np.exp(-0.4)) + np.log1p(np.exp(-0.1))) / 2
    assert terms["pseudo_label"].item() == pytest.approx(by_hand, abs=1e-10)


def test_no_unlabeled_row_no_term() -> None:
    terms = reduced(method().loss(Batch((LOGITS,), torch.tensor([1, 0, 0, 1]), torch.arange(4)), 3.0))
    assert terms["pseudo_label"].item() == 0


def test_the_gradient_by_finite_differences() -> None:
    def value(logits: Tensor) -> Tensor:
        batch = Batch((logits,), torch.tensor([1, 0, -1, -1]), torch.arange(4))
        return sum(reduced(method().loss(batch, 1.5)).values())

    assert torch.autograd.gradcheck(value, LOGITS.clone().requires_grad_())


def test_the_first_epochs_are_plain_training(start: Start, blobs: Any) -> None:
    run = start(PseudoLabel(start=0.5, full=0.75), blobs.x, blobs.y, recipe=Recipe(epochs=8, batch_size=32))
    run.module.train_on(run)
    silent = [entry["pseudo_label"] == 0 for entry in run.at.history]
    assert silent == [True] * 5 + [False] * 3


@pytest.mark.parametrize(("sizes", "expected"), [(None, (16, 16)), ((10, 40), (10, 40))])
def test_batches(start: Start, blobs: Any, sizes: Any, expected: tuple[int, int]) -> None:
    run = start(PseudoLabel(sizes=sizes), blobs.x, blobs.y, recipe=Recipe(epochs=1, batch_size=32))
    seen: list[tuple[int, int]] = []
    labels: list[Tensor] = []
    batches = run.batches

    def watched(**options: Any) -> Any:
        for batch in batches(**options):
            seen.append((int((batch.y >= 0).sum()), int((batch.y < 0).sum())))
            labels.append(run.task.y[batch.rows[batch.y < 0]])
            yield batch

    run.batches = watched
    run.module.train_on(run)
    assert all(abs(a - expected[0]) <= 1 and b == expected[1] for a, b in seen)
    assert (torch.cat(labels) == -1).all()  # rows that have no label are the unlabeled ones


@pytest.mark.parametrize("shares", [{"start": 0.6, "full": 0.6}, {"start": 0.7}, {"start": -0.1}])
def test_shares_that_mean_nothing(start: Start, blobs: Any, shares: dict[str, float]) -> None:
    with pytest.raises(InputError, match="start="):
        start(PseudoLabel(**shares), blobs.x, blobs.y)


def test_the_boundary_moves_into_the_gap(start: Start) -> None:
    rng = np.random.default_rng(4)
    y_true = np.arange(300) % 2
    x = np.stack([rng.normal(0, 1, 300), 0.8 * (2 * y_true - 1) + rng.normal(0, 0.25, 300)], 1).astype(np.float32)
    y = np.full(300, -1)
    for c in (0, 1):  # the labels are those of the upper end of each strip, so the boundary between them lies too high
        rows = np.flatnonzero(y_true == c)
        y[rows[np.argsort(x[rows, 1])[-10:]]] = c
    found = []
    for made in (PseudoLabel(), CrossEntropy()):
        recipe = Recipe(epochs=150, batch_size=128, lr=0.01, schedule="constant")
        run = start(made, x, y, params={"hidden": (32,), "dropout": 0.0}, recipe=recipe)
        made.train_on(run)
        found.append(run.predict())
    errors, errors_of_plain = ((probs.argmax(1).numpy() != y_true).sum() for probs in found)
    assert errors <= errors_of_plain / 2
    unsure, unsure_of_plain = ((probs.amax(1) < 0.9).sum() for probs in found)
    assert unsure < unsure_of_plain / 2
