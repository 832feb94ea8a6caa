"""A stage of cross-entropy: whose labels it sees, how often, and which weights it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import reduced
from torch import Tensor, nn

from goldvein.methods._supervised import supervised_loss, train_supervised
from goldvein.training import run as engine
from goldvein.training.method import Method
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch

Start = Callable[..., Run]
RECIPE = Recipe(epochs=2, batch_size=32, lr=0.02)


def begun(start: Start, blobs: Any, **options: Any) -> Run:
    return start(Method(), blobs.x, blobs.y, **{"validation": blobs.validation, "recipe": RECIPE, **options})


def watch(run: Run) -> list[Batch]:
    """The batches of a run, as it goes on."""
    seen: list[Batch] = []
    batches = run.batches

    def watched(*args: Any, **options: Any) -> Iterator[Batch]:
        for batch in batches(*args, **options):
            seen.append(batch)
            yield batch

    run.batches = watched  # type: ignore[method-assign]
    return seen


def rows_of(batches: list[Batch]) -> list[int]:
    return torch.cat([batch.rows for batch in batches]).tolist()


def test_the_loss_is_that_of_the_labeled_rows_in_the_first_view() -> None:
    probs = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    batch = Batch((probs.log(), torch.full((3, 3), torch.nan)), torch.tensor([0, -1, 2]), torch.arange(3))
    terms = supervised_loss(nn.Identity(), batch)
    assert terms.keys() == {"cross_entropy"}
    by_hand = -(np.log(0.7) + np.log(0.4)) / 2
    assert reduced(terms)["cross_entropy"].item() == pytest.approx(by_hand, abs=1e-6)


def test_an_epoch_passes_once_over_the_labeled_training_rows(start: Start, blobs: Any) -> None:
    run = begun(start, blobs)
    seen = watch(run)
    train_supervised(run, run.module.net)
    labeled = np.flatnonzero((blobs.y >= 0) & ~blobs.validation)
    assert sorted(rows_of(seen)) == sorted([*labeled, *labeled])
    for batch in seen:
        assert torch.equal(batch.y, run.task.y[batch.rows])


def test_rows_may_be_chosen_and_classes_balanced(start: Start, blobs: Any) -> None:
    some = (blobs.y >= 0) & ~blobs.validation & ((blobs.y != 2) | (np.arange(180) % 4 == 0))
    run = begun(start, blobs)
    seen = watch(run)
    train_supervised(run, run.module.net, 1, labeled=torch.as_tensor(some), balance=True)
    assert set(rows_of(seen)) <= set(np.flatnonzero(some))
    counts = torch.cat([batch.y for batch in seen]).bincount()
    assert counts.sum() == some.sum()
    assert counts.max() - counts.min() <= 1
    assert np.ptp(np.bincount(blobs.y[some])) > 10


def test_its_length_and_its_recipe_and_what_is_logged(start: Start, blobs: Any) -> None:
    run = begun(start, blobs)
    train_supervised(run, run.module.net, 3, lr=0.25, schedule="constant", optimizer="sgd")
    assert isinstance(run.optimizer, torch.optim.SGD)
    train_supervised(run, run.module.net)
    assert [entry["stage"] for entry in run.at.history] == [0, 0, 0, 1, 1]
    assert [entry["lr"] for entry in run.at.history] == [0.25] * 3 + [0.02] * 2
    assert all(entry["cross_entropy"] > 0 for entry in run.at.history)


def test_the_named_network_is_the_one_that_learns(start: Start, blobs: Any) -> None:
    run = begun(start, blobs)
    run.module.other = nn.Linear(2, 3)
    before = {name: value.clone() for name, value in run.module.state_dict().items()}
    train_supervised(run, run.module.other)
    for name, value in run.module.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("net.")
    optimized = {id(p) for group in run.optimizer.param_groups for p in group["params"]}
    assert optimized == {id(p) for p in run.module.other.parameters()}


@pytest.mark.parametrize(("keep", "kept"), [("best", 1), ("last", 2)])
def test_the_weights_that_are_kept(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch, keep: str, kept: int
) -> None:
    accuracies, after = [0.5, 0.9, 0.6], []

    def script(y: Tensor, predicted: Tensor) -> float:
        after.append([p.detach().clone() for p in run.module.net.parameters()])
        return accuracies[len(after) - 1]

    monkeypatch.setattr(engine, "balanced_accuracy", script)
    run = begun(start, blobs)
    train_supervised(run, run.module.net, 3, keep=keep)
    assert all(torch.equal(a, b) for a, b in zip(run.module.net.parameters(), after[kept], strict=True))
    assert not torch.equal(after[1][0], after[2][0])
