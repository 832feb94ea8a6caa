"""Cross-entropies weighted by the inverse of the noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import reduced
from torch import nn

from goldvein import NoisyLabelClassifier
from goldvein.errors import InputError
from goldvein.methods import _anchors
from goldvein.methods.backward_correction import BackwardCorrection
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.noise import synthetic as noise
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task

Start = Callable[..., Run]
T = [[0.8, 0.2, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]  # inverse: 1.25 and -.25 in the first row
RECIPE = Recipe(epochs=3, batch_size=32, lr=0.02)


def test_the_loss_by_hand(start: Start, blobs: Any) -> None:
    method = start(BackwardCorrection(transition=T), blobs.x, blobs.y).module
    method.net = nn.Identity()
    logits = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.5, 0.3]]).log()
    terms = reduced(method.loss(Batch((logits,), torch.tensor([0, -1, 1]), torch.arange(3))))
    # the row without a label is not counted
    by_hand = -(1.25 * np.log(0.7) - 0.25 * np.log(0.2) + np.log(0.5)) / 2
    assert terms["corrected"].item() == pytest.approx(by_hand, abs=1e-6)


def test_the_inverse_of_symmetric_noise_in_closed_form() -> None:
    method, none = BackwardCorrection(transition=noise.transition("symmetric", 10, 0.2)), torch.empty(0)
    method.setup(Task(0, 10, (2,), none.long(), None, none.bool(), lambda: nn.Linear(2, 10)))
    k, p = 10, 0.2
    closed = np.full((k, k), -p / (k - 1 - k * p)) + np.eye(k) * ((k - 1 - p) + p) / (k - 1 - k * p)
    np.testing.assert_allclose(method.T_inverse, closed, atol=1e-6)
    assert method.T_inverse[0, :2].tolist() == pytest.approx([1.2571, -0.02857], abs=5e-5)


def test_a_given_matrix_sees_through_noise_that_outweighs_the_truth(blobs: Any) -> None:
    matrix = [[0.9, 0.1, 0.0], [0.0, 0.4, 0.6], [0.0, 0.0, 1.0]]
    y = noise.corrupt(blobs.y_true, matrix, random_state=0)
    options: dict[str, Any] = {"epochs": 60, "batch_size": 32, "lr": 0.02, "model_params": {"hidden": (16,)}}
    model = NoisyLabelClassifier(BackwardCorrection(transition=matrix), random_state=0, **options).fit(blobs.x, y)
    assert {entry["stage"] for entry in model.history_} == {0}
    assert (model.predict(blobs.x) == blobs.y_true).mean() > 0.95
    plain = NoisyLabelClassifier(CrossEntropy(), random_state=0, **options).fit(blobs.x, y)
    assert (plain.predict(blobs.x) == blobs.y_true).mean() < 0.75  # class 1 is taken for class 2


def test_the_inverse_is_that_of_the_estimate(start: Start, blobs: Any) -> None:
    run = start(BackwardCorrection(), blobs.x, blobs.y, validation=blobs.validation, recipe=RECIPE)
    run.module.train_on(run)
    assert not torch.equal(run.module.T, torch.eye(3))
    np.testing.assert_allclose(run.module.T_inverse, np.linalg.inv(run.module.T.double()), atol=1e-4)


def test_an_estimate_without_an_inverse_is_refused(start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_anchors, "anchor_transition", lambda *args, **options: np.full((3, 3), 1 / 3))
    run = start(BackwardCorrection(), blobs.x, blobs.y, recipe=Recipe(epochs=1))
    with pytest.raises(InputError, match="too near to singular"):
        run.module.train_on(run)
