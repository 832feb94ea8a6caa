"""Two distributions of one number a label."""

from __future__ import annotations

import numpy as np
import pytest

from goldvein.metrics import calibration_error
from goldvein.noise.mixture import p_wrong_by_score


def drawn(shares: list[float], n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % len(shares)
    wrong = rng.random(n) < np.array(shares)[y]
    return y, np.where(wrong, rng.normal(-0.3, 0.2, n), rng.normal(0.4, 0.2, n)), wrong


def test_it_is_calibrated_in_classes_of_different_noise() -> None:
    y, score, wrong = drawn([0.02, 0.1, 0.4])
    p = p_wrong_by_score(y, score, edge=0.0)
    for c in range(3):
        assert p[y == c].mean() == pytest.approx(wrong[y == c].mean(), abs=0.02)
        assert calibration_error(p[y == c], wrong[y == c]) < 0.03


def test_it_falls_with_the_score_within_a_class() -> None:
    y, score, _ = drawn([0.1, 0.3])
    p = p_wrong_by_score(y, score, edge=0.0)
    for c in range(2):
        order = np.argsort(score[y == c])
        assert (np.diff(p[y == c][order]) <= 1e-12).all()


def test_nothing_below_the_edge_is_nothing_wrong() -> None:
    assert p_wrong_by_score(np.array([0, 1]), np.array([0.2, 0.3]), edge=0.1).tolist() == [0.0, 0.0]


def test_a_sample_stands_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    y, score, _ = drawn([0.1, 0.3], n=20_000)
    whole = p_wrong_by_score(y, score, edge=0.0)
    monkeypatch.setattr("goldvein.noise.mixture.SAMPLE", 10_000)
    np.testing.assert_allclose(p_wrong_by_score(y, score, edge=0.0), whole, atol=0.1)
