"""Ramps and steps against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.functional.schedules import rampdown, rampup, staircase


@pytest.mark.parametrize(
    ("epoch", "value"),
    [(0, 0.006738), (1, 0.007629), (20, 0.060055), (40, 0.286505), (60, 0.731616), (79, 0.999219), (80, 1), (300, 1)],
)
def test_rampup(epoch: int, value: float) -> None:
    assert rampup(epoch, 80) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("epoch", "value"), [(249, 1.0), (250, 1.0), (260, 0.606531), (275, 0.043937), (290, 0.000335), (299, 0.000006)]
)
def test_rampdown(epoch: int, value: float) -> None:
    assert rampdown(epoch, 300, 50) == pytest.approx(value, abs=1e-6)


def test_ramps_of_no_length_are_one() -> None:
    assert rampup(0, 0) == 1.0
    assert rampdown(9, 10, 0) == 1.0


@given(st.floats(1, 500), st.lists(st.floats(0, 600), min_size=2, max_size=20))
def test_rampup_rises(length: float, epochs: list[float]) -> None:
    values = [rampup(e, length) for e in sorted(epochs)]
    assert values == sorted(values)
    assert all(math.exp(-5) - 1e-12 <= v <= 1 for v in values)


@given(st.integers(1, 400), st.integers(1, 100))
def test_rampdown_falls(n_epochs: int, length: int) -> None:
    values = [rampdown(e, n_epochs, length) for e in range(n_epochs)]
    assert values == sorted(values, reverse=True)
    assert all(v == 1 for v in values[: max(0, n_epochs - length)])


@pytest.mark.parametrize(
    ("done", "value"), [(0, 1.0), (0.499, 1.0), (0.5, 0.2), (0.6, 0.2), (0.75, 0.04), (0.8, 0.008), (1, 0.008)]
)
def test_a_staircase(done: float, value: float) -> None:
    assert staircase(done, (0.5, 0.75, 0.8), factor=0.2) == pytest.approx(value, abs=1e-12)


def test_a_staircase_falls_to_a_tenth_and_has_no_step_without_milestones() -> None:
    assert staircase(0.5, (0.5,)) == pytest.approx(0.1)
    assert staircase(0.9, ()) == 1.0
