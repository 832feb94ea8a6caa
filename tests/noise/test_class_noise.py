"""The readings in which noise depends on the class: likelihood by hand, gradients by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from goldvein.noise.boundary import BoundaryLikelihood
from goldvein.noise.calibration import Inputs, Map
from goldvein.noise.class_noise import Likelihood, Problem, Ties, fit_class_noise, ties_of
from goldvein.noise.uncertainty import share_covariance

SHAPE = np.array([[0, 0.7, 0.2, 0.1], [0.5, 0, 0.25, 0.25], [0.1, 0.1, 0, 0.8], [0.3, 0.3, 0.4, 0]])
KINDS = {
    "none": None,
    "symmetric": None,
    "by class": None,
    "look-alike": SHAPE,
    "pair": np.array([1, 2, 2 + 1, 0]),
}


def problem(dense: bool, reviewed: int = 0, n: int = 60) -> Problem:
    rng = np.random.default_rng(0)
    probs, y = rng.dirichlet(np.full(4, 0.6), n), rng.integers(0, 4, n)
    true = np.where(np.arange(n) < reviewed, rng.integers(0, 4, n), -1)
    inputs = Inputs.of(probs)
    return Problem(y, Map(inputs.logs(probs), dense), inputs, true)


@pytest.mark.parametrize("reviewed", [0, 10])
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_and_scores_of_noise_by_class(kind: str, dense: bool, reviewed: int) -> None:
    if kind == "none" and reviewed:
        pytest.skip("without noise, a label that a review changed is impossible")
    case = problem(dense, reviewed)
    likelihood = Likelihood(case, ties_of(kind, 4, KINDS[kind]))
    rng = np.random.default_rng(1)
    v = np.r_[case.map.start() + 0.2 * rng.normal(size=case.map.size), -2 + rng.normal(size=likelihood.ties.size)]
    _, gradient = likelihood(v)
    np.testing.assert_allclose(gradient, approx_fprime(v, lambda u: likelihood(u)[0], 1e-7), rtol=1e-4, atol=1e-3)

    def of_row(u: np.ndarray) -> float:
        return float(np.log(likelihood.posterior(u)[2][3]))

    np.testing.assert_allclose(likelihood.scores(v)[3], approx_fprime(v, of_row, 1e-7), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dense", [False, True])
def test_gradient_of_noise_near_boundaries(dense: bool) -> None:
    case = problem(dense)
    likelihood = BoundaryLikelihood(case)
    v = np.r_[case.map.start() + 0.2 * np.random.default_rng(1).normal(size=case.map.size), -0.5, 0.3]
    _, gradient = likelihood(v)
    np.testing.assert_allclose(gradient, approx_fprime(v, lambda u: likelihood(u)[0], 1e-7), rtol=1e-4, atol=1e-3)


def test_boundary_noise_by_hand() -> None:
    probs = np.array([[0.8, 0.2], [0.8, 0.2]])
    inputs = Inputs(1e-6)
    case = Problem(np.array([0, 1]), Map(inputs.logs(probs), False), inputs, np.full(2, -1))
    value, _, _ = BoundaryLikelihood(case).terms(np.r_[case.map.start(), 0.0, np.log(0.7)])  # share 1/2, width 1
    h = 0.5 * np.exp(-np.log(4))  # the logits differ by log 4
    np.testing.assert_allclose(np.exp(value), [0.8 * (1 - h) + 0.2 * h, 0.2 * (1 - h) + 0.8 * h])


@pytest.mark.parametrize("kind", KINDS)
def test_the_likelihood_is_that_of_the_transition(kind: str) -> None:
    case = problem(False)
    ties = ties_of(kind, 4, KINDS[kind])
    theta = np.linspace(-2, -1, ties.size)
    v = np.r_[case.map.start(), theta]
    p, q, joint = Likelihood(case, ties).posterior(v)
    T = ties.transition(theta)
    np.testing.assert_allclose(T.sum(1), 1)
    np.testing.assert_allclose(joint, (p * T.T[case.y]).sum(1))
    np.testing.assert_allclose(q, p * T.T[case.y] / joint[:, None])


def test_a_class_without_noise_has_no_parameter() -> None:
    assert Ties(3).size == 0
    np.testing.assert_array_equal(Ties(3).transition(np.zeros(0)), np.eye(3))


def test_the_covariance_of_the_shares_is_that_of_refits() -> None:
    """Labels drawn again and again: the shares that are estimated vary as the delta method says."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(600, 3))
    clean = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    inputs = Inputs.of(clean)
    given = clean @ (0.7 * np.eye(3) + 0.1)
    shares, predicted = [], []
    for _ in range(60):
        y = (rng.random((600, 1)) > given.cumsum(1)).sum(1)
        case = Problem(y, Map(inputs.logs(clean), False), inputs, np.full(600, -1))
        reading = fit_class_noise(case, "symmetric")
        assert reading.ties is not None
        q = Likelihood(case, reading.ties).posterior(reading.parameters)[1]
        shares.append([1 - q[y == c, c].mean() for c in range(3)])
        predicted.append(np.sqrt(np.diag(share_covariance(reading, case))))
    ratio = np.std(shares, axis=0) / np.mean(predicted, axis=0)
    assert (ratio > 0.7).all()  # 60 refits tell a standard deviation up to a tenth or two
    assert (ratio < 1.5).all()
