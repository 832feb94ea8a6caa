"""The commands report and review, and the cycle of review, clean and training again."""

from __future__ import annotations

import csv
import json
import re
import shutil

import numpy as np
import pytest

from goldvein.runs.decisions import FILE, Log

QUICK = ("--method", "cross_entropy", "--set", "epochs=15")


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the digits run, which a test may change."""
    return shutil.copytree(trained, tmp_path / "run")


def listed(run):
    return list(csv.DictReader((run / "issues.csv").open()))


def correct_all(run, tmp_path):
    """Write a file with the true label for every issue of a digits run."""
    from goldvein.data import standard

    digits = standard.load_dataset("digits")
    truth = dict(zip(digits.ids.tolist(), digits.y.tolist(), strict=True))
    path = tmp_path / "truth.csv"
    lines = [f"{row['id']},{row['given_label']},{truth[row['id']]}" for row in listed(run) if row["is_issue"] == "True"]
    path.write_text("\n".join(["id,given_label,label", *lines]) + "\n")
    return path


def test_report_of_a_run(goldvein, run, tmp_path):
    goldvein("report", run)
    page = (run / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "Evidence: the hidden true labels of 1,201 rows" in page
    assert "none of them was cleaned" in page
    printed = json.loads(goldvein("report", run, "--out", tmp_path / "r.html", "--top", 5, "--json").stdout)
    assert printed["not_shown"] == 0
    assert (tmp_path / "r.html").read_text().count("<img ") == 5
    assert goldvein("report", run, "-q").output == ""


def test_the_user_s_test_rows_compare_two_runs(goldvein, refused, flowers, tmp_path):
    for name, epochs in (("first", 1), ("second", 30)):
        settings = ("--method", "cross_entropy", "--set", f"epochs={epochs}")
        goldvein("train", flowers, "--out", tmp_path / name, "--label", "kind", *settings)
    test = tmp_path / "test.csv"
    test.write_text("width,color,kind\n" + "1.1,red,rose\n9,white,lily\n" * 10)
    out = tmp_path / "report.html"
    goldvein("report", tmp_path / "second", "--before", tmp_path / "first", "--test", test, "--out", out)
    page = out.read_text()
    assert '<td>this run</td><td class="n">100.00\xa0%</td>' in page
    assert "<td>before</td>" in page
    assert "Gain: <b>" in page
    goldvein("report", tmp_path / "second", "--out", out)
    assert "This run has no test labels" in out.read_text()
    message = refused("report", tmp_path / "second", "--before", tmp_path / "first", "--out", out)
    assert "this run has no test accuracy: give --test DATA" in message


def test_a_run_after_a_review_is_compared_with_the_reviewed_run(goldvein, flowers, tmp_path):
    settings = ("--label", "kind", "--method", "cross_entropy", "--set", "epochs=2")
    goldvein("train", flowers, "--out", tmp_path / "first", *settings)
    some = listed(tmp_path / "first")[0]
    Log(tmp_path / "first" / FILE).decide(some["id"], "keep", some["given_label"], client="me")
    goldvein("train", flowers, "--out", tmp_path / "second", *settings, "--decisions", tmp_path / "first")
    test = tmp_path / "test.csv"
    test.write_text("width,color,kind\n" + "1.1,red,rose\n9,white,lily\n" * 10)
    goldvein("report", tmp_path / "second", "--test", test)
    assert "<td>before</td>" in (tmp_path / "second" / "report.html").read_text()


def test_each_run_reads_the_test_rows_with_its_own_columns(goldvein, refused, tmp_path):
    rng = np.random.default_rng(0)
    height, kind = rng.normal(0, 1, 200), np.repeat(["low", "high"], 100)
    height[100:] += 6
    rows = [f"{h:.3f},{w:.3f},{k}" for h, w, k in zip(height, rng.normal(50, 1, 200), kind, strict=True)]
    swapped = [",".join((w, h, k)) for h, w, k in (row.split(",") for row in rows)]
    (tmp_path / "a.csv").write_text("height,weight,kind\n" + "\n".join(rows[::2]))
    (tmp_path / "b.csv").write_text("weight,height,kind\n" + "\n".join(swapped[::2]))
    (tmp_path / "test.csv").write_text("height,weight,kind\n" + "\n".join(rows[1::2]))
    for name in "ab":
        settings = ("--label", "kind", "--method", "cross_entropy", "--set", "epochs=60")
        goldvein("train", tmp_path / f"{name}.csv", "--out", tmp_path / name, *settings)
    goldvein("report", tmp_path / "b", "--before", tmp_path / "a", "--test", tmp_path / "test.csv")
    page = (tmp_path / "b" / "report.html").read_text()
    shares = [
        float(share) for share in re.findall(r"<td[^>]*>([\d.]+)\xa0%</td>", page[page.index("<td>before</td>") :])
    ]
    assert min(shares[:2]) > 95
    message = refused("report", tmp_path / "b", "--test", tmp_path / "b.csv")
    assert "was trained on --test" in message
    assert "give rows that no run was trained on" in message


def test_a_run_finds_its_data_from_anywhere(goldvein, flowers, tmp_path, monkeypatch):
    monkeypatch.chdir(flowers.parent)
    settings = ("--label", "kind", "--method", "cross_entropy", "--set", "epochs=1")
    goldvein("train", flowers.name, "--out", tmp_path / "run", *settings)
    monkeypatch.chdir("/")
    goldvein("report", tmp_path / "run")
    assert "does not exist" not in (tmp_path / "run" / "report.html").read_text()


def test_reviewed_labels_improve_the_next_run_and_its_report_shows_the_gain(goldvein, run, tmp_path):
    printed = goldvein("review", run, "--import", correct_all(run, tmp_path)).stdout
    n = sum(row["is_issue"] == "True" for row in listed(run))
    assert printed.startswith(f"{n} of {n} decisions are new")
    again = tmp_path / "again"
    noise = ("--noise", "symmetric", "--noise-rate", 0.2)
    goldvein("train", "digits", "--out", again, *noise, *QUICK, "--decisions", run)
    before, after = (json.loads((folder / "metrics.json").read_text()) for folder in (run, again))
    assert after["test_accuracy"] > before["test_accuracy"]
    assert after["true_noise"]["noise_rate"] < before["true_noise"]["noise_rate"]
    decisions = json.loads((again / "config.json").read_text())["decisions"]
    assert decisions["n"] == n
    assert decisions["before"]["test_accuracy"] == before["test_accuracy"]
    goldvein("report", again)
    page = (again / "report.html").read_text()
    assert f"{100 * before['test_accuracy']:.2f}\xa0%" in page
    gain = 100 * (after["test_accuracy"] - before["test_accuracy"])
    assert f"Gain: <b>{gain:+.2f} points</b>" in page
    # a trusted label is not an issue again, and the review continues in the new run
    issues = {row["id"] for row in listed(again) if row["is_issue"] == "True"}
    assert not issues & {row["id"] for row in listed(run) if row["is_issue"] == "True"}
    assert len(Log(again / FILE).current()) == n


def test_clean_applies_decisions(goldvein, run, tmp_path):
    first, second, third, fourth = listed(run)[:4]
    log = Log(run / FILE)
    log.decide(first["id"], "keep", first["given_label"], client="me")
    log.decide(second["id"], "drop", client="me")
    other = next(label for label in "0123456789" if label not in (third["given_label"], third["suggested_label"]))
    log.decide(third["id"], "relabel", other, client="me")
    log.decide(fourth["id"], "skip", client="me")
    without = tmp_path / "without.csv"
    goldvein("clean", run, "--out", tmp_path / "with.csv")
    (run / FILE).rename(tmp_path / "moved.sqlite")
    goldvein("clean", run, "--out", without)
    found = {row["id"]: row for row in csv.DictReader((tmp_path / "with.csv").open())}
    plain = {row["id"]: row for row in csv.DictReader(without.open())}
    assert (found[first["id"]]["action"], found[first["id"]]["cleaned_label"]) == ("keep", first["given_label"])
    assert (found[second["id"]]["action"], found[second["id"]]["cleaned_label"]) == ("drop", "")
    assert (found[third["id"]]["action"], found[third["id"]]["cleaned_label"]) == ("relabel", other)
    rest = set(plain) - {row["id"] for row in (first, second, third)}
    assert all(found[row] == plain[row] for row in rest)


def test_decisions_are_exported_and_imported_in_each_format(goldvein, run, tmp_path):
    ids = [row["id"] for row in listed(run)[:3]]
    log = Log(run / FILE)
    log.decide(ids[0], "keep", listed(run)[0]["given_label"], client="me")
    log.decide(ids[1], "relabel", "7", client="me")
    log.decide(ids[2], "drop", client="me")
    made = {row: (d.action, d.label) for row, d in log.current().items()}
    for k, form in enumerate(("csv", "label-studio", "cleanlab")):
        path = tmp_path / f"decisions{k}{'.json' if form == 'label-studio' else '.csv'}"
        assert (
            "labels written, 3 of them with a decision"
            in goldvein("review", run, "--export", path, "--format", form).stdout
        )
        other = shutil.copytree(run, tmp_path / f"other{k}")
        (other / FILE).unlink()
        goldvein("review", other, "--import", path)
        assert {row: (d.action, d.label) for row, d in Log(other / FILE).current().items()} == made
        assert goldvein("review", other, "--import", path).stdout.startswith("0 of 3 decisions are new")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,label\nstranger,3\n", "id 'stranger' has a decision but is not in the run"),
        ("id,label\n{0},3\nstranger,3\n", "id 'stranger' has a decision but is not in the run"),
        ("id,label\n{0},33\n", "unknown label for id '{0}': '33'"),
        ("id,label\n{0},3\n{0},4\n", "has two decisions for id '{0}'"),
        ("x\n1\n", "it must have the columns id and label"),
    ],
)
def test_a_bad_import_changes_nothing(refused, run, tmp_path, content, message):
    row, kept = (row["id"] for row in listed(run)[:2])
    Log(run / FILE).decide(kept, "drop", client="me")
    path = tmp_path / "decisions.csv"
    path.write_text(content.format(row))
    assert message.format(row) in refused("review", run, "--import", path)
    assert list(Log(run / FILE).current()) == [kept]


def test_bad_input_is_reported(refused, run, trained, tmp_path):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "format": 99}))
    for verb in ("report", "review"):
        assert "has format 99: this goldvein reads format 1" in refused(verb, run)
        assert "contains no run" in refused(verb, tmp_path)
    assert "cannot be combined" in refused("review", trained, "--export", "a", "--import", "b")
    assert "contains no decisions" in refused("train", "digits", "--out", tmp_path / "x", "--decisions", trained)
    assert not (tmp_path / "x").exists()
    (tmp_path / "d.csv").write_text("id,label\nstranger,3\n")
    message = refused("train", "digits", "--out", tmp_path / "x", "--decisions", tmp_path / "d.csv")
    assert "id 'stranger' has a decision but is not in the data" in message
    assert not (tmp_path / "x").exists()
    message = refused("review", trained, "--export", tmp_path / "new.xml")
    assert "new.xml has no suffix of a known format: name it .csv or .json" in message
    assert not (trained / FILE).exists()


def test_the_page_needs_its_extra(refused, trained, monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "goldvein.review.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'goldvein[review]'" in refused("review", trained)
