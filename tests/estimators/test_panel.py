"""The panel: what is mixed, what is left out, and that it says so."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from goldvein import InputError
from goldvein.estimators._members import default_members
from goldvein.estimators._tasks import run_tasks
from goldvein.estimators.panel import Panel, fit_temper, given_likelihood, stack


def noisy(n: int = 300, d: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    true = np.arange(n) % 3
    x = rng.normal(0, 1, (n, d)) + 4.0 * np.eye(3, d)[true]
    return x, np.where(rng.random(n) < 0.2, (true + 1) % 3, true), true


class Slow(LogisticRegression):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        time.sleep(0.5)
        return super().fit(X, y, sample_weight)


class Broken(ClassifierMixin, BaseEstimator):
    def fit(self, X: Any, y: Any) -> Any:
        raise ValueError("no convergence\nin this life")


def test_weights_are_those_of_the_likelihood() -> None:
    # two members that know half of the rows each, and one that knows none: by symmetry, the first two are equal
    likely = np.full((3, 1000), 0.5)
    likely[0, :500] = likely[1, 500:] = 0.9
    w = stack(likely)
    assert w.sum() == pytest.approx(1)
    assert w[0] == pytest.approx(w[1], abs=1e-6)
    assert w[2] < 0.05

    def posterior(v: np.ndarray) -> float:
        return float(np.log(v @ likely).sum() + 0.5 * np.sqrt(1000) / 3 * np.log(v).sum())

    for change in ((0.01, -0.01, 0), (-0.01, 0, 0.01), (0, 0.01, -0.01)):
        assert posterior(w) > posterior(w + np.array(change))


def test_temperature_and_rate_are_found() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.3] * 4, 20_000)
    given = (p.cumsum(1) > rng.random((20_000, 1))).argmax(1)
    given = np.where(rng.random(20_000) < 0.3, rng.integers(0, 4, 20_000), given)
    flat = p**0.5 / (p**0.5).sum(1, keepdims=True)  # s = 2 gives p back
    s, rate = fit_temper(given, flat)
    assert s == pytest.approx(2, abs=0.15)
    assert rate == pytest.approx(0.3, abs=0.02)
    likelihood = given_likelihood(np.array([1]), np.array([[0.2, 0.8]]), 0.3)
    assert likelihood == pytest.approx([0.7 * 0.8 + 0.15])


def test_the_better_member_has_the_weight() -> None:
    x, y, true = noisy(600)
    panel = Panel({"bayes": GaussianNB(), "constant": DummyClassifier(strategy="prior")}, random_state=0).fit(x, y)
    found = panel.candidates_.set_index("name")
    assert found.weight["bayes"] == pytest.approx(1)
    assert found.note["constant"].startswith("left out: agrees with ")
    assert np.isnan(found.log_likelihood["constant"])
    assert panel.choice_.startswith("bayes was chosen: unseen given labels have log-likelihood -0.")
    assert (panel.predict(x) == true).mean() > 0.97


def test_what_was_chosen_is_said() -> None:
    x, y, _ = noisy()
    panel = Panel({"linear": LogisticRegression(), "kernel": SVC()}, random_state=0).fit(x, y)
    weights = panel.candidates_.weight.sort_values(ascending=False)
    assert f"{weights.iloc[0]:.0%}" in panel.choice_
    assert "were mixed: unseen given labels have log-likelihood" in panel.choice_


def test_a_member_that_fails_is_named_and_left_out() -> None:
    x, y, true = noisy()
    panel = Panel({"broken": Broken(), "linear": LogisticRegression()}, random_state=0).fit(x, y)
    assert panel.candidates_.note.tolist() == ["failed: no convergence", ""]
    assert (panel.predict(x) == true).mean() > 0.97
    with pytest.raises(InputError, match="no classifier can be fitted to these rows: failed: no convergence"):
        Panel({"broken": Broken()}).fit(x, y)


def test_the_slowest_member_goes_first_when_time_is_short() -> None:
    x, y, _ = noisy()
    members = {"linear": LogisticRegression(), "slow": Slow()}
    panel = Panel(members, time_limit=2.0, random_state=0).fit(x, y)  # it would take .5 s for each of 7 fits
    assert panel.candidates_.note.tolist() == ["", "left out: time limit"]
    assert panel.candidates_.weight.tolist() == [1, 0]


def test_rows_without_a_label_are_predicted() -> None:
    x, y, true = noisy()
    y = np.where(np.arange(300) < 100, y, -1)
    panel = Panel(random_state=0).fit(x, y)
    np.testing.assert_allclose(panel.probs_.sum(1), 1)
    np.testing.assert_array_equal(panel.probs_[100:], panel.predict_proba(x[100:]))
    assert (panel.probs_[100:].argmax(1) == true[100:]).mean() > 0.97
    assert (panel.soft_labels_[100:] == 0).all()


def test_trusted_labels_stay() -> None:
    x, y, _ = noisy()
    trusted = np.arange(300) < 50
    panel = Panel({"linear": LogisticRegression()}, random_state=0).fit(x, y, trusted=trusted)
    np.testing.assert_array_equal(panel.soft_labels_[:50], np.eye(3)[y[:50]])


def test_members_depend_on_the_rows() -> None:
    x, _, _ = noisy(200, 400)
    names = list(default_members(x, 200, 3, 0))
    assert names == ["logistic_regression", "lda", "graph", "svm", "extra_trees", "random_forest"]
    assert list(default_members(x[:, :9], 200, 3, 0)) == [*names, "boosting"]
    assert list(default_members(x[:, :9], 100, 3, 0)) == names
    words = (np.random.default_rng(0).random((200, 30)) < 0.05).astype(float)
    assert list(default_members(words, 200, 3, 0))[:3] == ["logistic_regression", "naive_bayes", "lda"]
    assert "extra_trees" not in default_members(words, 200, 3, 0)
    assert "svm" not in default_members(x[:, :3], 20_000, 3, 0)


def test_tasks_on_several_cores_give_the_same() -> None:
    tasks = [(i, 2) for i in range(5)]
    alone, together = run_tasks(pow, tasks, 0.0), run_tasks(pow, tasks, 1e6)
    assert [r for r, _ in alone] == [r for r, _ in together] == [0, 1, 4, 9, 16]
    [(error, _)] = run_tasks(divmod, [(1, 0)], 0.0)
    assert isinstance(error, ZeroDivisionError)
