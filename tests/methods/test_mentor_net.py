"""The curriculum: which losses count at which part of the training, by rule or as learned from known labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import reduced
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.errors import InputError
from goldvein.methods import _mentor as curriculum
from goldvein.methods.mentor_net import BURN_IN, MentorNet, lesson, losses_of, spoiled, trusted_rows
from goldvein.training import checkpoint as on_disk
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task

Start = Callable[..., Run]


def fresh(**params: Any) -> MentorNet:
    method = MentorNet(**params)
    method.register_buffer("level", torch.zeros((), dtype=torch.float64))
    return method


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (0, [1, 1, 1, 1, 1]),
        (18, [1, 1, 1, 1, 1]),
        (19, [1, 1, 0, 0, 0]),
        (89, [1, 1, 0, 0, 0]),
        (90, [1, 1, 0.5, 0, 0]),
        (99, [1, 1, 0.5, 0, 0]),
    ],
)
def test_weights_by_hand(percent: int, expected: list[float]) -> None:
    method = fresh()
    method.level.fill_(2.0)
    d = torch.tensor([-1.5, 0.0, 0.5, 1.0, 3.0]).double()
    assert method.weights(2.0 + d, percent).tolist() == expected


@pytest.mark.parametrize("percent", [0, 50, 95])
def test_the_self_paced_curriculum_never_changes(percent: int) -> None:
    method = fresh(curriculum="self_paced")
    method.level.fill_(1.0)
    assert method.weights(torch.tensor([0.9, 1.0, 1.1]).double(), percent).tolist() == [1, 1, 0]
    assert torch.equal(method.drop(torch.ones(50), percent), torch.ones(50))


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 5))
def test_the_level_follows_the_percentile(losses: list[float], percentile: float, level: float) -> None:
    method = fresh(percentile=percentile)
    method.level.fill_(level)
    values = torch.tensor(losses, dtype=torch.float64)
    method.follow(values)
    ranks = np.clip(percentile + np.array([-1e-6, 0, 1e-6]), 0, 1)  # halfway between two, either is the nearest
    expected = [0.5 * level + 0.5 * np.percentile(values.numpy(), 100 * rank, method="nearest") for rank in ranks]
    assert min(abs(method.level.item() - value) for value in expected) < 1e-9


@pytest.mark.parametrize(("percent", "kept"), [(0, 64), (16, 64), (17, 121), (60, 121), (95, 121)])
def test_examples_are_dropped_at_random(percent: int, kept: int) -> None:
    torch.manual_seed(0)
    method = fresh()
    first, second = method.drop(torch.ones(128), percent), method.drop(torch.ones(128), percent)
    assert first.sum() == second.sum() == kept
    assert not torch.equal(first, second)
    assert method.drop(torch.zeros(128), percent).sum() == 0


def test_a_row_that_is_alone_stays() -> None:
    assert [int(fresh().drop(torch.ones(1), percent).sum()) for percent in (0, 60)] == [1, 1]


class Table(nn.Module):
    """A row of logits for each input, which is its number."""

    def __init__(self, input_shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([[2.0, 0.0], [0.0, 0.2], [0.0, 3.0], [0.0, 0.0]]).double())

    def forward(self, x: Tensor) -> Tensor:
        return self.logits[x[:, 0].long()]


def test_the_loss_by_hand_and_no_gradient_through_the_weights(start: Start) -> None:
    x, y = np.arange(4, dtype=np.float32)[:, None], np.array([0, 0, 0, 1])
    recipe = Recipe(epochs=20, batch_size=3)  # the last begins at 95 %
    run = start(MentorNet(percentile=0.0), x, y, validation=y == 1, model=Table, recipe=recipe)
    run.module.double().drop = lambda v, percent: v
    seen: list[dict[str, Tensor]] = []
    run.update = lambda terms: seen.append(reduced(terms))  # type: ignore[method-assign]
    run.module.train_on(run)
    terms = seen[-1]
    logits = run.module.net.logits
    losses = F.cross_entropy(logits[:3], torch.zeros(3, dtype=torch.int64), reduction="none")
    level = (1 - 0.5**20) * losses.min().item()  # halfway nearer twenty times
    v = torch.tensor([min(1.0, max(0.0, 1 - (value - level))) for value in losses.tolist()]).double()
    assert 0 < v[1] < 1
    assert v[2] == 0
    torch.testing.assert_close(terms["cross_entropy"], (v * losses).sum() / 3)
    assert set(terms) == {"cross_entropy"}
    gradient = torch.autograd.grad(terms["cross_entropy"], logits, retain_graph=True)[0]
    expected = torch.autograd.grad((v * losses).mean(), logits)[0]
    torch.testing.assert_close(gradient, expected)


def test_the_curriculum_moves_with_the_run(start: Start, blobs: Any) -> None:
    seen: list[int] = []

    class Watched(MentorNet):
        def weigh(self, losses: Tensor, rows: Tensor, percent: int) -> Tensor:
            seen.append(percent)
            assert (run.y[rows] >= 0).all()
            return super().weigh(losses, rows, percent)

    run = start(Watched(), blobs.x, blobs.y, recipe=Recipe(epochs=8, batch_size=500))
    run.module.train_on(run)
    assert seen == [0, 12, 25, 37, 50, 62, 75, 87]
    assert run.module.level > 0


def test_the_authors_optimizer(start: Start, blobs: Any) -> None:
    run = start(MentorNet(optimizer="sgd"), blobs.x, blobs.y, recipe=Recipe(epochs=39, batch_size=500))
    run.module.train_on(run)
    assert isinstance(run.optimizer, torch.optim.SGD)
    assert run.optimizer.param_groups[0]["weight_decay"] == 2e-4
    assert [run.at.history[e]["lr"] for e in (0, 19, 20, 24, 25, 29, 30, 38)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3, 1e-4, 1e-4]
    )


def test_trusted_labels_weigh_one_whatever_their_loss() -> None:
    method = fresh(percentile=0.0)
    logits = torch.tensor([[2.0, 0.0], [0.0, 9.0], [0.0, 9.0]]).double()
    losses = F.cross_entropy(logits, torch.zeros(3, dtype=torch.int64), reduction="none")
    rows = torch.tensor([4, 0, 2])
    method.drop = lambda v, percent: v  # type: ignore[method-assign]
    method.follow(losses)
    assert method.weigh(losses, rows, 60).tolist() == [0, 0, 0]  # d > 0: the level has just begun to rise
    method.trusted = torch.tensor([False, False, True, False, False])
    assert method.weigh(losses, rows, 60).tolist() == [0, 0, 1]
    method.drop = lambda v, percent: 0 * v  # type: ignore[method-assign]
    assert method.weigh(losses, rows, 60).tolist() == [0, 0, 1]


def test_trusted_labels_that_are_taught_wrongly_have_no_such_weight(start: Start, blobs: Any) -> None:
    for kind, expected in (("learned", None), ("predefined", blobs.trusted)):
        run = start(MentorNet(curriculum=kind), blobs.x, blobs.y, trusted=blobs.trusted)
        trusted: Any = run.module.trusted
        assert trusted is None if expected is None else np.array_equal(trusted, expected)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lessons of MentorNet are short."""
    monkeypatch.setattr(curriculum, "STEPS", 50)


