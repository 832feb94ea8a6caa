"""Where the matrix of a loss correction comes from: stage 1 and its anchors, or the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from goldvein.errors import InputError
from goldvein.methods import _anchors
from goldvein.methods.backward_correction import BackwardCorrection
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.forward_correction import ForwardCorrection
from goldvein.noise.transition import anchor_transition
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run

Start = Callable[..., Run]
RECIPE = Recipe(epochs=3, batch_size=32, lr=0.02)
T = [[0.9, 0.1, 0.0], [0.0, 0.4, 0.6], [0.0, 0.0, 1.0]]

pytestmark = pytest.mark.parametrize("kind", [ForwardCorrection, BackwardCorrection])


def watched(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each stage begins with, as stages begin."""
    stages: list[dict[str, Any]] = []
    epochs = Run.epochs

    def watching(self: Run, *args: Any, **options: Any) -> Any:
        first = {name: value.clone() for name, value in self.module.net.state_dict().items()}
        stages.append({"weights": first, "probs": self.predict().numpy(), "T": self.module.T.numpy().copy(), **options})
        return epochs(self, *args, **options)

    monkeypatch.setattr(Run, "epochs", watching)
    return stages


def test_stage_2_begins_again_with_the_anchors_of_stage_1(
    start: Start, same: Callable[..., bool], blobs: Any, monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    stages, asked = watched(monkeypatch), []

    def remembering(probs: np.ndarray, *args: Any, **options: Any) -> np.ndarray:
        asked.append((probs, args, options))
        return anchor_transition(probs)

    monkeypatch.setattr(_anchors, "anchor_transition", remembering)
    method = kind(percentile=90.0, patrini_inplace=True)
    run = start(method, blobs.x, blobs.y, validation=blobs.validation, recipe=RECIPE)
    method.train_on(run)
    first, second = stages
    assert first["keep"] == "best"
    assert same(second["weights"], first["weights"])
    assert np.array_equal(first["T"], np.eye(3))
    ((probs, args, options),) = asked
    assert probs.shape == (180, 3)  # held-out and unlabeled rows too
    assert not np.allclose(probs, first["probs"])
    assert (args, options) == ((90.0,), {"inplace": True})
    np.testing.assert_allclose(second["T"], anchor_transition(probs), atol=1e-6)
    np.testing.assert_allclose(method.T, second["T"])
    assert [entry["stage"] for entry in run.at.history] == [0, 0, 0, 1, 1, 1]
    assert "corrected" not in run.at.history[2]
    assert "corrected" in run.at.history[3]


def test_stage_1_is_cross_entropy(start: Start, blobs: Any, kind: type) -> None:
    histories = []
    for method in (kind(), CrossEntropy()):
        run = start(method, blobs.x, blobs.y, validation=blobs.validation, recipe=RECIPE)
        method.train_on(run)
        histories.append([entry["cross_entropy"] for entry in run.at.history[:3]])
    assert histories[0] == histories[1]


def test_a_second_training_begins_again_too(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    run = start(kind(), blobs.x, blobs.y, validation=blobs.validation, recipe=RECIPE)
    run.module.train_on(run)
    stages = watched(monkeypatch)
    run.module.train_on(run)
    assert not np.array_equal(stages[0]["probs"], stages[1]["probs"])
    assert [entry["stage"] for entry in run.at.history] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3


@pytest.mark.parametrize("params", [{"percentile": None}, {"percentile": 60.0}, {"patrini_inplace": True}])
def test_the_rule_of_the_anchors(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch, kind: type, params: Any
) -> None:
    asked: list[Any] = []

    def remembering(probs: np.ndarray, percentile: float | None, *, inplace: bool) -> np.ndarray:
        asked.append((percentile, inplace))
        return np.eye(3)

    monkeypatch.setattr(_anchors, "anchor_transition", remembering)
    run = start(kind(**params), blobs.x, blobs.y, recipe=Recipe(epochs=1))
    run.module.train_on(run)
    assert asked == [(params.get("percentile", 97.0), params.get("patrini_inplace", False))]


def test_a_given_matrix_is_in_force_in_the_one_stage(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    monkeypatch.delattr(_anchors, "anchor_transition")
    run = start(kind(transition=T), blobs.x, blobs.y, recipe=RECIPE)
    run.module.train_on(run)
    assert [entry["stage"] for entry in run.at.history] == [0, 0, 0]
    assert all("cross_entropy" not in entry for entry in run.at.history)
    np.testing.assert_allclose(run.module.T, T, atol=1e-6)


def test_what_it_says_of_the_noise(start: Start, blobs: Any, kind: type) -> None:
    run = start(kind(), blobs.x, blobs.y, recipe=RECIPE)
    run.module.train_on(run)
    assert torch.equal(run.module.report().transition, run.module.T)
    assert run.module.report().kept is None
    probs, trained_on = run.module.evidence(run)
    assert (trained_on == -1).all()
    torch.testing.assert_close(probs, run.predict())


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2), r"shape \(2, 2\): it must be 3 x 3"),
        ([[1, 0, 0], [0, 0.5, 0.4], [0, 0, 1]], "row 1 of the transition matrix sums to 0.9"),
        ([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0]], "condition number inf, too near to singular"),
        ([[1, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]], "condition number .*, too near to singular"),
    ],
)
def test_a_bad_matrix_is_refused(start: Start, blobs: Any, kind: type, matrix: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        start(kind(transition=matrix), blobs.x, blobs.y)
