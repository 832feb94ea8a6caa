"""What trusted rows decide about the others, and what the learner makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import reduced
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from goldvein import NoisyLabelClassifier
from goldvein.errors import InputError
from goldvein.methods import _supervised
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.two_stage import TwoStage
from goldvein.methods.two_stage_clean import TwoStageClean
from goldvein.training import run as engine
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch, Terms

Start = Callable[..., Run]
RECIPE = Recipe(epochs=2, batch_size=16, lr=0.02)


class Learner(CrossEntropy):
    """Remembers the labels and the weights that it begins with, and trains no further."""

    def train_on(self, run: Run) -> None:
        vars(self)["labels"] = run.y.clone()
        vars(self)["began"] = weights(self.net)


class Watched(TwoStageClean):
    """Remembers the rows and labels that its classifiers learn from."""

    def loss(self, batch: Batch) -> Terms:
        vars(self).setdefault("judging", []).append((batch.rows.clone(), batch.y.clone()))
        return super().loss(batch)


@pytest.fixture
def by_name(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The rows of every batch whose labels are learned as they are, as training goes on."""
    seen: list[Tensor] = []
    loss = _supervised.supervised_loss
    watched = lambda net, batch: (seen.append(batch.rows.clone()), loss(net, batch))[1]  # noqa: E731
    monkeypatch.setattr(_supervised, "supervised_loss", watched)
    return seen


class Known:
    """A run whose learner says this."""

    def __init__(self, probs: Tensor) -> None:
        self.probs = probs

    def judge(self) -> Tensor:
        return self.probs


def with_judgment(judged: Tensor) -> TwoStageClean:
    method = TwoStageClean()
    method.register_buffer("judged", judged)
    method.register_buffer("kept", torch.zeros(len(judged), dtype=torch.int64))
    return method


