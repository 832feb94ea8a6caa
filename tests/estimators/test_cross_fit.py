"""Soft labels for any classifier, and folds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from goldvein.estimators._cross_fit import FittedOn, cross_fit, deal_folds, expand, likeliest, one_hot, takes_weights


def two_groups(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return rng.normal(0, 1, (n, 2)) + 4 * y[:, None], y


def test_expanded_weights_are_the_soft_label() -> None:
    soft = np.array([[0.5, 0.3, 0.15, 0.05], [1.0, 0, 0, 0], [0.9995, 0.0005, 0, 0]])
    rows, y, weights = expand(soft)
    assert rows.tolist() == [0, 0, 0, 1, 2]  # the three likeliest classes; less than a thousandth is left out
    assert y.tolist() == [0, 1, 2, 0, 0]
    np.testing.assert_allclose(weights, [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 1, 1])


def test_rows_without_a_likely_class_are_left_out_where_there_are_no_weights() -> None:
    rows, y, weights = likeliest(np.array([[0.4, 0.3, 0.3], [0.1, 0.6, 0.3], [0.0, 0.0, 0.0]]))
    assert (rows.tolist(), y.tolist(), weights.tolist()) == ([1], [1], [1.0])


def test_hard_labels_are_the_plain_fit() -> None:
    x, y = two_groups()
    plain = LogisticRegression().fit(x, y).predict_proba(x)
    np.testing.assert_allclose(FittedOn(LogisticRegression(), x, one_hot(y, 2)).predict_proba(x), plain, atol=1e-6)


def test_soft_labels_are_weighted_copies() -> None:
    x, y = two_groups()
    soft = np.where(one_hot(y, 2) == 1, 0.7, 0.3)
    twice = LogisticRegression().fit(np.r_[x, x], np.r_[y, 1 - y], sample_weight=np.repeat([0.7, 0.3], len(x)))
    found = FittedOn(LogisticRegression(), x, soft).predict_proba(x)
    np.testing.assert_allclose(found, twice.predict_proba(x), atol=1e-4)


@pytest.mark.parametrize(
    "classifier",
    [SVC(), KNeighborsClassifier(3), make_pipeline(StandardScaler(), LogisticRegression()), LogisticRegression()],
)
def test_probabilities_have_a_column_for_each_class(classifier: object) -> None:
    x, y = two_groups()
    probs = FittedOn(classifier, x, one_hot(y * 2, 4)).predict_proba(x)  # classes 1 and 3 have no label
    assert probs.shape == (60, 4)
    np.testing.assert_allclose(probs.sum(1), 1, atol=1e-6)
    assert (probs[:, [1, 3]] == 0).all()
    assert (probs.argmax(1) == y * 2).mean() > 0.95


def test_one_class_alone() -> None:
    x, y = two_groups()
    probs = FittedOn(SVC(), x, one_hot(y * 0 + 1, 3)).predict_proba(x)
    assert (probs == [0, 1, 0]).all()


@pytest.mark.parametrize("kind", ["array", "sparse", "frame"])
def test_each_row_is_judged_by_a_classifier_that_has_not_seen_it(kind: str) -> None:
    n = 40
    x = np.eye(n)  # each row is alone, so nothing can be known of a row that was not seen
    y = np.arange(n) % 2
    rows = {"array": x, "sparse": csr_matrix(x), "frame": pd.DataFrame(x, index=np.arange(n) + 100)}[kind]
    fold = deal_folds(y, 4, np.random.default_rng(0))
    probs = cross_fit(LogisticRegression(C=100.0), rows, one_hot(y, 2), fold)
    np.testing.assert_allclose(probs, 0.5, atol=0.05)
    seen = FittedOn(LogisticRegression(C=100.0), rows, one_hot(y, 2)).predict_proba(rows)
    assert (seen[np.arange(n), y] > 0.9).all()


def test_rows_without_a_label_get_the_mean_over_the_folds() -> None:
    x, y = two_groups()
    y = np.where(np.arange(60) < 10, -1, y)
    probs = cross_fit(LogisticRegression(), x, one_hot(y, 2), deal_folds(y, 3, np.random.default_rng(0)))
    np.testing.assert_allclose(probs.sum(1), 1, atol=1e-9)
    assert (probs[:10].argmax(1) == np.arange(10) % 2).all()


def test_folds_are_dealt_evenly_and_at_random() -> None:
    y = np.repeat([0, 1, 2, -1], [10, 7, 3, 5])
    fold = deal_folds(y, 5, np.random.default_rng(0))
    assert (fold[y == -1] == -1).all()
    assert np.bincount(fold[y == 0]).tolist() == [2] * 5
    assert np.ptp(np.bincount(fold[y >= 0], minlength=5)) <= 1
    assert not np.array_equal(fold, deal_folds(y, 5, np.random.default_rng(1)))
    assert not (np.diff(fold[y == 0]) >= 0).all()  # shuffled


def test_a_pipeline_takes_weights_if_its_last_step_does() -> None:
    assert takes_weights(make_pipeline(StandardScaler(), SVC()))
    assert not takes_weights(make_pipeline(StandardScaler(), KNeighborsClassifier()))
