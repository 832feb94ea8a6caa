"""Who sees which labels, and that the trusted ones have the last word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from goldvein.errors import InputError
from goldvein.methods import _supervised
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.fine_tune import FineTune
from goldvein.methods.mean_teacher import MeanTeacher
from goldvein.methods.two_stage import TwoStage
from goldvein.methods.umn import UMN
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task, Terms

Start = Callable[..., Run]
RECIPE = Recipe(epochs=2, batch_size=16, lr=0.02, optimizer="sgd", schedule="cosine")


class Base(CrossEntropy):
    """Remembers what it is told, and the weights that it ends with."""

    def setup(self, task: Task) -> None:
        super().setup(task)
        vars(self)["told"] = task

    def train_on(self, run: Run) -> None:
        vars(self)["then"] = run.task
        vars(self)["labels"] = run.y.clone()
        super().train_on(run)
        vars(self)["ended"] = {name: value.clone() for name, value in self.net.state_dict().items()}


def trained(start: Start, method: FineTune, blobs: Any, **options: Any) -> Run:
    run = start(method, blobs.x, blobs.y, recipe=RECIPE, trusted=blobs.trusted, **options)
    run.module.train_on(run)
    return run


def test_the_method_before_knows_no_trusted_label(start: Start, blobs: Any) -> None:
    base = Base()
    trained(start, FineTune(base), blobs, validation=blobs.validation)
    expected = np.where(blobs.trusted, -1, blobs.y).tolist()
    for task in (base.told, base.then):
        assert task.trusted is None
        assert task.y.tolist() == expected
    assert base.labels.tolist() == expected


def test_fine_tuning_sees_every_trusted_label_once_an_epoch_and_no_other(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, seen, loss = Base(), [], _supervised.supervised_loss

    def watched(net: nn.Module, batch: Batch) -> Terms:
        if hasattr(base, "ended"):
            seen.append((batch.rows.clone(), batch.y.clone()))
        return loss(net, batch)

    monkeypatch.setattr(_supervised, "supervised_loss", watched)
    run = trained(start, FineTune(base, epochs=3), blobs)
    rows = torch.cat([rows for rows, _ in seen])
    assert rows.bincount(minlength=180).tolist() == (3 * blobs.trusted).tolist()
    assert all(torch.equal(y, run.task.y[rows]) for rows, y in seen)
    assert [entry["stage"] for entry in run.at.history] == [0, 0, 1, 1, 1]
    assert {entry["lr"] for entry in run.at.history[2:]} == {1e-5}


def test_its_steps_are_adams(start: Start, blobs: Any) -> None:
    base = Base()
    run = trained(start, FineTune(base, epochs=1, lr=1e-4), blobs)
    moved = max((run.module.net.state_dict()[name] - value).abs().max() for name, value in base.ended.items())
    n_batches = -(-int(blobs.trusted.sum()) // 16)
    assert 0.9e-4 < moved <= 1.01e-4 * n_batches  # Adam's first steps are as long as its rate


def test_validation_is_by_trusted_labels_alone(start: Start, blobs: Any) -> None:
    validation = np.zeros(180, dtype=bool)
    validation[np.flatnonzero(blobs.trusted)[::3]] = True
    run = trained(start, FineTune(Base(), epochs=2), blobs, validation=validation)
    assert all(np.isnan(entry["validation_accuracy"]) for entry in run.at.history[:2])
    assert all(0 <= entry["validation_accuracy"] <= 1 for entry in run.at.history[2:])


def test_it_overrules_what_the_labels_said(start: Start, blobs: Any) -> None:
    y = (blobs.y_true + 1) % 3  # every doubtful label is wrong
    y[blobs.trusted] = blobs.y_true[blobs.trusted]
    run = start(FineTune(Base(), epochs=40, lr=0.05), blobs.x, y, recipe=RECIPE, trusted=blobs.trusted)
    run.module.train_on(run)
    assert (run.predict().argmax(1).numpy() == blobs.y_true).mean() > 0.95


def test_it_takes_its_views_and_evidence_from_the_method_before(start: Start, blobs: Any) -> None:
    base = TwoStage(rounds=1, folds=0)
    run = trained(start, FineTune(base, epochs=1), blobs, validation=blobs.validation)
    assert run.module.views == base.views
    for mine, theirs in zip(run.module.evidence(run), base.evidence(run), strict=True):
        assert torch.equal(mine, theirs)
    assert (base.kept[torch.as_tensor(blobs.trusted)] == -1).all()


@pytest.mark.parametrize("nobody", [None, np.zeros(180, dtype=bool)])
def test_without_trusted_labels(start: Start, blobs: Any, nobody: Any) -> None:
    run = start(FineTune(), blobs.x, blobs.y, recipe=RECIPE, trusted=nobody)
    with pytest.raises(InputError, match="no label is trusted"):
        run.module.train_on(run)


def test_a_clean_set_that_misses_a_class(start: Start, blobs: Any) -> None:
    some = blobs.trusted & (blobs.y != 2)
    run = start(FineTune(), blobs.x, blobs.y, recipe=RECIPE, trusted=some)
    with pytest.raises(InputError, match=r"class 2, counted from 0, has no trusted label .* fine_tune"):
        run.module.train_on(run)


def test_an_epoch_is_that_of_the_method_before(start: Start, blobs: Any) -> None:
    assert start(FineTune(MeanTeacher()), blobs.x, blobs.y).module.over == "larger"


def test_it_goes_on_with_a_teacher(start: Start, blobs: Any) -> None:
    run = trained(start, FineTune(MeanTeacher(), epochs=1, lr=0.01), blobs)
    assert [entry["stage"] for entry in run.at.history] == [0, 0, 1]
    assert not torch.equal(run.module.net.head.weight, run.module.base.student.head.weight)


def test_trusted_labels_are_among_the_kept(start: Start, blobs: Any) -> None:
    run = trained(start, FineTune(TwoStage(rounds=1, folds=0), epochs=1), blobs, validation=blobs.validation)
    kept, trusted = run.module.scores(run)["kept"], torch.as_tensor(blobs.trusted)
    assert (kept[trusted] == 1).all()
    assert torch.equal(
        kept[~trusted].nan_to_num(nan=2), run.module.base.scores(run)["kept"][~trusted].nan_to_num(nan=2)
    )


def test_a_method_before_that_keeps_state_by_label(start: Start, blobs: Any) -> None:
    method, recipe = FineTune(UMN(z_a=3, z_b=3, hidden=8)), Recipe(epochs=2, batch_size=16)
    run = start(method, blobs.x, blobs.y, recipe=recipe, trusted=blobs.trusted)
    run.module.train_on(run)
    told = torch.as_tensor((blobs.y >= 0) & ~blobs.trusted)
    assert run.module.scores(run)["epsilon"].isfinite().tolist() == told.tolist()
