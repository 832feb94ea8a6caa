"""The engine: how rates move, when a stage ends, which weights it ends with, and what it predicts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from goldvein import NoisyLabelClassifier
from goldvein.errors import InputError
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.pi_model import PiModel
from goldvein.methods.temporal_ensembling import TemporalEnsembling
from goldvein.training import predict
from goldvein.training.method import Method
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch, Terms

Start = Callable[..., Run]
Same = Callable[[Any, Any], bool]


class Still(Method):
    """Learns nothing: every gradient is zero."""

    def loss(self, batch: Batch) -> Terms:
        return {"nothing": 0 * self.net(batch.views[0]).sum()}


class Line(nn.Module):
    """Predicts class 1 above a threshold, which is its only parameter."""

    def __init__(self, input_shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        above = x[:, :1] - self.threshold
        return torch.cat([-above, above], 1)


class March(Method):
    """Moves the threshold of a :class:`Line` by the learning rate in every step."""

    def loss(self, batch: Batch) -> Terms:
        return {"march": -self.net.threshold}


def weights(run: Run) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in run.module.state_dict().items()}


@pytest.mark.parametrize("optimizer", ["adagrad", "adam", "adamw", "sgd"])
def test_every_optimizer_lowers_the_loss(start: Start, blobs: Any, optimizer: str) -> None:
    recipe = Recipe(epochs=8, batch_size=32, optimizer=optimizer, lr=0.02, weight_decay=1e-4)
    run = start(CrossEntropy(), blobs.x, blobs.y_true, recipe=recipe)
    run.module.train_on(run)
    assert run.at.history[-1]["cross_entropy"] < 0.5 * run.at.history[0]["cross_entropy"]


@pytest.mark.parametrize(("optimizer", "left"), [("sgd", 1 - 0.1 * 0.02), ("adamw", 1 - 0.1 * 0.02)])
def test_weight_decay_falls_on_matrices_only(start: Start, blobs: Any, optimizer: str, left: float) -> None:
    """Oracle 32: one step without data loss is w <- w - lr wd w."""
    recipe = Recipe(epochs=1, batch_size=500, optimizer=optimizer, lr=0.1, weight_decay=0.02)
    run = start(Still(), blobs.x, blobs.y_true, recipe=recipe)
    with torch.no_grad():
        for p in run.module.parameters():
            p.copy_(torch.linspace(-1, 1, p.numel()).view_as(p))
    before = weights(run)
    run.module.train_on(run)
    for name, after in weights(run).items():
        torch.testing.assert_close(after, before[name] * (left if after.dim() > 1 else 1.0), rtol=1e-6, atol=1e-7)


def rates(run: Run) -> list[float]:
    run.module.train_on(run)
    return [entry["lr"] for entry in run.at.history]


def test_a_flat_validation_accuracy_cuts_the_rate(start: Start, blobs: Any) -> None:
    recipe = Recipe(epochs=7, batch_size=64, lr=0.8, patience=2)
    run = start(Still(), blobs.x, blobs.y, validation=blobs.validation, recipe=recipe)
    assert rates(run) == [0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2]


def test_cosine(start: Start, blobs: Any) -> None:
    run = start(Still(), blobs.x, blobs.y, recipe=Recipe(epochs=4, batch_size=64, lr=0.8, schedule="cosine"))
    assert rates(run) == pytest.approx([0.8, 0.4 + 0.4 * math.sqrt(0.5), 0.4, 0.4 - 0.4 * math.sqrt(0.5)])


def test_steps(start: Start, blobs: Any) -> None:
    run = start(Still(), blobs.x, blobs.y, recipe=Recipe(epochs=6, batch_size=64, lr=0.8, schedule="steps"))
    assert rates(run) == pytest.approx([0.8, 0.8, 0.08, 0.08, 0.008, 0.008])


def test_a_method_may_set_the_rate_and_the_momentum(start: Start, blobs: Any) -> None:
    run = start(Still(), blobs.x, blobs.y, recipe=Recipe(epochs=1, batch_size=64, weight_decay=0.1))
    for _ in run.epochs():
        run.set_rate(0.25, beta1=0.5)
        assert {(g["lr"], g["betas"]) for g in run.optimizer.param_groups} == {(0.25, (0.5, 0.999))}
    assert run.at.history[0]["lr"] == 0.25


def test_a_stage_ends_early(start: Start, blobs: Any) -> None:
    recipe = Recipe(epochs=9, batch_size=64, stop_after=3)
    run = start(Still(), blobs.x, blobs.y, validation=blobs.validation, recipe=recipe)
    run.module.train_on(run)
    assert [entry["epoch"] for entry in run.at.history] == [0, 1, 2, 3]  # the first is the best


def march(start: Start, keep: str) -> Run:
    x = np.array([[0.5], [1.5], [2.5], [3.5], [0.0], [9.0]], np.float32)
    y = np.array([0, 0, 1, 1, 0, 1])
    recipe = Recipe(epochs=5, batch_size=8, optimizer="sgd", lr=1.0, momentum=0.0, schedule="constant", keep=keep)
    run = start(March(), x, y, validation=np.arange(6) < 4, model=Line, recipe=recipe)
    run.module.train_on(run)
    return run


def test_the_best_weights_are_kept(start: Start) -> None:
    run = march(start, "best")
    assert [entry["validation_accuracy"] for entry in run.at.history] == [0.75, 1.0, 0.75, 0.5, 0.5]
    assert run.module.net.threshold.item() == 2


def test_the_last_weights_are_kept(start: Start) -> None:
    assert march(start, "last").module.net.threshold.item() == 5


def test_a_stage_may_differ_from_the_recipe(start: Start, blobs: Any) -> None:
    run = start(Still(), blobs.x, blobs.y, recipe=Recipe(epochs=4, batch_size=64, lr=0.5))
    seen = [epoch for epoch in run.epochs(2, lr=0.25, optimizer="sgd") for _ in run.batches()]
    assert set(seen) == {0, 1}
    assert isinstance(run.optimizer, torch.optim.SGD)
    list(run.epochs())
    assert [(e["stage"], e["epoch"], e["lr"]) for e in run.at.history] == [
        (0, 0, 0.25),
        (0, 1, 0.25),
        *((1, epoch, 0.5) for epoch in range(4)),
    ]


def test_only_the_named_network_is_optimized(start: Start, blobs: Any) -> None:
    run = start(CrossEntropy(), blobs.x, blobs.y, recipe=Recipe(epochs=1, batch_size=64))
    run.module.other = nn.Linear(2, 2)
    list(run.epochs(net=run.module.other))
    assert {id(p) for g in run.optimizer.param_groups for p in g["params"]} == {
        id(p) for p in run.module.other.parameters()
    }


def test_progress_tells_a_validation_accuracy_where_there_is_one(start: Start, blobs: Any) -> None:
    for validation, expected in ((None, ["", ""]), (blobs.validation, ["validation 0.", "validation 0."])):
        run = start(CrossEntropy(), blobs.x, blobs.y, validation=validation, recipe=Recipe(epochs=2, batch_size=64))
        notes: list[str] = []
        run.progress.step = notes.append  # type: ignore[method-assign]
        run.module.train_on(run)
        assert [note[:13].replace("1.", "0.") for note in notes] == expected


def test_history_holds_the_mean_of_every_term(start: Start, blobs: Any) -> None:
    run = start(Still(), blobs.x, blobs.y, recipe=Recipe(epochs=1, batch_size=64))
    for _ in run.epochs():
        for value in (1.0, 2.0, 6.0):
            run.log(size=torch.tensor(value))
    assert run.at.history[0]["size"] == 3
    assert math.isnan(run.at.history[0]["validation_accuracy"])
    assert run.at.history[0]["seconds"] > 0


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_loss_that_is_no_number_ends_the_run(start: Start, blobs: Any, value: float) -> None:
    run = start(Still(), blobs.x, blobs.y)
    epochs = run.epochs()
    next(epochs)
    run.log(march=torch.tensor(value))
    with pytest.raises(InputError, match=r"march is -?(inf|nan) in epoch 0: training diverged; lower lr"):
        next(epochs)


def test_validation_labels_move_no_weight(start: Start, same: Same, blobs: Any) -> None:
    found = []
    for validation_label in (0, 1):
        y = np.where(blobs.validation, validation_label, blobs.y)
        recipe = Recipe(epochs=2, batch_size=16, schedule="constant")
        run = start(TemporalEnsembling(), blobs.x, y, validation=blobs.validation, recipe=recipe)
        run.module.train_on(run)
        found.append(weights(run))
    assert same(*found)


def test_watched_rows(start: Start, blobs: Any) -> None:
    for watch, watched in ((True, blobs.y >= 0), (False, blobs.validation)):
        run = start(Still(), blobs.x, blobs.y, validation=blobs.validation, watch=watch)
        run.module.train_on(run)
        assert np.array_equal(run.signals.mixture.sum(1).numpy() > 0, watched)
        assert run.signals.n_epochs == 2


def test_predictions_are_without_dropout_views_and_gradients(start: Start, images: Any) -> None:
    run = start(CrossEntropy(), images.x, images.y, augment="shift", params={"dropout": 0.5})
    run.module.train()
    first, second = run.predict(), run.predict()
    assert torch.equal(first, second)
    assert first.shape == (48, 2)
    torch.testing.assert_close(first.sum(1), torch.ones(48))
    assert run.module.training
    assert not first.requires_grad
    (first * torch.ones(2, requires_grad=True)).sum().backward()  # as a target in a loss


def test_labels_are_judged_by_the_plain_view_and_two_random_ones(start: Start, blobs: Any) -> None:
    moves = iter([1.0, 3.0])
    run = start(March(), blobs.x, blobs.y_true % 2, model=Line, augment=lambda x: x + next(moves))
    x = torch.as_tensor(blobs.x[:, 0])
    expected = torch.stack([torch.sigmoid(2 * (x + move)) for move in (0, 1, 3)]).mean(0)
    torch.testing.assert_close(run.judge()[:, 1], expected)
    still = start(March(), blobs.x, blobs.y_true % 2, model=Line)
    assert torch.equal(still.judge(), still.predict())


def test_predictions_of_some_rows(start: Start, images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "PREDICT_ROWS", 7)
    run = start(CrossEntropy(), images.x, images.y)
    rows = torch.tensor([5, 0, 40, 5])
    torch.testing.assert_close(run.predict(rows), run.predict()[rows])
    monkeypatch.setattr(predict, "PREDICT_VALUES", 100)  # of 36 a row: two at a time
    torch.testing.assert_close(run.predict(rows), run.predict()[rows])
    assert run.predict(torch.empty(0, dtype=torch.int64)).shape == (0, 2)


class Lazy:
    """Rows that are read when asked for."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.shape, self.dtype = x, x.shape, x.dtype

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.x[rows]


