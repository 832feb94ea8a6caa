"""The three terms, when soft labels move and to what, and the fresh network of step 2."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import ALONE, reduced
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from goldvein.functional.probabilities import one_hot
from goldvein.methods.joint_optimization import JointOptimization
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run, reduce
from goldvein.training.task import Batch, Terms

Start = Callable[..., Run]


def fresh(y: list[int], n_classes: int, **params: Any) -> JointOptimization:
    method = JointOptimization(**params)
    method.net = nn.Identity()
    given_y = torch.tensor(y)
    method.register_buffer("place", (given_y >= 0).cumsum(0) - 1)
    method.register_buffer("soft", one_hot(given_y[given_y >= 0], n_classes).double())
    return method


def terms_of(method: JointOptimization, logits: Tensor, y: Tensor, rows: Tensor) -> dict[str, Tensor]:
    return reduced(method.terms(ALONE, Batch((logits,), y, rows), logits))


def test_the_loss_by_hand() -> None:
    method = fresh([1, -1, 0], 2, alpha=3.0, beta=2.0)
    method.soft[1] = torch.tensor([0.25, 0.75])  # of row 2, the second labeled one
    s = torch.tensor([[0.9, 0.1], [0.4, 0.6]]).double()
    terms = terms_of(method, s.log() + 5, torch.tensor([0, 1]), torch.tensor([2, 0]))
    cross_entropy = -(0.25 * math.log(0.9) + 0.75 * math.log(0.1) + math.log(0.6)) / 2
    prior = -0.5 * (math.log(0.65) + math.log(0.35))
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1) + 0.4 * math.log(0.4) + 0.6 * math.log(0.6)) / 2
    assert terms["cross_entropy"].item() == pytest.approx(cross_entropy)
    assert terms["prior"].item() == pytest.approx(3 * prior)
    assert terms["entropy"].item() == pytest.approx(2 * entropy)


@given(st.integers(2, 6), st.floats(0.1, 3))
def test_the_prior_term_is_least_where_classes_are_even(n_classes: int, alpha: float) -> None:
    method = fresh([0] * n_classes, n_classes, alpha=alpha, beta=1.0)
    batch = torch.zeros(n_classes, dtype=torch.int64), torch.arange(n_classes)
    certain = 200.0 * torch.eye(n_classes, dtype=torch.float64)
    terms = terms_of(method, certain, *batch)
    assert terms["prior"].item() == pytest.approx(alpha * math.log(n_classes))
    assert terms["entropy"].item() == pytest.approx(0.0, abs=1e-9)  # one-hot outputs
    flat = terms_of(method, torch.zeros_like(certain), *batch)
    assert flat["prior"].item() == pytest.approx(alpha * math.log(n_classes))
    assert flat["entropy"].item() == pytest.approx(math.log(n_classes))
    one = certain.clone()
    one[:, 0] += 1000.0  # all rows of one class: large, finite, and with a gradient back
    one.requires_grad_()
    prior = terms_of(method, one, *batch)["prior"]
    assert alpha * math.log(n_classes) < prior.item() < math.inf
    assert torch.autograd.grad(prior, one)[0].abs().max() > 0


def test_all_of_the_entropy_has_a_gradient() -> None:
    method = fresh([0], 2, alpha=0.0, beta=1.0)
    logits = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    terms = terms_of(method, logits, torch.tensor([0]), torch.tensor([0]))
    (gradient,) = torch.autograd.grad(terms["entropy"], logits)
    p = 1 / (1 + math.exp(-1))
    assert gradient[0, 0].item() == pytest.approx(-p * (1 - p))  # dH/da = -p (1 - p) a at logits (a, 0), a = 1


class Watched(JointOptimization):
    """Keeps outputs and soft labels by epoch of step 1, and the weights that step 2 begins with."""

    def terms(self, run: Run, batch: Batch, logits: Tensor) -> Terms:
        epoch = len(run.at.history)
        if len(self.soft_before) == epoch:
            self.soft_before.append(self.soft.clone())
            self.outputs.append(torch.full_like(self.soft, math.nan))
        self.outputs[epoch][self.place[batch.rows]] = logits.detach().softmax(1)
        return super().terms(run, batch, logits)

    def learn_labels(self, run: Run) -> None:
        self.between = next(self.net.parameters()).detach().clone()
        self.soft_after = self.soft.clone()
        super().learn_labels(run)


def trained(start: Start, blobs: Any, n_epochs: int, validation: Any = None, **params: Any) -> Run:
    method: Any = Watched(**params)
    method.soft_before, method.outputs = [], []
    recipe = Recipe(epochs=n_epochs, batch_size=64, lr=0.01)
    run = start(method, blobs.x, blobs.y, validation=validation, recipe=recipe)
    method.train_on(run)
    return run


def test_soft_labels_are_the_given_ones_until_epoch_70_then_the_mean_of_the_last_10(start: Start, blobs: Any) -> None:
    method: Any = trained(start, blobs, 200, final_epochs=1).module
    given_labels = one_hot(torch.as_tensor(blobs.y[blobs.y >= 0]), 3)
    assert len(method.soft_before) == 200
    for epoch in (0, 1, 69):
        assert torch.equal(method.soft_before[epoch], given_labels)
    for epoch in (70, 71, 120, 199):
        expected = torch.stack(method.outputs[epoch - 10 : epoch]).mean(0)
        torch.testing.assert_close(method.soft_before[epoch], expected)
    torch.testing.assert_close(method.soft_after, torch.stack(method.outputs[-10:]).mean(0))


@pytest.mark.parametrize(("n_epochs", "begin", "window"), [(40, 14, 2), (20, 7, 1), (1, 1, 1)])
def test_shares_of_a_shorter_run(start: Start, blobs: Any, n_epochs: int, begin: int, window: int) -> None:
    method: Any = trained(start, blobs, n_epochs, final_epochs=1).module
    labels = [*method.soft_before, method.soft_after]
    moved = [not torch.equal(labels[0], later) for later in labels]
    assert moved == [epoch >= begin for epoch in range(n_epochs + 1)]
    torch.testing.assert_close(method.soft_after, torch.stack(method.outputs[-window:]).mean(0))


def test_step_2_is_a_fresh_network_on_soft_labels_alone(start: Start, blobs: Any) -> None:
    run = trained(start, blobs, 6, final_epochs=3)
    assert [entry["stage"] for entry in run.at.history] == [0] * 6 + [1] * 3
    assert {"cross_entropy", "prior", "entropy"} <= run.at.history[5].keys()
    assert "prior" not in run.at.history[6]
    method: Any = run.module
    assert torch.equal(method.soft, method.soft_after)  # no longer moved


def test_nothing_of_step_1_is_left_in_the_network(start: Start, blobs: Any) -> None:
    method: Any = Watched()
    method.soft_before, method.outputs = [], []
    run = start(method, blobs.x, blobs.y, recipe=Recipe(epochs=2, batch_size=64))
    other = method.build_model()
    method.build_model = lambda: other
    method.train_on(run)
    assert torch.equal(method.between, next(other.parameters()))


def test_wrong_labels_are_mended(start: Start, blobs: Any) -> None:
    run = trained(start, blobs, 40)
    labeled = blobs.y >= 0
    found = run.module.soft.argmax(1).numpy()  # type: ignore[union-attr,operator]
    assert (blobs.y != blobs.y_true)[labeled].mean() > 0.1
    assert (found == blobs.y_true[labeled]).mean() > 0.97
    assert np.mean(run.predict().argmax(1).numpy() == blobs.y_true) > 0.97


def test_rows_that_are_held_out_or_dropped_have_no_soft_label(start: Start, blobs: Any) -> None:
    method: Any = trained(start, blobs, 6, validation=blobs.validation).module
    used = ~blobs.validation[blobs.y >= 0]
    totals = method.soft.sum(1).numpy()
    np.testing.assert_allclose(totals[used], 1, atol=1e-5)
    assert (totals[~used] == 0).all()


def test_rows_without_a_label_get_soft_labels_of_their_own(start: Start, blobs: Any) -> None:
    few = np.where(np.arange(len(blobs.y)) % 4 == 0, blobs.y, -1)
    method: Any = Watched(unlabeled=True, final_epochs=2)
    method.soft_before, method.outputs = [], []
    recipe = Recipe(epochs=40, batch_size=60, lr=0.01)
    run = start(method, blobs.x, few, validation=blobs.validation, recipe=recipe)
    method.train_on(run)
    training = torch.as_tensor(~blobs.validation)
    labeled = torch.as_tensor(few >= 0)
    assert torch.equal(method.soft_before[0], one_hot(torch.as_tensor(np.where(blobs.validation, -1, few)), 3))
    torch.testing.assert_close(method.soft[training].sum(1), torch.ones(int(training.sum())))
    assert (method.soft[~training & ~labeled] == 0).all()
    right = method.soft.argmax(1).numpy() == blobs.y_true
    assert right[~blobs.validation & (few < 0)].mean() > 0.9


def test_a_few_rows_without_a_label_all_get_whole_soft_labels(start: Start, blobs: Any) -> None:
    y = np.where(blobs.y < 0, blobs.y_true, blobs.y)
    y[::20] = -1  # 9 of 180; a batch has room for 8
    method = JointOptimization(unlabeled=True, final_epochs=1)
    run = start(method, blobs.x, y, recipe=Recipe(epochs=20, batch_size=150))
    method.train_on(run)
    torch.testing.assert_close(method.soft.sum(1), torch.ones(180))


def test_a_row_without_an_output_keeps_its_soft_label(start: Start, blobs: Any) -> None:
    class Missing(JointOptimization):
        """No epoch after the fifth of thirty has rows 0 and 1 in a batch."""

        def batches(self, run: Run) -> Any:
            late = len(run.at.history) > 5
            rows = torch.as_tensor(blobs.y >= 0) & (torch.arange(180) >= (2 if late else 0))
            return run.batches(rows)

    method: Any = Missing(final_epochs=1)
    run = start(method, blobs.x, blobs.y, recipe=Recipe(epochs=30, batch_size=64, lr=0.01))
    method.train_on(run)
    assert torch.equal(method.soft[:2], one_hot(torch.as_tensor(blobs.y[:2]), 3))
    torch.testing.assert_close(method.soft.sum(1), torch.ones(len(method.soft)))
    assert not torch.equal(method.soft, one_hot(torch.as_tensor(blobs.y[blobs.y >= 0]), 3))


def test_trusted_labels_keep_theirs(start: Start, blobs: Any) -> None:
    wrong = np.flatnonzero((blobs.y != blobs.y_true) & (blobs.y >= 0))[:5]
    trusted = np.isin(np.arange(180), wrong)
    method = JointOptimization(final_epochs=1)
    run = start(method, blobs.x, blobs.y, trusted=trusted, recipe=Recipe(epochs=30, batch_size=64, lr=0.01))
    method.train_on(run)
    assert method.scores(run)["soft_label"][wrong].tolist() == [1.0] * 5


def test_cross_entropy_is_a_mean_over_rows_that_have_a_soft_label() -> None:
    method = fresh([1, 0, 0], 2)
    method.soft[1:] = 0  # two rows have none
    logits = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 9.0]]).double()
    batch = Batch((logits,), torch.tensor([1, -1, -1]), torch.arange(3))
    assert reduce(method.soft_label_term(batch, logits)).item() == pytest.approx(math.log(2))
    method.soft[:] = 0
    assert reduce(method.soft_label_term(batch, logits)).item() == 0.0


def test_the_share_of_the_given_label(start: Start, blobs: Any) -> None:
    run = trained(start, blobs, 20, validation=blobs.validation)
    method: Any = run.module
    (name,) = method.scores(run)
    share = method.scores(run)[name].numpy()
    rows = np.flatnonzero(blobs.y >= 0)
    for row, soft in zip(rows, method.soft.tolist(), strict=True):
        assert np.isnan(share[row]) if blobs.validation[row] else share[row] == pytest.approx(soft[blobs.y[row]])
    assert np.isnan(share[blobs.y < 0]).all()
    wrong = (blobs.y != blobs.y_true)[rows]
    assert np.nanmean(share[rows][wrong]) < 0.5 * np.nanmean(share[rows][~wrong])


def test_the_authors_optimizer(start: Start, blobs: Any) -> None:
    run = trained(start, blobs, 4, optimizer="sgd", lr=0.03, final_epochs=6)
    assert isinstance(run.optimizer, torch.optim.SGD)
    assert run.optimizer.param_groups[0]["weight_decay"] == 1e-4
    rates = [entry["lr"] for entry in run.at.history]
    assert rates == pytest.approx([0.03] * 4 + [0.2] * 2 + [0.02] * 2 + [0.002] * 2)


def test_the_rate_of_step_1_is_constant_and_nothing_ends_it_early(start: Start, blobs: Any) -> None:
    recipe = Recipe(epochs=8, batch_size=64, lr=0.01, schedule="plateau", patience=1, stop_after=2, keep="best")
    run = start(JointOptimization(), blobs.x, blobs.y, validation=blobs.validation, recipe=recipe)
    run.module.train_on(run)
    first = [entry for entry in run.at.history if entry["stage"] == 0]
    assert [entry["lr"] for entry in first] == [0.01] * 8
