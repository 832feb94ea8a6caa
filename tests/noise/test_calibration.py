"""Noise taken out of probabilities, on cases by hand and by trying all answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldvein.noise.calibration import CLOSE, Inputs, without_noise

PAIRS = 0.6 * np.eye(3) + 0.4 * np.roll(np.eye(3), 1, axis=1)


def taken_out(q: np.ndarray, T: np.ndarray) -> np.ndarray:
    return without_noise(q, T, np.linalg.inv(T))


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.floats(0, 0.45))
def test_it_is_the_inverse_where_there_is_one(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    T = (1 - rate) * np.eye(4) + rate * rng.dirichlet(np.ones(4), 4)
    p = rng.dirichlet(np.ones(4), 20)
    np.testing.assert_allclose(taken_out(p @ T, T), p, atol=1e-6)


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_elsewhere_the_labels_are_nearly_as_likely_as_they_can_be(seed: int) -> None:
    q = np.random.default_rng(seed).dirichlet(np.ones(3), 5)
    steps = np.linspace(0, 1, 101)
    every = np.array([(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1 + 1e-12]).clip(0)
    most = (q @ np.log(np.maximum(every @ PAIRS, 1e-12)).T).max(1)
    p = taken_out(q, PAIRS)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-9)
    assert (p >= 0).all()
    found = (q * np.log(np.maximum(p @ PAIRS, 1e-12))).sum(1)
    assert (found >= most - max(CLOSE, 0.01)).all()


def test_negative_entries_are_not_spread_over_the_other_classes() -> None:
    q = np.array([[0.45, 0.53, 0.02]])
    assert (q @ np.linalg.inv(PAIRS)).min() < -0.15
    # the derivative of .45 log(.6 a) + .53 log(.6 - .2 a) + .02 log(.4 - .4 a) is 0 at a = .9157
    np.testing.assert_allclose(taken_out(q, PAIRS), [[0.9157, 0.0843, 0]], atol=0.01)  # cut off: (.74, .26, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inputs_keep_the_precision(dtype: type) -> None:
    q = np.array([[0.45, 0.53, 0.02], [0.6, 0.4, 0.0]], dtype=dtype)
    inputs = Inputs(1e-3, PAIRS, np.linalg.inv(PAIRS))
    assert inputs.logs(q).dtype == dtype
    assert np.exp(inputs.logs(q)[1]).argmax() == 0
    assert taken_out(np.zeros((0, 3), dtype), PAIRS).shape == (0, 3)
