"""Training through the noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import reduced
from torch import nn

from goldvein import NoisyLabelClassifier
from goldvein.cli.settings import build_classifier, gather_settings
from goldvein.config.build import build_method
from goldvein.errors import InputError
from goldvein.methods.backward_correction import BackwardCorrection
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.forward_correction import ForwardCorrection
from goldvein.noise.synthetic import corrupt
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


@pytest.mark.parametrize("kind", [ForwardCorrection, BackwardCorrection])
def test_a_trusted_label_has_no_noise(start: Start, blobs: Any, kind: Any) -> None:
    trusted = np.arange(len(blobs.y)) < 2
    case = start(
        kind(transition=[[0.9, 0.1, 0.0], [0.0, 0.6, 0.4], [0.0, 0.0, 1.0]]), blobs.x, blobs.y, trusted=trusted
    )
    method = case.module
    method.net = nn.Identity()
    logits = torch.tensor([[0.2, 0.5, 0.3]]).log().repeat(3, 1)
    y = torch.tensor([1, -1, 1])
    losses, labeled = method.loss(Batch((logits,), y, torch.arange(3)))["corrected"]
    assert labeled.tolist() == [True, False, True]
    assert losses[0].item() == pytest.approx(-np.log(0.5), abs=1e-6)
    assert losses[2].item() == pytest.approx(method.corrected(logits, y)[2].item())
    assert losses[2].item() != pytest.approx(losses[0].item(), abs=0.01)


def test_a_given_matrix_sees_through_noise_that_outweighs_the_truth(blobs: Any) -> None:
    y = corrupt(blobs.y_true, T, random_state=0)
    options: dict[str, Any] = {"epochs": 60, "batch_size": 32, "lr": 0.02, "model_params": {"hidden": (16,)}}
    model = NoisyLabelClassifier(ForwardCorrection(transition=T), random_state=0, **options).fit(blobs.x, y)
    assert {entry["stage"] for entry in model.history_} == {0}
    assert (model.predict(blobs.x) == blobs.y_true).mean() > 0.95
    plain = NoisyLabelClassifier(CrossEntropy(), random_state=0, **options).fit(blobs.x, y)
    assert (plain.predict(blobs.x) == blobs.y_true).mean() < 0.75  # class 1 is taken for class 2


def test_a_matrix_from_the_command_line_and_from_toml() -> None:
    settings = gather_settings(None, ["method.transition=[[0.9, 0.1], [0.2, 0.8]]", "method.percentile=none"])
    settings.method = "forward_correction"
    method = build_classifier(settings, 0, verbose=False).method
    assert (method.transition, method.percentile) == ([[0.9, 0.1], [0.2, 0.8]], None)
    assert build_method("forward_correction", {"transition": [[1, 0], [0, 1]]}).transition == [[1, 0], [0, 1]]
    with pytest.raises(InputError, match="transition='identity': it must be none or a list of rows"):
        build_method("forward_correction", {"transition": "identity"})
