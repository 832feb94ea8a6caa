"""scikit-learn classifiers in place of networks, by NoisyLabelClassifier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from goldvein import InputError, NoisyLabelClassifier
from goldvein.estimators import CLASSIFIERS, find_learner


def noisy(n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    true = np.arange(n) % 3
    x = rng.normal(0, 1, (n, 4)) + 5.0 * np.eye(4)[true]
    return x, np.where(rng.random(n) < 0.2, (true + 1) % 3, true), true


@pytest.mark.parametrize(
    "options",
    [
        {"model": SVC()},
        {"model": make_pipeline(StandardScaler(), LogisticRegression())},
        {"model": "logistic_regression", "model_params": {"C": 0.1}},
        {"model": "sklearn.naive_bayes:GaussianNB"},
        {},
    ],
    ids=str,
)
def test_any_classifier_finds_the_wrong_labels(options: dict[str, Any]) -> None:
    x, y, true = noisy()
    model = NoisyLabelClassifier(random_state=0, **options).fit(x, y)
    assert (model.predict(x) == true).mean() > 0.98
    assert model.predict_proba(x).shape == (300, 3)
    table = model.label_issues()
    found = table["id"][table["is_issue"]].to_numpy()
    assert len(np.intersect1d(found, np.flatnonzero(y != true))) > 0.9 * (y != true).sum()
    assert (y != true)[found].mean() > 0.9
    low, high = model.audit().n_wrong_interval
    assert low <= (y != true).sum() <= high


@pytest.mark.parametrize("kind", [pd.DataFrame, csr_matrix])
def test_frames_and_sparse_matrices_go_to_the_classifier_as_they_are(kind: Any) -> None:
    x, y, true = noisy()
    rows = kind(x)
    if isinstance(rows, pd.DataFrame):
        rows.columns = list("abcd")
    names = np.array(["ant", "bee", None], dtype=object)[y]
    model = NoisyLabelClassifier(model=LogisticRegression(), random_state=0).fit(rows, names)
    assert model.classes_.tolist() == ["ant", "bee"]
    assert (model.predict(rows)[true < 2] == np.array(["ant", "bee", "-"])[true][true < 2]).mean() > 0.95
    assert model.n_features_in_ == 4


def test_trusted_labels_are_not_listed() -> None:
    x, y, _ = noisy()
    trusted = np.arange(300) < 100
    model = NoisyLabelClassifier(model=SVC(), random_state=0).fit(x, y, trusted=trusted)
    table = model.label_issues()
    assert not table["is_issue"][table["id"] < 100].any()
    assert (model.learner_.soft_labels_[np.arange(100), y[:100]] == 1).all()


def test_the_same_seed_gives_the_same_model() -> None:
    x, y, _ = noisy()
    first, again = (NoisyLabelClassifier(random_state=3).fit(x, y).predict_proba(x) for _ in range(2))
    np.testing.assert_array_equal(first, again)


class Majority(ClassifierMixin, BaseEstimator):
    """A classifier of another package."""

    def fit(self, X: Any, y: Any) -> Any:
        self.classes_, counts = np.unique(y, return_counts=True)
        self.share_ = counts / counts.sum()
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[self.share_.argmax()])

    def predict_proba(self, X: Any) -> Any:
        return np.tile(self.share_, (len(X), 1))


def test_a_classifier_of_another_package_by_its_full_name() -> None:
    x, y, _ = noisy()
    model = NoisyLabelClassifier(model=f"{__name__}:Majority", random_state=0).fit(x, y)
    assert len(np.unique(model.predict(x))) == 1


def test_cells_that_are_no_numbers() -> None:
    x, y, _ = noisy(30)
    x[4, 1] = np.nan
    for options in ({}, {"model": "svm"}, {"method": "cross_entropy"}):
        with pytest.raises(InputError, match="X holds NaN or infinity, the first in row 4: fill such cells"):
            NoisyLabelClassifier(**options).fit(x, y)


def test_names_are_those_of_scikit_learn() -> None:
    for name in CLASSIFIERS:
        learner = find_learner("auto", name, None, 0)
        assert learner is not None
        assert learner.describe() == CLASSIFIERS[name].partition(":")[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "umn", "model": SVC()}, "method='umn' trains networks, and SVC is none: leave one out"),
        ({"model": SVC(), "epochs": 3}, "epochs is for networks, and SVC is none: leave it out"),
        ({"model": "random_forst"}, "unknown model 'random_forst': did you mean 'random_forest'?"),
        ({"model": "random_forest", "model_params": {"trees": 3}}, "model_params={'trees': 3}: "),
    ],
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    x, y, _ = noisy(30)
    with pytest.raises(InputError) as caught:
        NoisyLabelClassifier(**options).fit(x, y)
    assert str(caught.value).startswith(message)


def test_what_is_for_networks_alone() -> None:
    x, y, _ = noisy(30)
    with pytest.raises(InputError, match=r"^X_test is for networks, and RandomForestClassifier is none: leave it out$"):
        NoisyLabelClassifier(model=RandomForestClassifier()).fit(x, y, X_test=x, y_test=y)


def test_weights_of_rows_and_classes() -> None:
    x, y, _ = noisy()
    heavy = np.where(y == 0, 1e-6, 1.0)
    for model in ("auto", "logistic_regression", "lda"):
        fit = NoisyLabelClassifier(model=model, random_state=0).fit
        light = fit(x, y, sample_weight=heavy).predict(x)
        # where only rows of class 0 are near, trees and Gaussians name it all the same
        assert (light != 0).all() or model != "logistic_regression"
        weights = fit(x, y, class_weight={0: 1e-6}).predict_proba(x)
        np.testing.assert_allclose(weights, fit(x, y, sample_weight=heavy).predict_proba(x), atol=1e-6)
    minus = np.where(np.arange(300) == 7, -1, 1)
    for options, message in (
        ({"sample_weight": [1, 2]}, "sample_weight has shape (2,): give one weight for each of the 300 rows"),
        ({"sample_weight": minus}, "the weight of row 7 is -1.0: give a number of at least 0"),
        ({"class_weight": "even"}, "class_weight='even': give 'balanced', or a dict of label to weight"),
        ({"class_weight": {9: 2}}, "unknown class 9"),
    ):
        with pytest.raises(InputError) as caught:
            NoisyLabelClassifier(model="lda").fit(x, y, **options)
        assert str(caught.value).startswith(message)
    with pytest.raises(InputError, match="KNeighborsClassifier takes no sample_weight in fit: leave it out"):
        NoisyLabelClassifier(model="nearest_neighbors").fit(x, y, class_weight="balanced")
    with pytest.raises(InputError, match="are for classifiers, and not for networks: leave them out"):
        NoisyLabelClassifier("cross_entropy").fit(x, y, class_weight="balanced")
