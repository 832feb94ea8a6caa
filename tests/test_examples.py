"""The examples on text run from end to end on a slice of their data."""

from __future__ import annotations

import csv
import os
import runpy
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script finds the modules in its own folder."""
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.fixture
def data_dir() -> Path:
    folder = os.environ.get("GOLDVEIN_DATA")
    if not folder or not (Path(folder) / "text").is_dir():
        pytest.skip("GOLDVEIN_DATA does not point to a folder with text/")
    return Path(folder)


@pytest.mark.parametrize("name", ["yoruba_news", "youtube_votes"])
def test_an_example_compares_its_methods_on_a_slice(
    name: str, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example: dict[str, Any] = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    results = example["main"](data_dir, tmp_path, seeds=[0], most_rows=200, epochs=2)
    assert list(results) == list(example["METHODS"])
    for (run,) in results.values():
        assert 0 < run["test"] <= 1
        assert 0 <= run["auroc"] <= 1
        assert run["hits"] <= min(run["listed"], run["wrong"])
    assert capsys.readouterr().out.count("AUROC") == len(results)


def test_yoruba_keeps_given_and_true_topics_apart(data_dir: Path, tmp_path: Path) -> None:
    runpy.run_path(str(EXAMPLES / "yoruba_news.py"))["write_tables"](data_dir, tmp_path, None)
    rows = list(csv.DictReader((tmp_path / "train.csv").open(encoding="utf-8", newline="")))
    known = [row for row in rows if row["y_true"]]
    assert (len(rows), len(known)) == (2844, 1340)
    assert sum(row["label"] != row["y_true"] for row in known) == 446


def test_youtube_votes_become_labels_or_gaps(data_dir: Path, tmp_path: Path) -> None:
    runpy.run_path(str(EXAMPLES / "youtube_votes.py"))["write_tables"](data_dir, tmp_path, None)
    rows = list(csv.DictReader((tmp_path / "train.csv").open(encoding="utf-8", newline="")))
    given = [row for row in rows if row["label"]]
    assert (len(rows), len(given)) == (1586, 1158)
    assert sum(row["label"] != row["y_true"] for row in given) == 77


def test_the_majority_of_the_rules_is_the_label() -> None:
    majority = runpy.run_path(str(EXAMPLES / "youtube_votes.py"))["majority"]
    assert majority([-1, 1, 1, 0]) == "spam"
    assert majority([-1, 0, -1, -1]) == "ham"
    assert majority([-1, -1]) == ""  # no rule says anything
    assert majority([0, 1, -1]) == ""  # nor do two that contradict each other