def weights(net: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def equal(first: list[Tensor], second: list[Tensor]) -> list[bool]:
    return [torch.equal(a, b) for a, b in zip(first, second, strict=True)]


def begun(start: Start, blobs: Any, method: TwoStageClean, **options: Any) -> Run:
    known = {"validation": blobs.validation, "trusted": blobs.trusted}
    return start(method, blobs.x, blobs.y, **{"recipe": RECIPE, **known, **options})


def trained(start: Start, blobs: Any, method: TwoStageClean, **options: Any) -> Run:
    run = begun(start, blobs, method, **options)
    method.train_on(run)
    return run


# stage 1


def test_the_loss_by_hand(start: Start, blobs: Any) -> None:
    method = TwoStageClean(learner=CrossEntropy())
    begun(start, blobs, method)
    method.learner.net = nn.Identity()
    z = torch.tensor([[0.0, 1.0, -2.0]])
    (value,) = reduced(method.loss(Batch((z,), torch.tensor([1]), torch.tensor([0])))).values()
    # the positive weighs K/2, a negative K / (2 (K - 1))
    by_hand = 0.75 * math.log(2) + 1.5 * math.log1p(math.exp(-1)) + 0.75 * math.log1p(math.exp(-2))
    assert value.item() == pytest.approx(by_hand)


@pytest.mark.parametrize("n_classes", [2, 3, 14])
def test_a_classifier_has_as_much_of_both_kinds(start: Start, blobs: Any, n_classes: int) -> None:
    method = TwoStageClean(learner=CrossEntropy())
    begun(start, blobs, method)
    method.learner.net = nn.Identity()
    z = torch.zeros(n_classes, n_classes, requires_grad=True)
    (value,) = reduced(method.loss(Batch((z,), torch.arange(n_classes), torch.arange(n_classes)))).values()
    value.backward()
    torch.testing.assert_close(z.grad.sum(0), torch.zeros(n_classes))  # an undecided classifier is at its best
    assert value.item() == pytest.approx(n_classes * math.log(2))


def test_classifiers_learn_from_trusted_training_rows_alone(start: Start, blobs: Any) -> None:
    trusted = blobs.trusted | ((blobs.y == blobs.y_true) & blobs.validation)
    method = Watched(learner=CrossEntropy())
    run = trained(start, blobs, method, trusted=trusted)
    rows = torch.cat([rows for rows, _ in method.judging])
    assert set(rows.tolist()) == set(np.flatnonzero(blobs.trusted).tolist())
    counts = torch.cat([y for _, y in method.judging]).bincount()
    assert counts.max() - counts.min() <= len(method.judging)
    labeled = int(((blobs.y >= 0) & ~blobs.validation).sum())
    assert len(method.judging) == RECIPE.epochs * math.ceil(labeled / RECIPE.batch_size)
    # held-out trusted rows tell how well it goes
    accuracies = [entry["validation_accuracy"] for entry in run.at.history if "binary_cross_entropy" in entry]
    assert len(accuracies) == RECIPE.epochs
    assert np.isfinite(accuracies).all()


def test_features_come_from_doubtful_labels_and_stay(start: Start, blobs: Any, by_name: list[Tensor]) -> None:
    method = TwoStageClean(learner=Learner(), stage1_epochs=6)
    run = begun(start, blobs, method)
    at_first = weights(method.net)
    method.learn_features(run)
    learned = weights(method.net)
    assert not any(equal(at_first, learned))
    labeled = (blobs.y >= 0) & ~blobs.validation
    seen = set(torch.cat(by_name).tolist())
    assert seen <= set(np.flatnonzero(labeled).tolist())
    assert seen > set(np.flatnonzero(blobs.trusted).tolist())
    method.train_classifiers(run.with_labels(torch.as_tensor(np.where(blobs.trusted, blobs.y, -1))))
    same = equal(learned, weights(method.net))
    assert same == [True] * (len(same) - 2) + [False, False]  # weight and bias of the last layer
    assert all(p.requires_grad for p in method.net.parameters())


def test_a_network_with_features_of_its_own_is_trained_whole(start: Start, blobs: Any, by_name: list[Tensor]) -> None:
    method = TwoStageClean(learner=Learner(), pretrain=False)
    run = begun(start, blobs, method)
    at_first = weights(method.net)
    method.train_on(run)
    assert not by_name
    assert {entry["stage"] for entry in run.at.history} == {0}
    assert not any(equal(at_first, weights(method.net)))


def test_separate_networks(start: Start, blobs: Any) -> None:
    method = TwoStageClean(learner=Learner(), separate=True)
    run = begun(start, blobs, method)
    method.learn_features(run)
    learned = weights(method.net)
    assert len(method.apart) == 3
    for net in method.apart:
        assert all(equal(weights(net), learned))
    method.train_classifiers(run.with_labels(torch.as_tensor(np.where(blobs.trusted, blobs.y, -1))))
    assert all(equal(weights(method.net), learned))
    for net in method.apart:
        assert not any(equal(weights(net), learned))
    x = torch.as_tensor(blobs.x[:5])
    assert torch.equal(method.eval().judge(x), torch.stack([net(x)[:, c] for c, net in enumerate(method.apart)], 1))


def test_one_network_is_the_one_that_goes_on(start: Start, blobs: Any) -> None:
    method = TwoStageClean(learner=Learner())
    trained(start, blobs, method)
    assert len(method.apart) == 0
    x = torch.as_tensor(blobs.x[:5])
    assert torch.equal(method.eval().judge(x), method.net(x))
    assert all(equal(method.learner.began, weights(method.net)))


# what is kept


def judging(start: Start, blobs: Any, logits: Tensor, **params: Any) -> TwoStageClean:
    """A method whose classifiers give these logits (N, K), after its selection."""
    method = TwoStageClean(learner=Learner(), **params)
    run = begun(start, blobs, method)

    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return logits.to(x)

    method.learner.net = Fixed()
    method.select(run)
    return method


@pytest.mark.parametrize("consistent", [False, True])
def test_a_label_is_kept_where_its_own_classifier_affirms_it(start: Start, blobs: Any, consistent: bool) -> None:
    y = torch.as_tensor(blobs.y)
    logits = torch.randn(180, 3, generator=torch.Generator().manual_seed(3))
    logits[0] = torch.tensor([0.0, -1.0, -1.0])  # exactly 1/2 is kept
    logits[3] = torch.tensor([1.0, 9.0, -1.0])  # another class is surer
    method = judging(start, blobs, logits, consistent=consistent)
    for row in range(180):
        own = logits[row, y[row]]
        affirmed = own >= 0 and (not consistent or own == logits[row].max())
        keeps = y[row] >= 0 and (affirmed or blobs.trusted[row])
        assert method.kept[row] == (y[row] if keeps else -1)
    assert y[[0, 3]].tolist() == [0, 0]
    assert method.kept[[0, 3]].tolist() == [0, -1 if consistent else 0]
    torch.testing.assert_close(method.judged, logits.sigmoid())
    assert ((method.kept == -1) & (y >= 0)).sum() > 20


def test_trusted_labels_stay_even_if_every_classifier_denies_them(start: Start, blobs: Any) -> None:
    method = judging(start, blobs, torch.full((180, 3), -5.0))
    assert np.array_equal(method.kept, np.where(blobs.trusted, blobs.y, -1))


def test_the_learner_trains_on_what_is_kept(start: Start, blobs: Any) -> None:
    method = TwoStageClean(learner=Learner())
    trained(start, blobs, method, recipe=Recipe(epochs=20, batch_size=16, lr=0.02))
    assert torch.equal(method.learner.labels, method.kept)
    wrong = (blobs.y != blobs.y_true) & (blobs.y >= 0)
    right = (blobs.y == blobs.y_true) & (blobs.y >= 0)
    kept = method.kept.numpy() >= 0
    assert kept[wrong].mean() < 0.2
    assert kept[right].mean() > 0.9


# no clean set


@pytest.mark.parametrize("trusted", [None, np.zeros(180, dtype=bool)])
def test_without_a_clean_set(start: Start, blobs: Any, trusted: Any) -> None:
    with pytest.raises(InputError, match="no label is trusted: two_stage_clean needs"):
        trained(start, blobs, TwoStageClean(), trusted=trusted)


def test_a_class_without_a_trusted_label(start: Start, blobs: Any) -> None:
    with pytest.raises(InputError, match="class 1, counted from 0, has no trusted label to train on"):
        trained(start, blobs, TwoStageClean(), trusted=blobs.trusted & (blobs.y != 1))


def test_trusted_labels_that_are_all_held_out(start: Start, blobs: Any) -> None:
    with pytest.raises(InputError, match="class 0, counted from 0, has no trusted label to train on"):
        trained(start, blobs, TwoStageClean(), trusted=(blobs.y == blobs.y_true) & blobs.validation)


# fine-tuning


def test_fine_tuning_sees_trusted_rows_alone(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch, by_name: list[Tensor]
) -> None:
    method = TwoStageClean(learner=Learner(), pretrain=False, finetune_epochs=3, finetune_lr=1e-5)
    optimizers = []
    update = Run.update
    monkeypatch.setattr(Run, "update", lambda run, terms: (optimizers.append(run.optimizer), update(run, terms))[1])
    run = trained(start, blobs, method, recipe=Recipe(epochs=2, batch_size=16, lr=0.02, optimizer="sgd"))
    rows = torch.cat(by_name)
    assert sorted(rows.tolist()) == sorted(np.flatnonzero(blobs.trusted).tolist() * 3)
    assert {type(optimizer) for optimizer in optimizers} == {torch.optim.SGD, torch.optim.Adam}
    assert isinstance(optimizers[-1], torch.optim.Adam)
    assert [entry["lr"] for entry in run.at.history if entry["stage"] == 1] == [1e-5] * 3
    change = max((a - b).abs().max() for a, b in zip(method.learner.began, weights(method.net), strict=True))
    assert 0 < change < 20e-5  # Adam moves a weight by about its rate


def test_fine_tuning_keeps_the_best_by_held_out_labels_that_were_kept(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    after: list[list[Tensor]] = []
    accuracies = iter([0.1, 0.1, 0.5, 0.9, 0.6])

    def script(y: np.ndarray, predicted: np.ndarray) -> float:
        seen.append(torch.as_tensor(y))
        after.append(weights(method.net))
        return next(accuracies)

    monkeypatch.setattr(engine, "balanced_accuracy", script)
    method = TwoStageClean(learner=Learner(), pretrain=False, finetune_epochs=3, finetune_lr=0.01)
    trained(start, blobs, method)
    held_out = method.kept[torch.as_tensor(blobs.validation)]
    assert torch.equal(seen[-1], held_out[held_out >= 0])
    assert all(equal(weights(method.net), after[3]))
    assert not any(equal(after[3], after[4]))


# evidence


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=8))
def test_evidence_undoes_the_balance(parts: list[float]) -> None:
    p = torch.tensor(parts) / sum(parts)
    odds = (len(p) - 1) * p / (1 - p)  # p(x | c) against the mean of the other classes: equal weight of both
    method = with_judgment((odds / (1 + odds))[None])
    probs, _ = method.evidence(Known(p[None]))
    torch.testing.assert_close(probs[0], p, atol=1e-3, rtol=1e-3)


