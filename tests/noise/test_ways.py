"""The ways from the classifier to clean probabilities: order, inverse, floor, and which matrix is believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from goldvein.noise import ways
from goldvein.noise.calibration import Inputs
from goldvein.noise.choice import fit_all
from goldvein.noise.ways import Labels, Way, weigh_readings


def labels(n: int = 600, k: int = 4, rate: float = 0.3, mixed: bool = False) -> tuple[Labels, np.ndarray, np.ndarray]:
    """Return labels with noise to the next class, their joint with the truth, and T; overlap is small."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, k, n)
    z = 2 * rng.normal(size=(n, k))
    z[np.arange(n), true] += 6
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    T = (1 - rate) * np.eye(k) + rate * np.roll(np.eye(k), 1, axis=1)
    y = (T[true].cumsum(1) > rng.random((n, 1))).argmax(1)
    joint = np.zeros((k, k), dtype=np.int64)
    np.add.at(joint, (true, y), 1)
    return Labels.of(y, p @ T if mixed else p, np.full(n, -1)), joint, T


def test_the_order_of_rows_does_not_matter() -> None:
    given, _, _ = labels()
    order = np.random.default_rng(1).permutation(len(given.y))
    again = Labels.of(given.y[order], given.probs[order], given.true[order])
    np.testing.assert_array_equal(again.y, given.y)
    np.testing.assert_array_equal(again.probs, given.probs)


def test_the_inverse_takes_the_noise_out() -> None:
    mixed, _, T = labels(mixed=True)
    clean, _, _ = labels()
    inputs = mixed.without(T)
    assert inputs is not None
    # a wrong name has a mean rate of .3 / 3, so less than .03 * .1 cannot be told from an error of T
    assert inputs.floor == pytest.approx(0.003)
    # the two sets of labels are sorted by different columns
    found, wanted = mixed.probs @ inputs.inverse, clean.probs
    np.testing.assert_allclose(np.sort(found.ravel()), np.sort(wanted.ravel()), atol=1e-9)


def test_noise_that_cannot_be_taken_out() -> None:
    given, _, _ = labels(k=2)
    assert given.without(np.full((2, 2), 0.5)) is None  # singular
    assert given.without(np.array([[0.5 + 1e-8, 0.5 - 1e-8], [0.5, 0.5]])) is None  # nearly


@pytest.mark.parametrize("mixed", [False, True])
def test_weights_sum_to_one_and_the_kind_is_found(mixed: bool) -> None:
    given, joint, T = labels()
    found = weigh_readings(given, joint, mixed)
    assert sum(weight for _, weight in found) == pytest.approx(1)
    reading, _ = max(found, key=lambda item: item[1])
    assert reading.kind == "pair"
    np.testing.assert_allclose(reading.T, T, atol=0.08)
    if not mixed:  # nothing is taken out of probabilities that contain no noise
        assert all(reading.calibration.inputs.T is None for reading, _ in found)


def test_each_reading_without_noise_has_its_own_transition() -> None:
    given, joint, _ = labels(3000, mixed=True)
    raw = fit_all(given.problem(Inputs.of(given.probs), False), joint)
    found = ways._without_noise(given, joint, joint, raw)
    assert len(found) > 1
    for reading in found:
        inverse = reading.calibration.inputs.inverse
        assert inverse is not None
        # one more pass changes T little: the inputs and the reading agree
        np.testing.assert_allclose(inverse @ np.asarray(reading.T), np.eye(4), atol=0.1)


def test_where_there_is_no_noise_nothing_is_taken_out() -> None:
    given, joint, _ = labels(rate=0)
    assert all(reading.calibration.inputs.T is None for reading, _ in weigh_readings(given, joint, True))


def test_a_matrix_that_absorbs_noise_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings of a matrix on the probabilities are left out if all three hold: mixed, better without, and absorbed."""
    given, joint, _ = labels()
    of = Way.of

    def with_gain(gain: float, value: float) -> list[tuple[bool, bool]]:
        """Return (dense, inverse) of the readings where noise gains so much over the matrix with raw probabilities."""

        def changed(its: Labels, readings: list) -> Way:
            way = of(its, readings)
            raw = readings[0].calibration.inputs.inverse is None
            if raw and readings[0].dense:
                none = next(reading for reading in readings if reading.kind == "none")
                way = Way([replace(r, evidence=none.evidence + gain * len(its.y) * (r is not none)) for r in readings],
                          way.weights, 0.0)  # fmt: skip
            elif raw:
                way = replace(way, value=-value)
            else:
                way = replace(way, value=0.0)
            return way

        monkeypatch.setattr(Way, "of", changed)
        found = weigh_readings(given, joint, True)
        return sorted({(r.dense, r.calibration.inputs.inverse is not None) for r, _ in found})

    assert (True, False) not in with_gain(ways.ABSORBED - 0.01, ways.MIXED + 1)
    assert (True, False) in with_gain(ways.ABSORBED + 0.01, ways.MIXED + 1)
    assert (True, False) in with_gain(ways.ABSORBED - 0.01, ways.MIXED - 1)


def test_the_price_of_a_matrix_by_hand() -> None:
    assert ways._matrix_price(20, 1000) == pytest.approx(5 + 20 * 0.1)  # 5 * 20 / 1000
    assert ways._matrix_price(20, 100) == pytest.approx(5 + 20 * 0.15)  # at most .15
