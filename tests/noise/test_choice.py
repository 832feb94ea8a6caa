"""The choice between readings: weights by hand, pairs that guess again, islands."""

from __future__ import annotations

import numpy as np
import pytest

from goldvein.noise.calibration import Inputs, Map
from goldvein.noise.choice import PRIOR, fit_all, fit_kind, refit, suspect_islands, weights_of
from goldvein.noise.class_noise import Problem, fit_class_noise


def problem(n: int = 2000, k: int = 4, rate: float = 0.3, dense: bool = False) -> Problem:
    """Return labels with noise to the next class, and probabilities that are right."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, k, n)
    z = 2 * rng.normal(size=(n, k))
    z[np.arange(n), true] += 6
    probs = np.exp(z - z.max(1, keepdims=True))
    probs /= probs.sum(1, keepdims=True)
    y = np.where(rng.random(n) < rate, (true + 1) % k, true)
    inputs = Inputs.of(probs)
    return Problem(y, Map(inputs.logs(probs), dense), inputs, np.full(n, -1))


def test_weights_by_hand() -> None:
    readings = fit_all(problem(200), None, ("none", "symmetric"))
    gain = readings[1].evidence - readings[0].evidence
    ratio = PRIOR["symmetric"] / PRIOR["none"] * np.exp(gain / 2)
    np.testing.assert_allclose(weights_of(readings), [1 / (1 + ratio), ratio / (1 + ratio)])


def test_a_wrong_guess_of_a_pair_is_corrected() -> None:
    case = problem()
    wrong = np.roll(np.eye(4, dtype=np.int64), 1, axis=1) * 100
    wrong[2] = [0, 90, 0, 10]  # the joint says that 2 is called 1; it is called 3
    found = fit_kind(case, wrong, fit_class_noise(case, "pair", np.array([1, 2, 1, 0])))
    assert found.ties is not None
    assert found.ties.target is not None
    assert found.ties.target.tolist() == [1, 2, 3, 0]


def test_a_fit_that_starts_at_its_end_stays_there() -> None:
    case = problem(dense=True)
    first = fit_class_noise(case, "pair", np.array([1, 2, 3, 0]))
    again = refit(case, first)
    assert again.log_likelihood >= first.log_likelihood - 0.01
    np.testing.assert_allclose(again.T, first.T, atol=0.005)


@pytest.mark.parametrize("spread", [False, True])
def test_islands(spread: bool) -> None:
    """If all wrong names are as frequent, symmetric noise explains all that pairs explain: those may be islands."""
    case = problem()
    if spread:
        rng = np.random.default_rng(1)
        shown = case.map.logs.argmax(1)
        y = np.where(rng.random(len(shown)) < 0.3, (shown + rng.integers(1, 4, len(shown))) % 4, shown)
        case = Problem(y, case.map, case.inputs, case.true)
    joint = np.roll(np.eye(4, dtype=np.int64), 1, axis=1) * 100
    assert suspect_islands(fit_all(case, joint), len(case.y)) == spread
