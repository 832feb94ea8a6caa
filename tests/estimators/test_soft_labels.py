"""Training on the probable true classes: by hand, and against plain training."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from goldvein import InputError
from goldvein.estimators.panel import Panel, given_likelihood, stack, temper
from goldvein.estimators.soft_labels import SoftLabels, judge


def noisy(n: int = 400, rate: float = 0.25, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = np.arange(n) % 4
    x = rng.normal(0, 1, (n, 4)) + 3.0 * np.eye(4)[true]
    y = np.where(rng.random(n) < rate, (true + rng.integers(1, 4, n)) % 4, true)
    return x, y, true


@pytest.mark.parametrize("learner", [SoftLabels(RandomForestClassifier(50, random_state=0)), Panel()])
def test_it_finds_the_wrong_labels_and_beats_the_forest(learner: object) -> None:
    x, y, true = noisy()
    new, _, right = noisy(1000, 0, 1)
    model = clone(learner).set_params(random_state=0).fit(x, y)
    wrong = y != true
    found = model.soft_labels_[np.arange(len(y)), y] < 0.5
    assert (found & wrong).sum() > 0.7 * wrong.sum()
    assert (found & ~wrong).sum() < 0.2 * found.sum()
    forest = RandomForestClassifier(50, random_state=0).fit(x, y)
    assert (model.predict(new) == right).mean() > (forest.predict(new) == right).mean() + 0.05


def test_without_noise_the_soft_labels_are_the_labels() -> None:
    x, y, _ = noisy(rate=0)
    model = SoftLabels(LogisticRegression(), random_state=0).fit(x, y)
    assert model.soft_labels_[np.arange(len(y)), y].min() > 0.5
    np.testing.assert_array_equal(model.predict(x), LogisticRegression().fit(x, y).predict(x))


def test_trusted_labels_stay_as_they_are() -> None:
    x, y, true = noisy()
    rows = np.flatnonzero(y != true)[:10]
    trusted = np.isin(np.arange(len(y)), rows)
    model = SoftLabels(LogisticRegression(), random_state=0).fit(x, y, trusted=trusted)
    assert (model.soft_labels_[rows, y[rows]] == 1).all()
    _, soft = judge(y, model.probs_, trusted)
    assert (soft[rows, y[rows]] == 1).all()


def test_missing_labels_and_names() -> None:
    x, y, true = noisy()
    names = np.array(["ant", "bee", "cat", "dog"], dtype=object)[y]
    names[::3] = None
    model = SoftLabels(KNeighborsClassifier(), random_state=0).fit(x, names)
    assert (model.soft_labels_[::3] == 0).all()
    plain = KNeighborsClassifier().fit(x[names != None], names[names != None].astype(str))  # noqa: E711
    right = np.array(["ant", "bee", "cat", "dog"])[true]
    assert (model.predict(x) == right).mean() > (plain.predict(x) == right).mean() + 0.02


def test_weights_of_rows_count() -> None:
    x, y, _ = noisy(rate=0)
    weight = np.where(y == 0, 1e-6, 1.0)
    model = SoftLabels(LogisticRegression(), random_state=0).fit(x, y, sample_weight=weight)
    assert (model.predict(x) != 0).all()


@pytest.mark.parametrize("learner", [SoftLabels, Panel])
def test_one_fold_is_refused(learner: type) -> None:
    with pytest.raises(InputError, match=r"^folds=1: give at least 2, since each row is judged without its own label$"):
        learner(folds=1).fit([[0.0], [1.0]], [0, 1])


def test_a_hopeless_member_is_left_out() -> None:
    x, y, _ = noisy()

    class Blind(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            return super().fit(np.zeros_like(X), y, sample_weight)

    panel = Panel({"linear": LogisticRegression(), "blind": Blind()}, random_state=0).fit(x, y)
    found = panel.candidates_.set_index("name")
    assert found.loc["linear", "weight"] == 1
    assert found.loc["blind", "weight"] == 0
    assert np.isnan(found.loc["blind", "log_likelihood"])
    np.testing.assert_allclose(panel.predict_proba(x).sum(1), 1, atol=1e-9)


def test_formulas_by_hand() -> None:
    p = temper(np.array([[0.8, 0.2]]), 2.0)
    np.testing.assert_allclose(p, [[0.64 / 0.68, 0.04 / 0.68]])
    np.testing.assert_allclose(given_likelihood(np.array([1]), p, 0.3), 0.7 * 0.04 / 0.68 + 0.15)
    # equal members share the weight; a prior of .5 sqrt(100) / 2 labels for each of two is 2.5 of 105
    np.testing.assert_allclose(stack(np.full((2, 100), 0.3)), 0.5)
    found = stack(np.array([[1.0] * 100, [1e-9] * 100]))
    np.testing.assert_allclose(found, [102.5 / 105, 2.5 / 105], atol=1e-6)
