"""What the page shows about a planned row."""

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
