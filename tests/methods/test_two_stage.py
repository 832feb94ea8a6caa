"""What stage 1 hands to stage 2, in one network or fold by fold."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from torch import Tensor, nn

from goldvein import NoisyLabelClassifier
from goldvein.config.names import find, names
from goldvein.errors import InputError
from goldvein.methods import two_stage
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.pi_model import PiModel
from goldvein.methods.two_stage import TwoStage
from goldvein.selectors.agreement import Agreement
from goldvein.selectors.confidence import Confidence
from goldvein.selectors.margin import Margin
from goldvein.selectors.neighbors import Neighbors
from goldvein.training import run as engine
from goldvein.training.predict import evaluating
from goldvein.training.recipe import Recipe
from goldvein.training.run import Run

Start = Callable[..., Run]
RECIPE = Recipe(epochs=3, batch_size=32, lr=0.02)


class Every(BaseEstimator):
    """Keeps the labels of every ``n``-th row, and remembers what it was asked."""

    needs = ("probs", "trained_on")
    asked: list[dict[str, np.ndarray]]

    def __init__(self, n: int = 2) -> None:
        self.n = n

    def select(self, y: np.ndarray, **signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        vars(self).setdefault("asked", []).append({"y": y, **signals})
        return np.zeros(len(y)), (np.arange(len(y)) % self.n == 0) & (y >= 0)


class Learner(CrossEntropy):
    """Remembers the labels of every stage that it trains."""

    def train_on(self, run: Run) -> None:
        vars(self).setdefault("labels", []).append(run.y.clone().numpy())
        vars(self).setdefault("began", []).append([p.detach().clone() for p in self.net.parameters()])
        super().train_on(run)
        vars(self).setdefault("ended", []).append([p.detach().clone() for p in self.net.parameters()])


def trained(start: Start, blobs: Any, method: TwoStage, **options: Any) -> Run:
    run = start(method, blobs.x, blobs.y, recipe=RECIPE, **{"validation": blobs.validation, **options})
    method.train_on(run)
    return run


def judged_networks(method: TwoStage) -> list[list[Tensor]]:
    """The weights by which labels are selected, at each selection."""
    seen: list[list[Tensor]] = []
    select = method.select
    method.select = lambda run: (seen.append([p.detach().clone() for p in method.net.parameters()]), select(run))[1]
    return seen


def every(blobs: Any, n: int) -> np.ndarray:
    return np.where((np.arange(len(blobs.y)) % n == 0), blobs.y, -1)


def test_stage_2_trains_on_what_was_kept(start: Start, blobs: Any) -> None:
    method = TwoStage(selector=Every(2), learner=Learner(), rounds=1, folds=0)
    trained(start, blobs, method)
    (labels,) = method.learner.labels
    assert np.array_equal(labels, every(blobs, 2))  # in the validation set as well
    assert np.array_equal(method.kept, labels)
    held_out, others = method.selector.asked  # judged apart
    assert np.array_equal(held_out["y"], np.where(blobs.validation, blobs.y, -1))
    assert np.array_equal(others["y"], np.where(blobs.validation, -1, blobs.y))
    assert np.array_equal(others["trained_on"], blobs.y)
    np.testing.assert_allclose(others["probs"].sum(1), 1, atol=1e-5)


def test_every_round_selects_among_all_given_labels(start: Start, blobs: Any) -> None:
    method = TwoStage(selector=Every(3), learner=Learner(), rounds=2, folds=0)
    trained(start, blobs, method)
    assert len(method.learner.labels) == 2
    second = method.selector.asked[3]
    assert np.array_equal(second["y"], np.where(blobs.validation, -1, blobs.y))
    assert np.array_equal(second["trained_on"], every(blobs, 3))


def test_trusted_labels_are_kept(start: Start, blobs: Any) -> None:
    trusted = (np.arange(len(blobs.y)) % 7 == 1) & (blobs.y >= 0)
    method = TwoStage(selector=Every(2), learner=Learner())
    trained(start, blobs, method, trusted=trusted)
    assert np.array_equal(method.kept, np.where(trusted, blobs.y, every(blobs, 2)))


def test_the_learner_goes_on_from_the_network_of_stage_1(start: Start, blobs: Any) -> None:
    method = TwoStage(selector=Every(2), learner=Learner(), rounds=1, folds=0)
    judged = judged_networks(method)
    run = start(method, blobs.x, blobs.y, recipe=RECIPE, validation=blobs.validation)
    before = [p.detach().clone() for p in method.net.parameters()]
    method.train_on(run)
    (after,) = judged
    assert all(torch.equal(a, b) for a, b in zip(after, method.learner.began[0], strict=True))
    assert not torch.equal(before[0], after[0])


def test_stage_1_is_judged_by_its_best_network(start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    method = TwoStage(selector=Every(2), learner=CrossEntropy(), rounds=1, folds=0)
    accuracies, after = [0.5, 0.9, 0.6, 0.0, 0.0, 0.0], []

    def script(y: np.ndarray, predicted: np.ndarray) -> float:
        after.append([p.detach().clone() for p in method.net.parameters()])
        return accuracies[len(after) - 1]

    monkeypatch.setattr(engine, "balanced_accuracy", script)
    judged = judged_networks(method)
    run = start(method, blobs.x, blobs.y, recipe=RECIPE, validation=blobs.validation)
    assert run.recipe.keep == "last"
    method.train_on(run)
    assert all(torch.equal(a, b) for a, b in zip(judged[0], after[1], strict=True))
    assert not torch.equal(after[1][0], after[2][0])


def test_stage_1_may_be_shorter_and_is_balanced(start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    batches = Run.batches
    monkeypatch.setattr(Run, "batches", lambda *a, **k: (seen.append(k.get("balance", False)), batches(*a, **k))[1])
    method = TwoStage(learner=CrossEntropy(), stage1_epochs=2, rounds=1, folds=0)
    run = trained(start, blobs, method)
    assert [entry["stage"] for entry in run.at.history] == [0, 0, 1, 1, 1]
    assert seen[:2] == [True, True]


def test_nothing_kept_is_bad_input(start: Start, blobs: Any) -> None:
    with pytest.raises(InputError, match="keeps no label: lower its threshold or raise its floor"):
        trained(start, blobs, TwoStage(selector=Confidence(floor=0.0, mode="top")))


def test_a_fold_that_holds_all_kept_labels_is_bad_input(start: Start, blobs: Any) -> None:
    with pytest.raises(InputError, match="no label is left to train on"):
        trained(start, blobs, TwoStage(selector=Every(1000), rounds=2, folds=2), validation=None)


def test_a_validation_set_alone_is_not_enough(start: Start, blobs: Any) -> None:
    validation = (np.arange(len(blobs.y)) % 2 == 0) & (blobs.y >= 0)
    with pytest.raises(InputError, match="keeps no label"):
        trained(start, blobs, TwoStage(selector=Every(2)), validation=validation)


def test_the_learner_gets_the_views_that_it_asks_for(start: Start, images: Any) -> None:
    method = TwoStage(learner=PiModel(), rounds=1, folds=0)
    run = start(method, images.x, images.y, augment="shift", recipe=RECIPE)
    assert len(next(run.batches()).views) == 2
    method.train_on(run)
    assert {entry["stage"] for entry in run.at.history if "consistency" in entry} == {1}


# folds


def test_folds_are_judged_by_learners_that_did_not_see_them(start: Start, blobs: Any) -> None:
    method = TwoStage(selector=Every(2), learner=Learner(), rounds=1, folds=3)
    run = start(method, blobs.x, blobs.y, recipe=RECIPE)
    judged: list[Tensor] = []
    predict = run.predict
    run.predict = lambda rows=None, net=None: (rows is not None and judged.append(rows), predict(rows, net))[1]
    method.train_on(run)
    fold = method.fold.numpy()
    *apart, final = method.learner.labels
    assert len(apart) == 3
    for k, labels in enumerate(apart):
        assert np.array_equal(labels, np.where(fold == k, -1, blobs.y))
    assert np.array_equal(final, every(blobs, 2))
    judged = [rows for rows in judged if len(rows) < (blobs.y >= 0).sum()]  # else all labels are watched
    assert [rows.tolist() for rows in judged] == [np.flatnonzero(fold == k).tolist() for k in range(3)]
    (asked,) = method.selector.asked
    assert np.array_equal(asked["probs"], method.out_of_fold)
    assert (asked["trained_on"] == -1).all()
    np.testing.assert_allclose(method.out_of_fold.sum(1), blobs.y >= 0, atol=1e-5)


def test_every_fold_and_the_final_learner_begin_afresh(start: Start, blobs: Any) -> None:
    method = TwoStage(selector=Every(2), learner=Learner(), rounds=1, folds=2)
    trained(start, blobs, method, validation=None)
    began, ended = ([parameters[0] for parameters in p] for p in (method.learner.began, method.learner.ended))
    assert len(began) == 3
    for i, weight in enumerate(began):
        assert abs(weight.mean()) < 0.5
        assert weight.std() == pytest.approx(1.0, abs=0.25)  # He-normal of two inputs
        for other in (*began[:i], *ended[:i]):
            assert (weight - other).abs().mean() > 0.5


@pytest.mark.parametrize(("few", "validated", "cut"), [(120, True, False), (121, True, True), (120, False, True)])
def test_labels_are_cut_into_folds_where_few_or_without_a_validation_set(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch, few: int, validated: bool, cut: bool
) -> None:
    assert (blobs.y >= 0).sum() == 120
    monkeypatch.setattr(two_stage, "FEW", few)
    method = TwoStage()
    start(method, blobs.x, blobs.y, validation=blobs.validation if validated else None)
    assert int(method.fold.max()) == (2 if cut else -1)
    assert len(method.out_of_fold) == (len(blobs.y) if cut else 0)


def test_a_network_that_knows_wrong_labels_by_heart_does_not_judge_them(start: Start) -> None:
    """Rows that are all alike but for a mark of their own: in one network no label is doubted, out of fold most are."""
    rng = np.random.default_rng(0)
    y_true = np.arange(120) % 2
    y = np.where(np.arange(120) % 6 < 2, 1 - y_true, y_true)  # a third is wrong
    group = np.eye(2)[y_true] + rng.normal(0, 0.1, (120, 2))
    x = np.concatenate([group, 3 * np.eye(120)], axis=1).astype(np.float32)
    validation = np.arange(120) >= 108
    shares = []
    for folds in (0, 3):
        method = TwoStage(learner=CrossEntropy(), rounds=1, folds=folds)
        run = start(method, x, y, recipe=replace(RECIPE, epochs=30), validation=validation)
        method.train_on(run)
        doubted = (method.kept < 0).numpy() & ~validation
        shares.append(doubted[y != y_true].sum() / (~validation & (y != y_true)).sum())
    in_sample, out_of_fold = shares
    assert in_sample < 0.2
    assert out_of_fold > 0.6


def test_labels_are_judged_by_all_rounds_of_folds_and_most_by_the_last(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[Tensor] = []
    cross_fit = TwoStage.cross_fit
    monkeypatch.setattr(TwoStage, "cross_fit", lambda m, run: (cross_fit(m, run), rounds.append(m.out_of_fold.clone())))
    method = TwoStage(selector=Every(2), learner=Learner(), rounds=2, folds=3)
    run = trained(start, blobs, method)
    probs, trained_on = method.evidence(run)
    given = torch.as_tensor(blobs.y >= 0)
    torch.testing.assert_close(probs[given], (0.25 * rounds[0] + 0.75 * rounds[1])[given])
    torch.testing.assert_close(probs[~given], run.predict()[~given])
    assert (trained_on == -1).all()


@pytest.mark.parametrize("rounds", [1, 3])
def test_without_folds_all_selections_and_the_end_count_the_same(
    start: Start, blobs: Any, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    seen: list[Tensor] = []
    clean = TwoStage.clean

    def watched(method: TwoStage, *args: Any) -> Tensor:
        seen.append(clean(method, *args))
        return seen[-1]

    monkeypatch.setattr(TwoStage, "clean", watched)
    method = TwoStage(selector=Every(2), learner=Learner(), rounds=rounds, folds=0)
    probs, trained_on = method.evidence(trained(start, blobs, method))
    assert len(seen) == rounds + 1
    torch.testing.assert_close(probs, torch.stack(seen).mean(0))
    torch.testing.assert_close(probs.sum(1), torch.ones(len(blobs.y)), atol=1e-4, rtol=0)
    assert (trained_on == -1).all()


@pytest.mark.parametrize("folds", [1, -2, "many", 2.5])
def test_folds_that_mean_nothing(start: Start, blobs: Any, folds: Any) -> None:
    with pytest.raises(InputError, match="folds="):
        start(TwoStage(folds=folds), blobs.x, blobs.y)


@pytest.mark.parametrize(("folds", "rounds"), [(0, 2), (3, 1), (2, 2)])
def test_the_stages_that_are_announced_are_those_that_come(start: Start, blobs: Any, folds: int, rounds: int) -> None:
    method = TwoStage(selector=Every(1), learner=Learner(), rounds=rounds, folds=folds)
    run = trained(start, blobs, method)
    assert run.at.stage + 1 == method.n_stages


# selectors


@pytest.fixture(scope="module")
def digits() -> Any:
    """600 digits, a sixth held out, a tenth without a label, a fifth of the labels wrong."""
    x, y_true = load_digits(return_X_y=True)
    y_true, rng = y_true[:600], np.random.default_rng(0)
    y = np.where(rng.random(600) < 0.2, (y_true + rng.integers(1, 10, 600)) % 10, y_true)
    y[-60:] = -1
    return SimpleNamespace(x=(x[:600] / 16).astype(np.float32), y=y, y_true=y_true, validation=np.arange(600) < 100)


@pytest.mark.parametrize("name", names("selectors"))
def test_every_selector_drops_mostly_wrong_labels(start: Start, digits: Any, name: str) -> None:
    params = {"threshold": 0.3} if name == "confidence" else {}  # the paper's 0.9 costs most rows their label
    method = TwoStage(find("selectors", name)(**params), CrossEntropy(), rounds=1)
    recipe = Recipe(epochs=15, batch_size=64, lr=0.01, schedule="constant")
    options = {"validation": digits.validation, "params": {"hidden": (64,)}, "normalize": "auto", "recipe": recipe}
    run = start(method, digits.x, digits.y, **options)
    method.train_on(run)
    given, wrong = digits.y >= 0, digits.y != digits.y_true
    kept = method.kept.numpy() >= 0
    assert not kept[~given].any()
    assert np.array_equal(method.kept.numpy()[kept], digits.y[kept])
    dropped = given & ~kept
    assert wrong[dropped].mean() > 0.5 > 2 * wrong[given].mean()
    assert dropped[given & wrong].mean() > 0.75
    assert kept[given & ~wrong].mean() > 0.75
    held_out = digits.validation & given
    assert wrong[held_out & dropped].mean() > 1.5 * wrong[held_out].mean() > 3 * wrong[held_out & kept].mean()
    assert np.isfinite(run.at.history[-1]["cross_entropy"])


def test_a_selector_is_given_what_it_needs_of_the_network_of_stage_1(start: Start, blobs: Any) -> None:
    class Curious(Every):
        needs = two_stage.SIGNALS

    method = TwoStage(selector=Curious(2), learner=Learner(), rounds=1)
    run = start(method, blobs.x, blobs.y, recipe=RECIPE, validation=blobs.validation)
    seen: dict[str, Any] = {}
    select = method.select

    def watched(run: Run) -> None:
        with evaluating(method.net):  # no dropout
            features = run.compute(method.net.features)
        seen.update({name: values.clone() for name, values in run.signals.of_one_run().items()})
        seen.update(probs=run.predict(), features=features / features.norm(dim=1, keepdim=True))
        assert run.signals.n_epochs == 3
        select(run)

    method.select = watched  # type: ignore[method-assign]
    method.train_on(run)
    assert len(method.out_of_fold) == 0  # agreement and margins are of one network
    for asked in method.selector.asked:
        assert asked.keys() == {"y", *two_stage.SIGNALS}
        assert np.array_equal(asked["trained_on"], blobs.y)
        for name, expected in seen.items():
            np.testing.assert_allclose(asked[name], expected, atol=1e-6)
    assert seen["features"].shape == (180, seen["features"].shape[1])
    assert seen["agreement"].max() == 1


@pytest.mark.parametrize(
    ("selector", "signal"), [(Agreement(), "agreement"), (Margin(), "margins"), (Neighbors(), "features")]
)
def test_a_selector_of_one_network_has_no_folds(start: Start, blobs: Any, selector: Any, signal: str) -> None:
    sentence = f"folds=3: {selector!r} judges by the {signal} of one network; give folds=0"
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        start(TwoStage(selector, folds=3), blobs.x, blobs.y)
    start(TwoStage(selector, folds=0), blobs.x, blobs.y)


@pytest.mark.parametrize("selector", [Agreement(), Margin()])
def test_epochs_that_nobody_watched_judge_no_label(start: Start, blobs: Any, selector: Any) -> None:
    run = start(TwoStage(selector), blobs.x, blobs.y, watch=False)
    with pytest.raises(InputError, match=r"\(\) judges by all epochs of the training: fit with watch=True"):
        run.module.train_on(run)
    assert run.at.stage == -1
    with pytest.raises(InputError, match="fit with watch=True"):
        NoisyLabelClassifier(TwoStage(selector), epochs=1).fit(blobs.x, blobs.y, watch=False)


def test_neighbors_need_a_network_with_features(start: Start, blobs: Any) -> None:
    def factory(input_shape: tuple[int, ...], n_classes: int) -> nn.Module:
        return nn.Linear(2, n_classes)

    with pytest.raises(InputError, match=r"Neighbors\(\) needs a network with `features`.* Linear has no `features`"):
        start(TwoStage(Neighbors()), blobs.x, blobs.y, model=factory)
    start(TwoStage(Agreement()), blobs.x, blobs.y, model=factory)


def test_a_selector_of_something_that_there_is_not(start: Start, blobs: Any) -> None:
    class Oracle(Every):
        needs = ("probs", "truth")

    with pytest.raises(
        InputError, match="Oracle needs `truth`, which two_stage does not provide; use one of agreement"
    ):
        start(TwoStage(Oracle()), blobs.x, blobs.y)
