from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from goldvein.bench.job import (
    _true_labels,
    given_labels,
    judge_issues,
    run_job,
)
from goldvein.bench.plan import Job
from goldvein.data import standard
from goldvein.data.dataset import Dataset
from goldvein.errors import InputError


@pytest.fixture(scope="module")
def digits():
    return standard.load_dataset("digits")


def job(**changes):
    return Job("digits", "cross_entropy", **{"seed": 0, "noise": "symmetric", "rate": 0.2, **changes})


def test_independent_draw_keeps_by_given_label(digits):
    y = given_labels(digits, job(labels_per_class=10))[0]
    assert Counter(y.tolist()) == {-1: 1201 - 100, **dict.fromkeys(range(10), 10)}
    full = given_labels(digits, job())[0]
    assert np.array_equal(y[y >= 0], full[y >= 0])
    assert 0.15 < (full != digits.y).mean() < 0.25


def test_exact_draw_keeps_by_true_label_and_flips_an_exact_number(digits):
    y = given_labels(digits, job(labels_per_class=10, draw="exact"))[0]
    assert Counter(digits.y[y >= 0].tolist()) == dict.fromkeys(range(10), 10)
    assert (y != digits.y)[y >= 0].sum() == 20


def test_noise_follows_the_seed(digits):
    assert np.array_equal(given_labels(digits, job())[0], given_labels(digits, job())[0])
    assert not np.array_equal(given_labels(digits, job())[0], given_labels(digits, job(seed=1))[0])
    assert np.array_equal(given_labels(digits, job(noise="none", rate=0.0))[0], digits.y)


def test_trusted_labels_are_true_and_come_on_top(digits):
    y, trusted = given_labels(digits, job(rate=0.9, labels_per_class=30, trusted_per_class=4))
    assert Counter(digits.y[trusted].tolist()) == dict.fromkeys(range(10), 4)
    assert (y == digits.y)[trusted].all()
    without, nobody = given_labels(digits, job(rate=0.9, labels_per_class=30))
    assert np.array_equal(y[~trusted], without[~trusted])
    assert (without[trusted] == -1).all()
    assert not nobody.any()


@pytest.mark.parametrize("draw", ["exact", "independent"])
def test_labels_that_the_data_trusts_stay(digits, draw):
    trusted = np.arange(len(digits.y)) % 3 == 0
    known = replace(digits, trusted=trusted)
    y, still = given_labels(known, job(rate=0.5, labels_per_class=20, draw=draw))
    assert np.array_equal(still, trusted)
    assert np.array_equal(y[trusted], digits.y[trusted])
    assert (y[~trusted] == -1).any()
    noisy = ~trusted & (y >= 0)
    assert (y != digits.y)[noisy].any()


def test_only_the_first_rows_are_used(digits):
    y, trusted = given_labels(digits, job(n_rows=500, labels_per_class=10, draw="exact", trusted_per_class=2))
    assert len(y) == len(trusted) == 500
    assert (y >= 0).sum() == 120
    result = run_job(job(n_rows=500, curve=True, estimator={"epochs": 2}))
    assert result["curve"][-1] == pytest.approx(result["accuracy"], abs=1e-5)
    assert len(result["curve"]) == 2
    with pytest.raises(InputError, match="rows=5000: digits has 1201"):
        run_job(job(n_rows=5000))


def test_true_labels_are_unknown_where_only_some_are_trusted():
    y = np.array([0, 1, 0])
    parts = {"name": "", "kind": "vector", "x": np.zeros((3, 1)), "y": y, "classes": (0, 1), "ids": y.astype(str)}
    assert _true_labels(Dataset(**parts)).tolist() == [0, 1, 0]
    assert _true_labels(Dataset(**parts, trusted=np.array([True, False, False]))).tolist() == [0, -1, -1]
    assert _true_labels(Dataset(**parts, y_true=1 - y)).tolist() == [1, 0, 1]


