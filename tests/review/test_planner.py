"""The order in which labels are reviewed."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldvein.review.planner import HEAVIEST, plan_review


def issues(*rows: tuple[str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["given_label", "suggested_label", "p_wrong"])
    table = table.sort_values("p_wrong", ascending=False, kind="stable").reset_index(drop=True)
    return table.assign(id=[f"r{k}" for k in range(len(table))], rank=table.index + 1, is_issue=table["p_wrong"] > 0.5)


def test_even_classes_are_reviewed_worst_first():
    table = issues(*[("a", "b", 0.9 - k / 100) for k in range(5)], *[("b", "a", 0.895 - k / 100) for k in range(5)])
    assert plan_review(table)["rank"].tolist() == list(range(1, 11))
    assert plan_review(table)["gain"].tolist() == pytest.approx(table["p_wrong"].tolist())


def test_a_rare_class_comes_first_by_hand():
    table = issues(*[("big", "big", 0.1)] * 6, ("big", "rare", 0.6), ("big", "big", 0.8), *[("rare", "rare", 0.1)] * 2)
    # ten labels of two classes, 8 and 2, mean 5: weights 5/8 and 5/2
    first, second = plan_review(table, 2).to_dict("records")
    assert (first["suggested_label"], first["gain"]) == ("rare", pytest.approx(0.6 * (5 / 8 + 5 / 2) / 2))
    assert (second["suggested_label"], second["gain"]) == ("big", pytest.approx(0.8 * 5 / 8))


def test_only_a_budget_includes_labels_that_are_not_issues():
    table = issues(("a", "b", 0.9), ("a", "a", 0.4), ("b", "b", 0.3))
    assert len(plan_review(table)) == 1
    assert len(plan_review(table, 2)) == 2
    assert len(plan_review(table, 99)) == 3
    assert len(plan_review(table.head(0))) == len(plan_review(table.head(0), 5)) == 0


def test_the_weight_of_a_class_without_labels_is_limited():
    table = issues(*[("a", "a", 0.1)] * 999, ("a", "new", 0.6))
    assert plan_review(table)["gain"].tolist() == [pytest.approx(0.6 * (1 + HEAVIEST) / 2)]


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.floats(0, 1)), min_size=1, max_size=30),
    st.integers(1, 30),
)
def test_no_other_rows_have_a_larger_gain(rows, budget):
    everything, planned = plan_review(issues(*rows), len(rows)), plan_review(issues(*rows), budget)
    assert planned["gain"].sum() == pytest.approx(sum(sorted(everything["gain"], reverse=True)[:budget]))
    assert planned["id"].tolist() == everything["id"].tolist()[:budget]  # a larger budget only adds rows at the end
