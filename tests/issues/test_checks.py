"""What is refused before any label is judged, and in what words."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from goldvein import find_label_issues
from goldvein.errors import InputError

HALVES = np.full((3, 2), 0.5)


@pytest.mark.parametrize(
    ("y", "probs", "message"),
    [
        ([0, 1], HALVES, r"y has shape \(2,\) and probs \(3, 2\)"),
        ([[0], [1], [0]], HALVES, r"y has shape \(3, 1\)"),
        ([0, 1, 0], np.full(3, 0.5), r"probs \(3,\)"),
        ([0, 1, 2], HALVES, "y holds 2: give class numbers 0 to 1"),
        ([0, 1, -2], HALVES, "y holds -2: give class numbers 0 to 1"),
        ([0.0, 1.0, 1.0], HALVES, r"y holds float64, as .*0\.0.*: give class numbers"),
        (["a", "b", "a"], HALVES, "y holds <U1, as .*'a'.*: give class numbers"),
        ([-1, -1, -1], HALVES, "y has no label"),
        ([], np.empty((0, 2)), r"y has shape \(0,\): give one label for each row"),
        ([0, 1, 0], [[0.5, 0.5], [1.0], [0.5, 0.5]], "probs is not an array"),
        ([0, 1, 0], np.array([[0.5, 0.5], [np.nan, 1], [0.5, 0.5]]), "row 1 of probs sums to nan: it holds NaN"),
        ([0, 1, 0], np.array([[0.5, 0.5], [0.5, 0.5], [1.5, -0.5]]), "row 2 of probs holds -0.5"),
        ([0, 1, 0], np.array([[0.5, 0.1], [0.5, 0.5], [0.5, 0.5]]), "row 0 of probs sums to 0.6"),
        ([0, 1, 0], np.array([[0.5, 0.5], [0.5, 0.5], [np.inf, 0.5]]), "row 2 of probs sums to inf"),
    ],
)
def test_what_cannot_be_judged(y: Any, probs: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_label_issues(np.array(y, dtype=int) if y == [] else y, probs=probs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "there is nothing to judge y by"),
        ({"margins": np.zeros(2)}, r"y has shape \(3,\) and margins \(2,\): they must be \(N,\) and \(N,\)"),
        ({"features": np.zeros(3)}, r"features \(3,\): they must be \(N,\) and \(N, D\)"),
        ({"agreement": np.array([0.5, np.nan, 1])}, "row 1 of agreement is not finite"),
        ({"probs": HALVES, "precision": 1.0}, "precision=1.0"),
        ({"probs": HALVES, "budget": 0}, "budget=0"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_label_issues([0, 1, 0], **arguments)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"probs": [["a", "b"]] * 3}, "probs holds <U1: give numbers"),
        ({"agreement": [0.1, 5.0, 0.2]}, "agreement holds 5.0: it is a share of the epochs, from 0 to 1"),
        ({"agreement": [0.1, 0.9, -0.5]}, "agreement holds -0.5: it is a share of the epochs, from 0 to 1"),
        ({"agreement": [0.1, 1.0, 0.2], "precision": "high"}, "precision='high': it must be above 0 and below 1"),
        ({"agreement": [0.1, 1.0, 0.2], "budget": True}, "budget=True: it must be a number of labels to review"),
        ({"agreement": [0.1, 1.0, 0.2], "ids": ["a"]}, "ids has 1 entries and y 3: give one for each row"),
        ({"agreement": [0.1, 1.0, 0.2], "budget": 1.5}, "budget=1.5: it must be a number of labels to review"),
    ],
)
def test_other_input_that_cannot_be_used(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        find_label_issues([0, 1, 0], **given)


def test_features_of_one_row_say_nothing() -> None:
    with pytest.raises(InputError, match="features need at least 2 labeled rows"):
        find_label_issues([0, -1], features=[[0.5, 0.5], [0.1, 0.2]])
