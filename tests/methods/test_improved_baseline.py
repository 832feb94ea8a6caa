"""A second network, trained on every label, whose validation set the first one cleaned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator

from goldvein.errors import InputError
from goldvein.methods.improved_baseline import ImprovedBaseline
from goldvein.selectors.neighbors import Neighbors
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch

Start = Callable[..., Run]


class Even(BaseEstimator):
    """Keeps the labels of even rows."""

    needs = ("probs",)

    def select(self, y: np.ndarray, *, probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return probs.max(1), (np.arange(len(y)) % 2 == 0) & (y >= 0)


def trained(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[Run, list[dict[str, Any]]]:
    stages: list[dict[str, Any]] = []
    epochs = Run.epochs

    def watched(self: Run, *args: Any, **changes: Any) -> Any:
        first = next(self.module.net.parameters()).detach().clone()
        stages.append({"labels": self.y.clone().numpy(), "weight": first, **changes})
        return epochs(self, *args, **changes)

    monkeypatch.setattr(Run, "epochs", watched)
    method = ImprovedBaseline(selector=Even())
    recipe = Recipe(epochs=3, batch_size=32, lr=0.02)
    run = start(method, blobs.x, blobs.y, validation=blobs.validation, recipe=recipe, **options)
    method.train_on(run)
    return run, stages


def test_only_validation_labels_are_dropped(start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, stages = trained(start, blobs, monkeypatch)
    first, second = stages
    assert np.array_equal(first["labels"], blobs.y)
    dropped = blobs.validation & (np.arange(len(blobs.y)) % 2 == 1)
    assert np.array_equal(second["labels"], np.where(dropped, -1, blobs.y))
    assert np.array_equal(run.module.refined, second["labels"])


def test_trusted_validation_labels_are_kept(start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = np.arange(len(blobs.y)) % 2 == 1
    trusted = odd & (np.arange(len(blobs.y)) % 3 == 0) & (blobs.y >= 0)
    assert (trusted & blobs.validation).any()
    run, _ = trained(start, blobs, monkeypatch, trusted=trusted)
    dropped = blobs.validation & odd & ~trusted
    assert np.array_equal(run.module.refined, np.where(dropped, -1, blobs.y))


def test_the_second_network_is_fresh(start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, (first, second) = trained(start, blobs, monkeypatch)
    assert first["keep"] == "best"
    assert not torch.equal(first["weight"], second["weight"])
    # He-normal weights of two inputs have deviation 1; a trained layer has moved from its start
    assert second["weight"].std().item() == pytest.approx(1.0, abs=0.25)
    assert [entry["stage"] for entry in run.at.history] == [0, 0, 0, 1, 1, 1]


def test_classes_are_balanced(start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.where((blobs.y == 2) & (np.arange(len(blobs.y)) % 4 > 0), -1, blobs.y)
    drawn: dict[int, list[int]] = {}
    batches = Run.batches

    def watched(self: Run, *args: Any, **options: Any) -> Iterator[Batch]:
        for batch in batches(self, *args, **options):
            drawn.setdefault(self.at.stage, []).extend(batch.y.tolist())
            yield batch

    monkeypatch.setattr(Run, "batches", watched)
    run = start(ImprovedBaseline(), blobs.x, y, recipe=Recipe(epochs=1, batch_size=16))
    run.module.train_on(run)
    assert drawn.keys() == {0, 1}
    for labels in drawn.values():
        counts = np.bincount(labels)
        assert counts.max() - counts.min() <= 1


def test_a_selector_that_needs_more_than_predictions_is_refused(start: Start, blobs: Any) -> None:
    message = (
        "Neighbors needs `features`, which improved_baseline does not provide; "
        "use one of confidence, confident_learning, posterior$"
    )
    with pytest.raises(InputError, match=message):
        start(ImprovedBaseline(selector=Neighbors()), blobs.x, blobs.y)
