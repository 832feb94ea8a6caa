"""Measures are compared with counts by hand, with scikit-learn and with torch."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from goldvein.metrics import balanced_accuracy, correct_by_transition, count_kept, judge_score


def test_balanced_accuracy_by_hand() -> None:
    y = np.array([0, 0, 0, 0, 2, 2])
    predicted = np.array([0, 0, 0, 1, 2, 0])
    assert balanced_accuracy(y, predicted) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_balanced_accuracy_without_rows_is_nan() -> None:
    nothing = np.array([], dtype=np.int64)
    assert math.isnan(balanced_accuracy(nothing, nothing))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=50))
def test_balanced_accuracy_is_mean_recall(pairs: list[tuple[int, int]]) -> None:
    y, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # classes that are only predicted
        expected = balanced_accuracy_score(y, predicted)
    assert balanced_accuracy(y, predicted) == pytest.approx(expected, abs=1e-6)


def test_balanced_accuracy_has_the_bits_of_torch() -> None:
    """Old results and checkpoints hold values that torch computed: shares in float32, their mean in float64."""
    rng = np.random.default_rng(0)
    for _ in range(1000):
        n, n_classes = int(rng.integers(1, 5000)), int(rng.integers(1, 1000))
        y = rng.integers(0, n_classes, n)
        predicted = np.where(rng.random(n) < rng.random(), y, rng.integers(0, n_classes, n))
        total = torch.bincount(torch.as_tensor(y))
        right = torch.bincount(torch.as_tensor(y[y == predicted]), minlength=len(total))
        expected = float((right[total > 0] / total[total > 0]).double().mean())
        assert balanced_accuracy(y, predicted) == expected


def test_correction_by_a_matrix_against_hand_computed_shares() -> None:
    y_true = np.repeat([0, 1], [40, 60])
    y = np.r_[np.zeros(40), np.zeros(30), np.ones(30)].astype(int)
    shares = correct_by_transition(y, y_true, np.array([[1.0, 0.0], [0.5, 0.5]]), seed=0)
    # 40 of the 70 labels 0 are of class 0: the most likely class is 0; a draw is right in (40^2 + 30^2) / 70 cases
    assert shares["given"] == shares["argmax"] == 0.7
    assert shares["sampled"] == pytest.approx((2500 / 70 + 30) / 100, abs=0.1)
    assert shares["transition_error"] == 0
    off = correct_by_transition(y, y_true, np.array([[0.9, 0.1], [0.5, 0.5]]), seed=0)
    assert off["transition_error"] == pytest.approx(0.2 / 4)


def test_kept_labels_are_counted_by_label() -> None:
    y = np.array([0, 0, 0, 1, 1, 2, -1, 2])
    labels = np.array([0, 0, -1, 1, 0, -1, 2, 2])  # row 4 was relabeled, row 6 labeled
    y_true = np.array([0, 1, 0, 1, 0, 2, 2, -1])
    counts = count_kept(y, labels, y_true, 3)
    assert counts == {"rows": 8, "given": [3, 2, 2], "kept": [3, 1, 2], "right": [2, 1, 1], "wrong": [1, 0, 0]}


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_the_share_of_pairs_in_the_right_order(labels: list[tuple[float, bool]]) -> None:
    """This is the U statistic of Mann and Whitney; a reversed score has 1 minus this share."""
    score, wrong = np.array([s for s, _ in labels]), np.array([w for _, w in labels])
    found = judge_score(score, score > 0, wrong)["auroc"]
    if wrong.all() or not wrong.any():
        assert found is None
        return
    pairs = score[wrong][:, None] - score[~wrong]
    assert found == pytest.approx((np.sum(pairs > 0) + np.sum(pairs == 0) / 2) / pairs.size)
    assert judge_score(-score, score > 0, wrong)["auroc"] == pytest.approx(1 - found)


@pytest.mark.parametrize(
    ("n_wrong", "n_listed", "n_found", "expected"),
    [(20, 31, 17, (0.548, 0.85, 0.667)), (40, 43, 34, (0.791, 0.85, 0.819)), (50, 57, 40, (0.702, 0.8, 0.748))],
)
def test_table_3_of_sun_et_al(n_wrong: int, n_listed: int, n_found: int, expected: tuple[float, float, float]) -> None:
    """Precision, recall and F1 at 20, 40 and 50 % follow from counts among 100 labels."""
    wrong, listed = np.arange(100) < n_wrong, np.zeros(100, dtype=bool)
    listed[:n_found] = listed[n_wrong : n_wrong + n_listed - n_found] = True
    found = judge_score(listed.astype(float), listed, wrong)
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx(expected, abs=5e-4)


def test_measures_do_not_import_torch() -> None:
    code = "import sys, goldvein.metrics; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