def test_evidence_of_classifiers_that_all_agree() -> None:
    for value in (0.0, 1.0):
        probs, trained_on = with_judgment(torch.full((2, 4), value)).evidence(Known(torch.eye(4)[:2]))
        torch.testing.assert_close(probs, (torch.eye(4)[:2] + 0.25) / 2)
        assert trained_on.tolist() == [-1, -1]


def test_scores_say_why_a_label_was_dropped(start: Start, blobs: Any) -> None:
    method = TwoStageClean(learner=Learner(), consistent=False)
    run = trained(start, blobs, method)
    affirmed = method.scores(run)["affirmed"]
    labeled = torch.as_tensor(blobs.y >= 0)
    assert torch.equal(affirmed.isnan(), ~labeled)
    doubtful = labeled & ~torch.as_tensor(blobs.trusted)
    assert torch.equal((affirmed >= 0.5)[doubtful], (method.kept >= 0)[doubtful])


# what it is for


def test_it_sees_through_names_that_are_exchanged() -> None:
    rng = np.random.default_rng(0)
    y_true = np.arange(450) % 3
    x = rng.normal(0, 0.7, (450, 2)) + np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])[y_true]
    flipped = (y_true > 0) & (rng.random(450) < 0.6)
    y = np.where(flipped, 3 - y_true, y_true)  # most of 1 is labeled 2, and most of 2 is labeled 1
    trusted = np.arange(450) < 24
    y[trusted] = y_true[trusted]
    quick = {"epochs": 15, "lr": 0.01, "model_params": {"hidden": (16,)}, "random_state": 0}
    accuracy = {}
    for method in (TwoStage(rounds=1), TwoStageClean()):
        model = NoisyLabelClassifier(method, **quick).fit(x, y, trusted=trusted)
        accuracy[type(method)] = (model.predict(x) == y_true).mean()
    assert accuracy[TwoStage] < 0.5
    assert accuracy[TwoStageClean] > 0.95