LEARNED = {"curriculum": "learned", "percentile": 0.7}


def learned(start: Start, blobs: Any, epochs: int = 8, **options: Any) -> Run:
    recipe = Recipe(epochs=epochs, batch_size=32, lr=0.01)
    return start(MentorNet(**LEARNED), blobs.x, blobs.y, trusted=blobs.trusted, recipe=recipe, **options)


def test_a_share_of_the_trusted_labels_is_made_wrong(start: Start, blobs: Any) -> None:
    run = learned(start, blobs, validation=blobs.validation)
    known = trusted_rows(run)
    assert torch.equal(known, torch.as_tensor(blobs.trusted & ~blobs.validation))
    y = spoiled(run, known, 0.25)
    changed = y != run.y
    assert changed.sum() == round(0.25 * int(known.sum()))
    assert known[changed].all()
    assert ((y >= 0) & (y < 3))[known].all()
    assert torch.equal(run.y, torch.as_tensor(blobs.y)), "the run's own labels are as they were"


@pytest.mark.usefixtures("quick")
def test_the_student_sees_the_taught_labels_and_the_evidence_leaves_out_the_wrong(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = learned(start, blobs, validation=blobs.validation)
    seen = torch.full((180,), -1)
    batches = Run.batches

    def watched(self: Run, *known: Tensor) -> Iterator[Batch]:
        for batch in batches(self, *known):
            if not known:  # else the mentor's lesson
                seen[batch.rows] = batch.y
            yield batch

    monkeypatch.setattr(Run, "batches", watched)
    run.module.train_on(run)
    training = (run.task.y >= 0) & ~run.task.validation
    assert torch.equal(seen[training], run.module.taught[training])
    wrong = run.module.taught != run.task.y
    assert 0 < wrong.sum() < run.task.trusted.sum()
    trained_on = run.module.evidence(run)[1]
    assert (trained_on[wrong] == -1).all()
    assert torch.equal(trained_on[~wrong], run.task.y[~wrong])


def test_what_the_mentor_learned_holds_for_labels_that_it_never_saw(start: Start, blobs: Any) -> None:
    run = learned(start, blobs, validation=blobs.validation, normalize="auto")
    run.module.train_on(run)
    unknown_to_it = (run.task.y >= 0) & ~run.task.validation & ~run.task.trusted
    rows, losses = losses_of(run, run.module.net, unknown_to_it)
    assert sorted(rows.tolist()) == unknown_to_it.nonzero()[:, 0].tolist()
    v = run.module.weights(losses, 87)  # as in the last epoch
    right = torch.as_tensor(blobs.y == blobs.y_true)[rows]
    assert not v.requires_grad
    assert v[right].mean() > 0.8
    assert v[~right].mean() < 0.5 * v[right].mean()


@pytest.mark.usefixtures("quick")
def test_the_mentor_is_taught_twice_and_weights_are_1_before(start: Start, blobs: Any) -> None:
    assert [lesson(p) for p in (0, BURN_IN, BURN_IN + 1, 74, 75, 99)] == [0, 0, 19, 19, 75, 75]
    run = learned(start, blobs)
    taught_at, parameters = [], [p.clone() for p in run.module.mentor.parameters()]
    teach = run.module.teach

    def counted(run: Run, known: Tensor, percent: int) -> None:
        taught_at.append(percent)
        assert all(torch.equal(a, b) for a, b in zip(parameters, run.module.mentor.parameters(), strict=True))
        teach(run, known, percent)
        parameters[:] = [p.clone() for p in run.module.mentor.parameters()]

    run.module.teach = counted  # type: ignore[method-assign]
    run.module.train_on(run)
    assert taught_at == [25, 75]  # and the student's optimizer never moves it
    assert run.module.weights(torch.tensor([0.0, 50.0]), BURN_IN).tolist() == [1, 1]


def test_a_learned_curriculum_finds_more_than_none(start: Start, blobs: Any) -> None:
    run = learned(start, blobs, epochs=12)
    run.module.train_on(run)
    assert (run.predict().argmax(1).numpy() == blobs.y_true).mean() > 0.9


@pytest.mark.parametrize("stop", [1, 3, 7])
@pytest.mark.usefixtures("quick")
def test_a_learned_curriculum_is_resumed_bit_by_bit(
    start: Start, same: Callable[..., bool], blobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    monkeypatch.setattr(on_disk, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    whole = learned(start, blobs)
    whole.module.train_on(whole)
    stopped = learned(start, blobs, checkpoint=tmp_path / "c")
    weigh = stopped.module.weigh

    def failing(losses: Tensor, rows: Tensor, percent: int) -> Tensor:
        if len(stopped.at.history) == stop:
            raise KeyboardInterrupt
        return weigh(losses, rows, percent)

    stopped.module.weigh = failing  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        stopped.module.train_on(stopped)
    torch.rand(7)
    resumed = learned(start, blobs, checkpoint=tmp_path / "c", resume=True)
    resumed.module.train_on(resumed)
    assert same(resumed.module.state_dict(), whole.module.state_dict())


def test_a_network_with_a_learned_curriculum_is_built_again_without_rows() -> None:
    empty = torch.zeros(0, dtype=torch.int64)
    task = Task(0, 3, (2,), empty, None, empty.bool(), lambda: nn.Linear(2, 3))
    method = MentorNet(curriculum="learned")
    method.setup(task)
    assert method(torch.zeros(1, 2)).shape == (1, 3)


@pytest.mark.parametrize("trusted", ["none", "nobody", "held out", "one"])
def test_a_learned_curriculum_without_trusted_labels(start: Start, blobs: Any, trusted: str) -> None:
    one = np.arange(180) == np.flatnonzero(blobs.trusted)[0]
    rows = {"none": None, "nobody": one & False, "held out": blobs.validation, "one": one}[trusted]
    run = start(MentorNet(curriculum="learned"), blobs.x, blobs.y, trusted=rows, validation=blobs.validation)
    message = f"{int(trusted == 'one')} labels are trusted, 0 of them .* mark more as trusted"
    with pytest.raises(InputError, match=message):
        run.module.train_on(run)