def test_issues_against_hand_computed_measures():
    listed = pd.DataFrame(
        {"id": [3, 0, 1, 4, 2], "p_wrong": [0.9, 0.8, 0.3, 0.2, 0.1], "is_issue": [True, True, False, True, False]}
    ).assign(doubt=[0.5, 0.0, 0.2, np.nan, 0.1], trust=[0.4, 0.9, 0.5, np.nan, 0.3])
    T = np.array([[0.5, 0.5], [0.25, 0.75]])
    audit = SimpleNamespace(table=listed, noise_rate=0.4, transition=T)
    model = SimpleNamespace(audit=lambda: audit, method_=SimpleNamespace(suspicious_if_high=("doubt",)))
    y = np.array([0, 1, 0, 1, 1])
    y_true = np.array([0, 0, 0, 0, -1])  # rows 1 and 3 are wrong, row 4 is unknown
    listed["part"] = [0.2, np.nan, 0.7, 0.1, 0.9]  # a method may have no score for some labels, here for row 0
    found = judge_issues(model, y, y_true)
    part = found["scores"]["part"]
    assert (part["auroc"], part["precision"], part["recall"]) == (1, 1, 0.5)  # of rows 3, 1 and 2; row 3 is below 1/2
    assert found["auroc"] == pytest.approx(3 / 4)
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert (found["precision"], found["recall"], found["f1"]) == (0.5, 0.5, 0.5)
    gaps = [0.9 - 1, 0.8 - 0, 0.3 - 1, 0.1 - 0]  # each of the four known rows in a bin of its own
    assert found["calibration_error"] == pytest.approx(np.abs(gaps).mean())
    assert found["noise_rate"] == 0.4
    doubt = found["scores"]["doubt"]  # of rows 3, 0, 1, 2
    assert (doubt["auroc"], doubt["average_precision"]) == (1, 1)
    assert (doubt["precision"], doubt["recall"], doubt["f1"]) == (2 / 3, 1, 0.8)  # above 0: rows 3, 1, 2
    trust = found["scores"]["trust"]  # low if a label is suspicious
    assert (trust["auroc"], trust["average_precision"]) == (0.5, pytest.approx((1 / 2 + 2 / 3) / 2))
    assert (trust["precision"], trust["recall"], trust["f1"]) == (0.5, 0.5, 0.5)  # below 1/2: rows 3 and 2
    assert found["transition_error"] == pytest.approx((0.0 + 0.0) / 2)  # true class 0 was labeled 0, 1, 0, 1; no 1
    clean = judge_issues(model, y, y)
    assert (clean["auroc"], clean["average_precision"]) == (None, None)
    assert (clean["precision"], clean["recall"], clean["f1"]) == (0, 0, 0)


def test_a_job_may_measure_issues():
    result = run_job(job(issues=True, estimator={"epochs": 15, "validation_fraction": 0.1}))
    assert result["issues"]["auroc"] > 0.8
    assert 0.15 < result["noise_rate"] < 0.25
    assert result["accuracy"] > 0.8
    assert result["n_iter"] == 15
    assert "kept" not in result


def test_the_other_networks_of_a_method_are_tested_too():
    result = run_job(replace(job(labels_per_class=40, estimator={"epochs": 8}), method="mean_teacher"))
    student = result["others"]["student"]
    assert 0.3 < student <= 1
    assert student != result["accuracy"]
    assert (student * 596) % 1 == pytest.approx(0, abs=1e-6)  # a share of the test rows
    assert "others" not in run_job(job(estimator={"epochs": 1}))


def test_the_same_job_gives_the_same_result():
    short = job(estimator={"epochs": 2})
    first, second = run_job(short), run_job(short)
    volatile = {"seconds", "peak_mb", "peak_gpu_mb"}
    assert {k: v for k, v in first.items() if k not in volatile} == {
        k: v for k, v in second.items() if k not in volatile
    }


def test_an_error_names_missing_files(tmp_path):
    with pytest.raises(InputError, match=str(tmp_path)):
        run_job(Job("mnist", "cross_entropy", 0), tmp_path)
