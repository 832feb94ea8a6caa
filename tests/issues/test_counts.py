"""The number of wrong labels: intervals by hand, and how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from goldvein.issues import audit
from goldvein.issues.counts import MISFIT, _quantile, count_wrong
from goldvein.noise import synthetic as noise


def test_the_interval_has_five_percent_on_each_side() -> None:
    p_wrong = np.full(400, 0.5)
    found = count_wrong(np.zeros(400, dtype=int), p_wrong, 1)
    deviation = np.sqrt(400 * 0.25 + (MISFIT * 200) ** 2)
    np.testing.assert_allclose(found.total, [200 + z * deviation for z in (norm.ppf(0.05), norm.ppf(0.95))], rtol=1e-6)


def test_a_mixture_reaches_from_one_reading_to_the_other() -> None:
    mean, variance = np.array([[0.0], [100.0]]), np.array([[0.0], [1.0]])
    ends = [_quantile(level, np.array([0.5, 0.5]), mean, variance, np.array([500.0]))[0] for level in (0.05, 0.95)]
    assert ends[0] == 0.0
    assert ends[1] == pytest.approx(100 + norm.ppf(0.9), abs=1e-6)


def test_the_interval_holds_as_often_as_it_says() -> None:
    """Overlapping classes with symmetric noise, where T is all that is unknown: 90 % of the intervals hold."""
    inside = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        logits = 2.5 * rng.normal(size=(1000, 3))
        clean = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        y_true = (rng.random((1000, 1)) > clean.cumsum(1)).sum(1)
        y = noise.corrupt(y_true, noise.transition("symmetric", 3, 0.2), seed)
        low, high = audit(y, np.arange(3), clean).n_wrong_interval
        inside.append(low <= (y != y_true).sum() <= high)
    assert np.mean(inside) >= 0.85


def test_no_wrong_label_among_few_held_out_ones_means_that_there_may_be_some() -> None:
    found = count_wrong(np.zeros(1000, dtype=int), np.zeros(1000), 1, held_out=np.arange(1000) < 28)
    # one wrong label and one right one more: 1 of 30
    deviation = 1000 * np.sqrt(1 / 30 * 29 / 30 / 30)
    np.testing.assert_allclose(found.total, [0, norm.ppf(0.95) * deviation], atol=1e-3)
    assert count_wrong(np.zeros(1000, dtype=int), np.zeros(1000), 1).total[1] < 1
