"""Decisions written to files and read again, and files that are refused."""

from __future__ import annotations

import csv
import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldvein import InputError
from goldvein.runs.decisions import Decision
from goldvein.runs.exchange import export_decisions, read_decision_file

HOSTILE = ("<script>", '"quoted", and\nlines', "=1+1", "NA", "שלום", "x" * 10_000)
MADE = {
    "a": Decision("keep", HOSTILE[0], "2026-01-01T00:00:00Z"),
    "b": Decision("relabel", HOSTILE[1], "2026-01-01T00:00:01Z"),
    'c,\n"c"': Decision("drop", None, "2026-01-01T00:00:02Z"),
    "d": Decision("skip", None, "2026-01-01T00:00:03Z"),
    "was missing": Decision("relabel", "שלום", "2026-01-01T00:00:04Z"),
}


def issues() -> pd.DataFrame:
    ids = ["a", "b", 'c,\n"c"', "d", "e", "f"]
    return pd.DataFrame(
        {
            "id": ids,
            "given_label": [HOSTILE[0]] * 6,
            "suggested_label": [HOSTILE[1]] * 5 + [HOSTILE[0]],
            "label_quality": [0.1, 0.2, 0.3, 0.4, 0.45, 0.9],
            "p_wrong": [0.9, 0.8, 0.7, 0.6, 0.55, 0.1],
            "is_issue": [True] * 5 + [False],
            "rank": range(1, 7),
            "reason": "",
        }
    )


def plain(decisions):
    return {row: (d.action, d.label) for row, d in decisions.items()}


@pytest.mark.parametrize(
    ("name", "form", "n"), [("d.csv", None, 5), ("d.json", None, 6), ("d.csv", "cleanlab", 7), ("d.txt", "csv", 5)]
)
def test_exported_decisions_are_read_again(tmp_path, name, form, n):
    path = tmp_path / name
    assert (
        export_decisions(path, issues(), MADE, form=form) == n
    )  # the number of labels includes issues without a decision
    assert plain(read_decision_file(path)) == plain(MADE)


@settings(max_examples=25)
@given(st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), st.booleans()))
def test_any_id_and_label_is_read_again(tmp_path_factory, rows):
    made = {row: Decision("relabel", row) if change else Decision("drop") for row, change in rows.items()}
    for name in ("d.csv", "d.json"):
        path = tmp_path_factory.mktemp("files") / name
        export_decisions(path, issues().head(0), made)
        assert plain(read_decision_file(path)) == plain(made)


def test_csv_has_a_line_for_each_decision(tmp_path):
    export_decisions(tmp_path / "d.csv", issues(), MADE)
    lines = list(csv.DictReader((tmp_path / "d.csv").open(newline="")))
    assert list(lines[0]) == ["id", "given_label", "suggested_label", "action", "label", "at"]
    assert [line["action"] for line in lines] == ["keep", "relabel", "drop", "skip", "relabel"]
    assert lines[0]["at"] == "2026-01-01T00:00:00Z"


def test_cleanlab_s_columns_for_every_label(tmp_path):
    export_decisions(tmp_path / "d.csv", issues(), MADE, form="cleanlab")
    lines = list(csv.DictReader((tmp_path / "d.csv").open(newline="")))
    own = ["id", "is_label_issue", "label_quality", "given_label", "predicted_label"]
    assert list(lines[0]) == [*own, "corrected_label", "action"]
    assert len(lines) == 7
    assert [line["is_label_issue"] for line in lines] == ["True"] * 5 + ["False"] * 2


def test_label_studio_gets_tasks_for_issues_without_a_decision(tmp_path):
    export_decisions(tmp_path / "d.json", issues(), MADE, content=lambda row: {"text": f"text of {row}", "id": "no"})
    tasks = {task["data"]["id"]: task for task in json.loads((tmp_path / "d.json").read_text())}
    assert set(tasks) == {*MADE, "e"}  # f is not an issue and has no decision
    assert tasks["e"]["annotations"] == []
    assert tasks["e"]["data"]["text"] == "text of e"
    (prediction,) = tasks["e"]["predictions"]
    assert prediction["result"][0]["value"] == {"choices": [HOSTILE[1]]}
    assert prediction["score"] == pytest.approx(0.55)
    assert tasks["d"]["annotations"][0]["was_cancelled"] is True
    assert tasks["b"]["annotations"][0]["result"][0]["type"] == "choices"


def test_a_table_filled_in_by_hand(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("id,given_label,corrected_label\na,cat,dog\nb,cat,cat\nc,cat,\n")
    assert plain(read_decision_file(path)) == {"a": ("relabel", "dog"), "b": ("keep", "cat")}
    path.write_text("id,given_label,action,label\na,cat,keep,\nb,cat,drop,\n")
    assert plain(read_decision_file(path)) == {"a": ("keep", "cat"), "b": ("drop", None)}


def test_the_last_annotation_of_a_task_counts(tmp_path):
    def annotation(label):
        choice = {"from_name": "label", "to_name": "x", "type": "choices", "value": {"choices": [label]}}
        return {"result": [{"type": "textarea", "from_name": "note", "value": {"text": ["hm"]}}, choice]}

    task = {"data": {"id": 7, "given_label": "cat"}, "annotations": [annotation("dog"), annotation("cat")]}
    (tmp_path / "d.json").write_text(json.dumps([task, {"data": {"id": 8}, "annotations": []}]))
    assert plain(read_decision_file(tmp_path / "d.json")) == {"7": ("keep", "cat")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.csv", "a,b\n1,2\n", "has the columns a, b: it must have the columns id and label"),
        ("d.csv", "id,label,action\na,cat,burn\n", "row 1: id 'a' has the action 'burn'"),
        ("d.csv", "id,label,action\na,,relabel\n", "has the action relabel but no label"),
        ("d.csv", "id,label\na,cat\na,dog\n", "has two decisions for id 'a'"),
        ("d.csv", 'id,label\na,"cat\n', "is not valid CSV"),
        ("d.json", "{}", "is not JSON of Label Studio"),
        ("d.json", "[", "is not JSON of Label Studio"),
        ("d.json", "[1]", "task 1 cannot be read"),
        ("d.json", '[{"annotations": []}]', "task 1 cannot be read"),
        ("d.json", '[{"data": {"id": "a"}, "annotations": [{"result": []}]}]', "id 'a' has 0 labels"),
        ("d.json", '[{"data": {"id": "a"}, "annotations": [3]}]', "task 1 cannot be read"),
    ],
)
def test_bad_files_are_reported_with_the_position(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as error:
        read_decision_file(tmp_path / name)
    assert message in str(error.value)


def test_nothing_is_overwritten_and_unknown_formats_are_refused(tmp_path):
    (tmp_path / "d.csv").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        export_decisions(tmp_path / "d.csv", issues(), MADE)
    with pytest.raises(InputError, match="unknown format of decisions 'labelstudio': did you mean 'label-studio'"):
        export_decisions(tmp_path / "new.json", issues(), MADE, form="labelstudio")
    with pytest.raises(InputError, match=r"new.xml has no suffix of a known format"):
        export_decisions(tmp_path / "new.xml", issues(), MADE)
    assert [path.name for path in tmp_path.iterdir()] == ["d.csv"]


@pytest.mark.parametrize(("text", "columns"), [("", "no columns"), ("a,b\n", "the columns a, b"), ("\n", "no columns")])
def test_a_table_without_the_columns_is_refused_even_if_empty(tmp_path, text, columns):
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=f"has {columns}: it must have the columns id and label"):
        read_decision_file(path)
    path.write_text("id,label\n")
    assert read_decision_file(path) == {}
