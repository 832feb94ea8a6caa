"""The numbers and charts of the report, compared with values computed by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest

from goldvein import InputError, runs
from goldvein.data.dataset import Dataset
from goldvein.report import charts, facts
from goldvein.report.comparison import compare
from goldvein.runs.decisions import Decision

TEXT = {"reader": "text", "text": "text"}


def test_wilson_s_interval_by_hand():
    # (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n) with p = 0.2, n = 50
    assert facts.wilson(10, 50) == pytest.approx((0.11244, 0.33037), abs=1e-5)
    low, high = facts.wilson(0, 20)
    assert (low, round(high, 4)) == (0.0, 0.1611)


def test_the_implied_interval_by_hand():
    low, high, level = facts.noise_interval({"n_wrong_interval": "x"}, [0.5] * 100)
    assert (low, high, level) == (pytest.approx(0.5 - 0.098, abs=1e-4), pytest.approx(0.598, abs=1e-4), 95)
    assert facts.noise_interval({}, []) == (0.0, 1.0, 95)


@pytest.fixture
def run(make_run, tmp_path):
    """Six labels: three of a look like b, one of b looks like c, one of c and one of d are correct."""
    given, wrong = ["a", "a", "a", "b", "c", "d"], [0.9, 0.8, 0.7, 0.6, 0.1, 0.0]
    return runs.open_run(make_run(tmp_path / "run", given, source="x", spec=TEXT, p_wrong=wrong))


CLASS_COUNTS = [
    {"class": "a", "n_wrong_low": 1.0, "n_wrong_high": 3.0, "enough": True},
    {"class": "d", "n_wrong_low": 0.0, "n_wrong_high": 1.0, "enough": False},
]


def test_classes_and_confusions(run):
    a, _, c, d = facts.summarize_classes(run.issues, run.classes, {"classes": CLASS_COUNTS})
    assert (a.n_labels, a.n_issues, a.share, a.instead, a.n_instead) == (3, 3, 1.0, "b", 3)
    assert a.quality == pytest.approx(0.2)
    assert (a.low, a.high, a.enough, d.enough) == (1.0, 3.0, True, False)
    assert (c.low, c.enough) == (None, True)
    assert (c.n_issues, c.instead, d.quality) == (0, None, 1.0)
    assert facts.count_confusions(run.issues, run.classes, 5) == [(0, 1, 3), (1, 2, 1)]
    assert facts.count_confusions(run.issues, run.classes, 1) == [(0, 1, 3)]
    assert facts.summarize_classes(run.issues.head(0), run.classes, {})[0].quality is None


def test_calibration_by_the_best_evidence(run):
    truth = dict.fromkeys(run.issues["id"], "b")
    found = facts.measure_calibration(run, truth, {})
    assert "hidden true labels of 6 rows" in found.note
    assert [(round(s, 2), o, n) for s, o, _, _, n in found.bins] == [
        (0.0, 1.0, 1),
        (0.1, 1.0, 1),
        (0.6, 0.0, 1),  # b is correct
        (0.7, 1.0, 1),
        (0.8, 1.0, 1),
        (0.9, 1.0, 1),
    ]
    found = facts.measure_calibration(run, {}, dict.fromkeys(run.issues["id"], Decision("keep", "a")))
    assert found.x_label == "confidence"  # six reviewed labels are too few
    assert sum(n for *_, n in found.bins) == 6


def test_labels_trusted_in_training_say_nothing_about_calibration(make_run, tmp_path):
    wrong = [0.9] * 20 + [0.0] * 15  # the last ones were reviewed before the training
    run = runs.open_run(make_run(tmp_path / "run", ["a", "b"] * 17 + ["a"], source="x", spec=TEXT, p_wrong=wrong))
    given = run.issues.set_index("id")["given_label"]
    everything = {row: Decision("keep", label) for row, label in given.items()}
    found = facts.measure_calibration(run, {}, everything)
    assert "20 reviewed labels" in found.note
    assert [n for *_, n in found.bins] == [20]
    trusted = {row: d for row, d in everything.items() if run.issues.set_index("id").loc[row, "p_wrong"] == 0}
    assert facts.measure_calibration(run, {}, trusted).x_label == "confidence"


def test_only_numbers_become_curves():
    epochs = [{"stage": 0, "epoch": 0, "seconds": 1, "loss": 2.0, "lr": 1, "note": "x"}, {"loss": None, "kl": 0.5}]
    assert facts.collect_series(epochs) == {"loss": [2.0, None], "kl": [None, 0.5]}
    assert facts.collect_series([]) == {}


def test_a_curve_without_numbers_is_nothing_and_a_long_one_is_thinned():
    assert charts.draw_curve("loss", [None, float("nan")], [0, 0]) == ""
    drawn = charts.draw_curve("loss", np.linspace(0, 1, 10_000).tolist(), [0] * 5000 + [1] * 5000)
    assert len(drawn) < 6000
    assert drawn.count('class="stage"') == 1
    assert "</svg>" in charts.draw_curve("loss", [1.0], [0])
    large = charts.draw_curve("loss", [-5.1e9, 11_000.0], [0, 0])
    assert ">-5.1e+09</text>" in large
    assert ">11,000</text>" in large
    (start,) = set(re.findall(r'class="below" x="(\d+)"', large))
    assert int(start) >= 7 * len("-5.1e+09")  # room for the longest number


def test_the_matrix_of_many_classes_stays_small_and_escapes_names():
    T = np.eye(200) * 0.98 + np.diag(np.full(199, 0.02), 1)
    T[-1, -1] = 1
    drawn = charts.draw_matrix(T, [f"<{k}>" for k in range(200)])
    assert len(drawn) < 80_000
    assert "<0>" not in drawn
    assert "&lt;0&gt;" in drawn


def test_before_and_after_as_recorded(make_run, tmp_path):
    after = {"n_test": 1000, "test_accuracy": 0.9}
    noted = {"decisions": {"source": "r", "n": 5, "before": {"n_test": 1000, "test_accuracy": 0.8}}}
    one = runs.open_run(make_run(tmp_path / "a", ["a", "b"], source="x", spec=TEXT, metrics=after, config=noted))
    found = compare(one, None, None)
    assert [(a.name, a.share) for a in found.rows] == [("before", 0.8), ("this run", 0.9)]
    # 0.1 ± 1.96 sqrt(0.8·0.2/1000 + 0.9·0.1/1000)
    assert found.difference == pytest.approx((0.1, 0.06901, 0.13099), abs=1e-5)
    alone = runs.open_run(make_run(tmp_path / "b", ["a", "b"], source="x", spec=TEXT, metrics={**after, "n_test": 10}))
    assert compare(alone, None, None).difference is None
    with pytest.raises(InputError, match="tested on 10 labels and this run on 1,000"):
        compare(one, alone, None)
    without = runs.open_run(make_run(tmp_path / "c", ["a", "b"], source="x", spec=TEXT))
    assert compare(without, None, None).rows == []
    with pytest.raises(InputError, match="this run has no test accuracy: give --test DATA"):
        compare(without, one, None)


def test_both_runs_are_tested_on_the_same_rows(make_run, tmp_path, monkeypatch):
    x, y = np.zeros((5, 1), dtype=np.float32), np.array([0, 0, 1, 1, -1])
    test = Dataset("test.csv", "vector", x, y, ("a", "b"), np.arange(5).astype(str))
    predicted = {"old": [0, 1, 1, 0, 0], "new": [0, 0, 1, 0, 0]}
    monkeypatch.setattr(runs.SavedRun, "predict_proba", lambda self, data: np.eye(2)[predicted[self.folder.name]])
    old, new = (runs.open_run(make_run(tmp_path / name, ["a", "b"], source="x", spec=TEXT)) for name in predicted)
    found = compare(new, old, lambda of: test)
    assert [(a.hits, a.n) for a in found.rows] == [(2, 4), (3, 4)]  # the row without a label does not count
    # gains of the rows 0, 1, 0, 0: mean 0.25, deviation sqrt(3)/4
    assert found.difference == pytest.approx((0.25, 0.25 - 0.42435, 0.25 + 0.42435), abs=1e-4)
    with pytest.raises(InputError, match=r"test.csv contains no label: give test rows with labels"):
        compare(new, old, lambda of: Dataset("test.csv", "vector", x, np.full(5, -1), ("a", "b"), test.ids))
    other = Dataset("test.csv", "vector", x, y, ("c", "d"), test.ids)
    with pytest.raises(
        InputError, match="old, which was trained on other data: compare with an earlier run on the same data"
    ):
        compare(new, old, lambda of: test if of is new else other)