@pytest.mark.parametrize("augment", ["none", "flip_shift", "flip_crop"])
def test_rows_that_are_read_when_asked_for_train_the_same_network(
    start: Start, same: Same, images: Any, augment: str
) -> None:
    found = []
    for x in (images.x, Lazy(images.x)):
        options = {"validation": images.validation, "augment": augment, "normalize": "auto"}
        run = start(PiModel(), x, images.y, recipe=Recipe(epochs=2, batch_size=8), **options)
        run.module.train_on(run)
        found.append((weights(run), run.signals.state(), run.predict()))
    assert same(*found)


class Strong(CrossEntropy):
    views = ("weak", "strong")


class Typo(CrossEntropy):
    over = "labelled"  # type: ignore[assignment]


def test_a_view_that_does_not_exist_is_refused_before_training(start: Start, blobs: Any) -> None:
    with pytest.raises(InputError, match="unknown view 'strong': known: plain, weak"):
        start(Strong(), blobs.x, blobs.y)


def test_a_kind_of_epoch_that_does_not_exist_is_refused(start: Start, blobs: Any) -> None:
    with pytest.raises(InputError, match="unknown over 'labelled': did you mean 'labeled'"):
        NoisyLabelClassifier(Typo()).fit(blobs.x, blobs.y)
    run = start(CrossEntropy(), blobs.x, blobs.y)
    with pytest.raises(InputError, match="unknown over 'unlabeled'"):
        next(run.batches(unlabeled="rest", over="unlabeled"))  # type: ignore[arg-type]
