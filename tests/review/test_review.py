"""What the page shows about a suspicious label."""

from __future__ import annotations

import pytest

from goldvein import runs
from goldvein.report.appearance import open_data
from goldvein.review.review import Review
from goldvein.runs.decisions import FILE, Log

TEXT = {"reader": "text", "text": "text", "label": "label"}


def test_the_probabilities_of_the_classes_sum_to_1(make_run, tmp_path):
    given = ["a", "b", "c", "d", "a"]
    folder = make_run(tmp_path / "run", given, source="x", spec=TEXT, p_wrong=[0.9, 0.8, 0.7, 0.6, 0.2])
    run = runs.open_run(folder)
    review = Review(run, open_data(run), Log(folder / FILE))
    for k in range(len(review)):
        card = review.question(k)
        share = dict(card["likely"])
        assert sum(share.values()) == pytest.approx(1)
        assert share[card["given"]] == pytest.approx(1 - card["p_wrong"])
    # the network predicts b with 0.9 and each other class with 0.1 / 3; the label a is correct with 0.1
    first = dict(review.question(review.ids.index("row 0"))["likely"])
    assert first == pytest.approx(
        {0: 0.1, 1: 0.9 * 0.9 / (0.9 + 0.2 / 3), 2: 0.03 / (0.9 + 0.2 / 3), 3: 0.03 / (0.9 + 0.2 / 3)}
    )


@pytest.mark.parametrize("budget", [None, 1, 3, 99])
def test_a_review_shows_the_labels_of_the_list(make_run, tmp_path, budget):
    """In the order of goldvein issues, also where classes differ in size: c is rare here."""
    given = ["a", "a", "a", "c", "a", "a", "a", "a", "a", "b"]
    p_wrong = [0.95, 0.9, 0.85, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.0]
    folder = make_run(tmp_path / "run", given, source="x", spec=TEXT, p_wrong=p_wrong)
    run = runs.open_run(folder)
    listed = run.issues if budget is None else run.list_issues(budget=budget)
    review = Review(run, open_data(run), Log(folder / FILE), budget)
    assert review.ids == listed.loc[listed["is_issue"], "id"].tolist()
    assert review.suspects["p_wrong"].is_monotonic_decreasing
    assert len(review) == {None: 5, 1: 1, 3: 3, 99: 9}[budget]  # not the label that is certainly right
