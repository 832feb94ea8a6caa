"""The noise model on known noise, and its parts on small cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldvein.noise import synthetic as noise
from goldvein.noise.calibration import Calibration, Inputs
from goldvein.noise.class_noise import Reading
from goldvein.noise.model import JUDGMENT, NoiseModel, blocks, fit_noise_model

T3 = np.array([[0.8, 0.2, 0.0], [0.1, 0.9, 0.0], [0.0, 0.3, 0.7]])


def by_hand(
    T: np.ndarray, slope: float = 1.0, bias: tuple[float, ...] = (0, 0, 0), inverse: bool = False
) -> NoiseModel:
    """A model of one reading."""
    inputs = Inputs(1e-6, T, np.linalg.inv(T)) if inverse else Inputs(1e-6)
    calibration = Calibration(inputs, slope, np.array(bias, dtype=float))
    reading = Reading("by class", calibration, T, 0.0, 0.0, np.zeros(0), np.zeros((0, 0)))
    return NoiseModel((reading,), np.ones(1), len(T), np.arange(len(T)), evidence={"by class": 1.0})


def test_bayes_by_hand() -> None:
    model = by_hand(T3)
    probs = np.array([[0.5, 0.4, 0.1], [0.2, 0.2, 0.6]])
    right = model.p_right(np.array([1, 2]), probs)
    assert right[0] == pytest.approx(0.4 * 0.9 / (0.5 * 0.2 + 0.4 * 0.9 + 0.1 * 0.3), rel=1e-5)
    assert right[1] == pytest.approx(1.0, abs=1e-5)  # only class 2 is labeled 2
    q = model.p_true(np.array([1, -1]), probs)
    assert q[0] == pytest.approx(np.array([0.1, 0.36, 0.03]) / 0.49, rel=1e-4)
    assert q[1] == pytest.approx(probs[1], rel=1e-4)


def test_clean_probabilities_have_no_noise() -> None:
    clean = np.array([[0.7, 0.2, 0.1], [0.05, 0.05, 0.9]])
    model = by_hand(T3, inverse=True)
    np.testing.assert_allclose(model.clean_probs(clean @ T3), clean, rtol=1e-4)


def test_temperature_and_bias() -> None:
    model = by_hand(np.eye(2), 2.0, (0.0, np.log(3)))
    np.testing.assert_allclose(model.clean_probs(np.array([[0.6, 0.4]])), [[0.36 / 0.84, 0.48 / 0.84]], rtol=1e-4)


def test_blocks_do_not_change_the_result() -> None:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), 200_000).astype(np.float32)
    y = rng.integers(0, 3, 200_000)
    model = by_hand(T3, 1.3, (0.1, 0.0, -0.1), inverse=True)
    assert len(list(blocks(probs))) > 1
    whole = model.p_true(y, probs)[np.arange(len(y)), y]
    np.testing.assert_allclose(model.p_right(y, probs), whole, rtol=1e-4, atol=1e-6)


@settings(max_examples=6)
@given(st.integers(0, 2**32), st.sampled_from(["symmetric", "pair"]), st.floats(0.05, 0.35))
def test_the_transition_is_found(seed: int, kind: str, rate: float) -> None:
    rng = np.random.default_rng(seed)
    T = noise.transition(kind, 4, rate)
    y_true = rng.integers(0, 4, 8000)
    clean = 0.9 * np.eye(4)[y_true] + 0.1 * rng.dirichlet(np.ones(4), 8000)
    y = noise.corrupt(y_true, T, seed % 2**31)
    for mixed in (False, None):
        model = fit_noise_model(y, clean, mixed=mixed)
        np.testing.assert_allclose(model.transition, T, atol=0.06)
        np.testing.assert_allclose(model.transition.sum(1), 1)
        assert model.evidence[kind] + model.evidence["look-alike"] > 0.9  # the shape of pairs shows in the confusions


def test_classes_that_look_alike_are_not_mistaken_for_wrong_labels() -> None:
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 3, 30_000)
    alike = rng.random(30_000) < 0.3  # of classes 0 and 1, which then cannot be model apart
    y_true[alike & (y_true < 2)] = rng.integers(0, 2, int((alike & (y_true < 2)).sum()))
    clean = 0.97 * np.eye(3)[y_true] + 0.01
    clean[alike & (y_true < 2)] = [0.49, 0.49, 0.02]
    model = fit_noise_model(y_true, clean)
    assert 1 - np.diag(model.transition).min() < 0.02


@pytest.mark.parametrize("n", [30, 300])
def test_one_class_is_never_wrong(n: int) -> None:
    model = fit_noise_model(np.zeros(n, dtype=int), np.ones((n, 1)))
    assert model.transition.tolist() == [[1.0]]
    assert (model.p_right(np.zeros(n, dtype=int), np.ones((n, 1))) == 1).all()


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from(["symmetric", "pair"]))
def test_a_review_of_the_worst_labels_does_not_hide_the_rest(seed: int, kind: str) -> None:
    """A reviewer who takes the most suspicious labels first leaves few wrong ones; T is still that of all labels."""
    rng = np.random.default_rng(seed)
    T = noise.transition(kind, 4, 0.3)
    y_true = rng.integers(0, 4, 8000)
    sharp = rng.beta(2, 1, 8000)[:, None]  # rows are easy or hard
    clean = sharp * np.eye(4)[y_true] + (1 - sharp) * rng.dirichlet(np.ones(4), 8000)
    as_given = noise.corrupt(y_true, T, seed)
    first = fit_noise_model(as_given, clean, mixed=False)
    trusted = np.zeros(8000, dtype=bool)
    trusted[np.argsort(first.p_right(as_given, clean))[:1800]] = True
    y = np.where(trusted, y_true, as_given)
    rest, left = ~trusted, (as_given != y_true)[~trusted].sum()
    model = fit_noise_model(y, clean, mixed=False, trusted=trusted, y_before=as_given)
    np.testing.assert_allclose(model.transition, T, atol=0.08)
    expected = (1 - model.p_right(y[rest], clean[rest])).sum()
    blind = fit_noise_model(y, clean, mixed=False, trusted=trusted)  # its count may be near the truth by luck
    assert np.abs(blind.transition - T).max() > 0.15
    assert 0.8 * left < expected < 1.25 * left


def test_labels_from_before_a_review_by_hand() -> None:
    """Reviewed labels alone show the noise: the probabilities agree with every label that was not reviewed."""
    y, as_given = np.repeat([0, 1], 500), np.repeat([0, 1], 500)
    probs = np.repeat([[0.999, 0.001], [0.001, 0.999]], 500, axis=0)
    trusted = np.arange(1000) % 2 == 0
    as_given[np.flatnonzero(trusted & (y == 0))[:100]] = 1  # of 500 rows of class 0, 250 reviewed, 100 were labeled 1
    model = fit_noise_model(y, probs, mixed=False, trusted=trusted, y_before=as_given)
    # class 0 has 100 of 500 wrong labels, and the other labels add a small expected number
    assert model.transition[0, 1] == pytest.approx(0.2, abs=0.02)
    assert model.transition[1, 0] < 0.02
    same = fit_noise_model(y, probs, mixed=False, trusted=trusted, y_before=np.full(1000, -1))
    blind = fit_noise_model(y, probs, mixed=False, trusted=trusted)
    np.testing.assert_array_equal(same.transition, blind.transition)


def test_another_judgment_has_another_number() -> None:
    rng = np.random.default_rng(0)
    y_true = np.arange(600) % 3
    logits = rng.normal(0, 1, (600, 3)) + 4 * np.eye(3)[y_true]
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = noise.corrupt(y_true, T3, 0)
    found = (1 - fit_noise_model(y, probs @ T3).p_right(y, probs @ T3)).sum(), JUDGMENT
    # if the first number changes, raise JUDGMENT: results of the older version are then marked
    assert found == (pytest.approx(111.99, abs=0.05), 2)
