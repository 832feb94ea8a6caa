"""Training through the noise: stage 1, the anchors, and a matrix of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import reduced
from torch import nn

from goldvein import NoisyLabelClassifier
from goldvein.cli.settings import build, gather
from goldvein.config.build import build_method
from goldvein.errors import InputError
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.forward_correction import ForwardCorrection
from goldvein.noise.synthetic import corrupt
from goldvein.noise.transition import anchor_transition
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch

Start = Callable[..., Run]
T = [[0.9, 0.1, 0.0], [0.0, 0.4, 0.6], [0.0, 0.0, 1.0]]  # most labels of class 1 say class 2
RECIPE = Recipe(epochs=3, batch_size=32, lr=0.02)


def test_the_loss_by_hand(start: Start, blobs: Any) -> None:
    method = start(ForwardCorrection(transition=T), blobs.x, blobs.y).module
    method.net = nn.Identity()
    logits = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.5, 0.3]]).log()
    terms = reduced(method.loss(Batch((logits,), torch.tensor([0, -1, 2]), torch.arange(3))))
    # the row without a label is not counted
    by_hand = -(np.log(0.7 * 0.9) + np.log(0.5 * 0.6 + 0.3)) / 2
    assert terms["corrected"].item() == pytest.approx(by_hand, abs=1e-6)


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
    start: Start, same: Callable[..., bool], blobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages, last = watched(monkeypatch), []
    monkeypatch.setattr(
        "goldvein.methods.forward_correction.anchor_transition",
        lambda probs, *args, **options: (last.append(probs), anchor_transition(probs, *args, **options))[1],
    )
    run = start(ForwardCorrection(), blobs.x, blobs.y, validation=blobs.validation, recipe=RECIPE)
    run.module.train_on(run)
    first, second = stages
    assert first["keep"] == "best"
    assert same(second["weights"], first["weights"])
    assert last[0].shape == (180, 3)  # held-out and unlabeled rows too
    assert not np.allclose(last[0], first["probs"])
    np.testing.assert_allclose(second["T"], anchor_transition(last[0]), atol=1e-6)
    assert [entry["stage"] for entry in run.at.history] == [0, 0, 0, 1, 1, 1]


def test_stage_1_is_cross_entropy(start: Start, blobs: Any) -> None:
    histories = []
    for method in (ForwardCorrection(), CrossEntropy()):
        run = start(method, blobs.x, blobs.y, validation=blobs.validation, recipe=RECIPE)
        method.train_on(run)
        histories.append([entry["cross_entropy"] for entry in run.at.history[:3]])
    assert histories[0] == histories[1]


def test_a_second_training_begins_again_too(start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(ForwardCorrection(), blobs.x, blobs.y, validation=blobs.validation, recipe=RECIPE)
    run.module.train_on(run)
    stages = watched(monkeypatch)
    run.module.train_on(run)
    assert not np.array_equal(stages[0]["probs"], stages[1]["probs"])
    assert [entry["stage"] for entry in run.at.history] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3


@pytest.mark.parametrize("params", [{"percentile": None}, {"percentile": 60.0}, {"patrini_inplace": True}])
def test_the_rule_of_the_anchors(start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch, params: Any) -> None:
    asked: list[Any] = []

    def remembering(probs: np.ndarray, percentile: float | None, *, inplace: bool) -> np.ndarray:
        asked.append((percentile, inplace))
        return np.eye(3)

    monkeypatch.setattr("goldvein.methods.forward_correction.anchor_transition", remembering)
    run = start(ForwardCorrection(**params), blobs.x, blobs.y, recipe=Recipe(epochs=1))
    run.module.train_on(run)
    assert asked == [(params.get("percentile", 97.0), params.get("patrini_inplace", False))]


def test_a_given_matrix_sees_through_noise_that_outweighs_the_truth(blobs: Any) -> None:
    y = corrupt(blobs.y_true, T, random_state=0)
    options: dict[str, Any] = {"epochs": 60, "batch_size": 32, "lr": 0.02, "model_params": {"hidden": (16,)}}
    model = NoisyLabelClassifier(ForwardCorrection(transition=T), random_state=0, **options).fit(blobs.x, y)
    assert {entry["stage"] for entry in model.history_} == {0}
    assert (model.predict(blobs.x) == blobs.y_true).mean() > 0.95
    plain = NoisyLabelClassifier(CrossEntropy(), random_state=0, **options).fit(blobs.x, y)
    assert (plain.predict(blobs.x) == blobs.y_true).mean() < 0.75  # class 1 is taken for class 2


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2), r"shape \(2, 2\): it must be 3 x 3"),
        ([[1, 0, 0], [0, 0.5, 0.4], [0, 0, 1]], "row 1 of the transition matrix sums to 0.9"),
        ([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0]], "condition number inf, too near to singular"),
    ],
)
def test_a_bad_matrix_is_refused(start: Start, blobs: Any, matrix: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        start(ForwardCorrection(transition=matrix), blobs.x, blobs.y)


def test_a_matrix_from_the_command_line_and_from_toml() -> None:
    settings = gather(None, ["method.transition=[[0.9, 0.1], [0.2, 0.8]]", "method.percentile=none"])
    settings.method = "forward_correction"
    method = build(settings, 0, verbose=False).method
    assert (method.transition, method.percentile) == ([[0.9, 0.1], [0.2, 0.8]], None)
    assert build_method("forward_correction", {"transition": [[1, 0], [0, 1]]}).transition == [[1, 0], [0, 1]]
    with pytest.raises(InputError, match="transition='identity': it must be none or a list of rows"):
        build_method("forward_correction", {"transition": "identity"})
