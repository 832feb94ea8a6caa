"""A fit that was stopped and goes on from its checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from goldvein import InputError, NoisyLabelClassifier
from goldvein.training import checkpoint as on_disk
from goldvein.training import run as engine
from goldvein.training.fingerprint import fingerprint

QUICK: dict[str, Any] = {"epochs": 3, "batch_size": 32, "lr": 0.01, "random_state": 0}


def model(method: str = "cross_entropy", **options: Any) -> NoisyLabelClassifier:
    return NoisyLabelClassifier(method, **{**QUICK, **options})


def interrupted(x: np.ndarray, y: np.ndarray, path: Path, after: int, **options: Any) -> None:
    """A fit that is stopped once it has made some updates."""
    update, done = engine.Run.update, iter(range(10**6))

    def stopping(run: engine.Run, terms: Any) -> None:
        if next(done) == after:
            raise KeyboardInterrupt
        update(run, terms)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.Run, "update", stopping)
        with pytest.raises(KeyboardInterrupt):
            model(**options).fit(x, y, checkpoint=path)


def make_view() -> Callable[[torch.Tensor], torch.Tensor]:
    """A view that is another object each time, as in another process."""

    def noisy(x: torch.Tensor) -> torch.Tensor:
        return x + 0.1 * torch.randn_like(x)

    return noisy


@pytest.mark.parametrize("seed", [3, np.random.RandomState(3)], ids=["int", "RandomState"])
def test_a_resumed_fit_is_the_same_fit(blobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: Any) -> None:
    monkeypatch.setattr(on_disk, "SECONDS_BETWEEN_CHECKPOINTS", 0)

    def options() -> dict[str, Any]:
        fixed = {"validation_fraction": 0.2, "method": "two_stage"}
        return {**fixed, "augment": make_view(), "random_state": clone(seed, safe=False)}

    whole = model(**options()).fit(blobs.x, blobs.y)
    interrupted(blobs.x, blobs.y, tmp_path / "c", 25, **options())
    torch.rand(3)
    again = model(**options())
    again.fit(blobs.x, blobs.y, checkpoint=tmp_path / "c", resume=True)
    assert np.array_equal(again.predict_proba(blobs.x), whole.predict_proba(blobs.x))
    assert again.label_issues().equals(whole.label_issues())


def test_a_checkpoint_needs_a_seed(blobs: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a checkpoint needs a fixed random_state"):
        model(random_state=None).fit(blobs.x, blobs.y, checkpoint=tmp_path / "c")


@pytest.mark.parametrize("change", ["lr", "seed", "labels", "inputs", "trusted", "watch"])
def test_a_checkpoint_of_another_fit(blobs: Any, tmp_path: Path, change: str) -> None:
    path = tmp_path / "c"
    model(epochs=1).fit(blobs.x, blobs.y, checkpoint=path)
    x, y = blobs.x.copy(), blobs.y.copy()
    options = {"lr": {"lr": 0.1}, "seed": {"random_state": 1}}.get(change, {})
    if change == "labels":
        y[0] = (y[0] + 1) % 3
    if change == "inputs":
        x[0, 0] += 1
    trusted = y >= 0 if change == "trusted" else None
    with pytest.raises(InputError, match="belongs to another configuration or other data"):
        model(epochs=1, **options).fit(x, y, trusted=trusted, checkpoint=path, resume=True, watch=change != "watch")


def test_one_entry_of_a_large_matrix_makes_another_fit() -> None:
    matrices = np.eye(40), np.eye(40)
    matrices[1][20, 20] = 0.9
    one, other = (fingerprint({"T": T}, 0, np.zeros(1)) for T in matrices)
    assert one != other
    assert one == fingerprint({"T": np.eye(40)}, 0, np.zeros(1))
