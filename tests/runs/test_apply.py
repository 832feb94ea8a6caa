"""Decisions applied to a data set."""

from __future__ import annotations

import numpy as np
import pytest

from goldvein import InputError
from goldvein.data.dataset import Dataset
from goldvein.runs.apply import apply_decisions
from goldvein.runs.decisions import Decision


@pytest.fixture
def data():
    x = np.zeros((5, 1), dtype=np.float32)
    y, ids = np.array([0, 0, 1, 1, -1]), np.array(list("abcde"))
    trusted = np.array([True, False, False, False, False])
    test = np.array([0, 1])
    return Dataset("made", "vector", x, y, (3, 7), ids, y_true=y, trusted=trusted, x_test=x[:2], y_test=test)


def test_each_action_by_hand(data):
    made = {
        "a": Decision("drop"),
        "b": Decision("keep", "3"),
        "c": Decision("relabel", "3"),
        "d": Decision("skip"),
        "e": Decision("relabel", "7"),
    }
    found = apply_decisions(data, made)
    assert found.y.tolist() == [-1, 0, 0, 1, 1]
    assert found.trusted.tolist() == [False, True, True, False, True]
    assert found.y_before.tolist() == [0, 0, 1, 1, -1]
    assert data.y.tolist() == [0, 0, 1, 1, -1]  # the original data set does not change
    assert data.trusted.tolist() == [True, False, False, False, False]


def test_test_labels_are_never_cleaned(data):
    found = apply_decisions(data, {row: Decision("relabel", "7") for row in "abcde"})
    assert found.y_test is data.y_test
    assert found.y_true is data.y_true


def test_unknown_ids_and_labels_are_named(data):
    with pytest.raises(InputError, match=r"id 'x' \(and 1 more\) has a decision but is not in the data"):
        apply_decisions(data, {"x": Decision("drop"), "a": Decision("drop"), "y": Decision("skip")})
    with pytest.raises(InputError, match="unknown label for id 'a': '77': did you mean '7'"):
        apply_decisions(data, {"a": Decision("relabel", "77")})


def test_no_decision_changes_nothing(data):
    found = apply_decisions(data, {"a": Decision("skip")})
    assert np.array_equal(found.y, data.y)
    assert np.array_equal(found.trusted, data.trusted)
