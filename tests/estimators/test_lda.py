"""Shrunk linear discriminant analysis beside scikit-learn's covariance, and its symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf

from goldvein.estimators.lda import ShrunkLDA


def drawn(n: int = 60, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 2.0 * np.eye(3, d)[y] + 50, y


def test_covariance_is_that_of_ledoit_and_wolf() -> None:
    x, y = drawn()
    model = ShrunkLDA().fit(x, y)
    covariance, shrinkage = ledoit_wolf(x - model.means_[y], assume_centered=True)
    np.testing.assert_allclose(model.covariance_, covariance, rtol=1e-9)
    assert model.shrinkage_ == pytest.approx(shrinkage)


def test_probabilities_are_those_of_gaussians() -> None:
    x, y = drawn()
    x, y = x[:50], y[:50]  # 17, 17 and 16 of a class
    model = ShrunkLDA().fit(x, y)
    log = np.stack([multivariate_normal.logpdf(x, mean, model.covariance_) for mean in model.means_], axis=1)
    np.testing.assert_allclose(model.predict_proba(x), softmax(log + np.log([18 / 53, 18 / 53, 17 / 53]), axis=1))


def test_soft_labels_are_weighted_copies() -> None:
    x, y = drawn()
    soft = 0.25 + 0.25 * np.eye(3)[y]
    rows, k = np.repeat(np.arange(60), 4), np.concatenate([[*range(3), c] for c in y])  # the given class twice
    model = ShrunkLDA().fit(x, soft)
    means = np.stack([x[rows[k == c]].mean(0) for c in range(3)])
    np.testing.assert_allclose(model.means_, means)


def test_rows_without_a_label_change_nothing() -> None:
    x, y = drawn()
    more = np.r_[x, 100 * np.ones((5, 6))]
    np.testing.assert_allclose(
        ShrunkLDA().fit(more, np.r_[y, [-1] * 5]).predict_proba(x), ShrunkLDA().fit(x, y).predict_proba(x), rtol=1e-6
    )


def test_equal_rows_and_more_columns_than_rows() -> None:
    model = ShrunkLDA().fit(np.repeat(np.eye(2), 3, axis=0), np.repeat([0, 1], 3))
    assert model.predict([[1, 0], [0, 1]]).tolist() == [0, 1]
    x = np.random.default_rng(0).normal(size=(10, 40))
    assert np.isfinite(ShrunkLDA().fit(x, np.arange(10) % 2).predict_proba(x)).all()


def test_a_class_without_a_label_has_probability_zero() -> None:
    x, y = drawn()
    soft = np.c_[np.eye(3)[y], np.zeros(60)]
    assert (ShrunkLDA().fit(x, soft).predict_proba(x)[:, 3] == 0).all()
