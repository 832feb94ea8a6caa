"""Every committed file of results can be read, has the declared types, and gives its page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from goldvein.bench.plan import Job, list_jobs, read_plan
from goldvein.bench.results import JobResult, list_missing, read_results
from goldvein.bench.table import render_page
from goldvein.errors import InputError

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "results"
TABLES = sorted([*ROOT.glob("tables/*.toml"), *ROOT.glob("src/goldvein/bench/tables/*.toml")])
# written by scripts in perf/, and by the leaderboard, which has a test of its own
OTHER_FORMATS = {"issues_one_run.jsonl", "review_gain.jsonl", "leaderboard.jsonl"}


def results_path(table: Path) -> Path:
    """Return the file of results that the command of a table writes."""
    found = re.search(r"--results (\S+)", read_plan(table).command)
    return ROOT / found[1] if found else ROOT / "missing"


def mismatches(value: Any, declared: Any, where: str) -> list[str]:
    """Return the places where a JSON value does not have the declared type."""
    if declared is Any:
        return []
    if is_typeddict(declared):
        if not isinstance(value, dict):
            return [where]
        hints = get_type_hints(declared)
        names = declared.__required_keys__ - value.keys() | value.keys() - hints.keys()
        found = [f"{where}.{name}" for name in sorted(names)]
        for name in value.keys() & hints.keys():
            found += mismatches(value[name], hints[name], f"{where}.{name}")
        return found
    if get_origin(declared) is UnionType:
        return [] if any(not mismatches(value, part, where) for part in get_args(declared)) else [where]
    if get_origin(declared) is dict:
        _, item = get_args(declared)
        return [m for name, part in value.items() for m in mismatches(part, item, f"{where}.{name}")]
    if get_origin(declared) is list:
        (item,) = get_args(declared)
        return [m for i, part in enumerate(value) for m in mismatches(part, item, f"{where}[{i}]")]
    kinds = {float: (int, float), int: int, str: str, NoneType: NoneType}
    return [] if isinstance(value, kinds[declared]) and not isinstance(value, bool) else [where]


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.jsonl")), ids=lambda path: path.name)
def test_committed_results_have_the_declared_types(path: Path) -> None:
    if path.name in OTHER_FORMATS:
        pytest.skip("not of a published table")
    results = read_results(path)
    assert len(results) == path.read_text().count("\n") > 0
    for number, result in enumerate(results, start=1):
        assert mismatches(result, JobResult, f"line {number}") == []
        assert Job(**result["job"]).key == result["key"]
    assert path in {results_path(table) for table in TABLES}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_committed_pages_are_up_to_date(path: Path) -> None:
    page, table = PAGES / f"{path.stem}.md", read_plan(path)
    text = render_page(table, read_results(results_path(path)))
    assert table.title in text
    if page.exists() and results_path(path).exists():
        assert text == page.read_text()  # else run the command on the page again, with --limit 0


def line(**changes: object) -> str:
    """Return the first committed line with changes; None removes a key."""
    result = json.loads((PAGES / "clean_set_mnist.jsonl").read_text().split("\n")[0]) | changes
    return json.dumps({name: value for name, value in result.items() if value is not None}) + "\n"


def test_a_line_that_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    for text in ('{"key": 1}\n', "[]\n", "{\n", line(job={"data": "digits"})):
        path.write_text(line() + text)
        with pytest.raises(InputError, match=r"line 2 of .* is not a result: remove that line"):
            read_results(path)
    path.write_text(line(accuracy=None))
    with pytest.raises(InputError, match=r"line 1 of .* is not a result: it has no accuracy"):
        read_results(path)
    path.write_text("")
    assert read_results(path) == []
    assert read_results(tmp_path / "none.jsonl") == []


def test_jobs_without_a_result_are_missing(tmp_path: Path) -> None:
    (path,) = (path for path in TABLES if path.stem == "clean_set_mnist")
    jobs = list_jobs(read_plan(path))
    assert list_missing(jobs, tmp_path / "none.jsonl") == jobs
    (tmp_path / "results.jsonl").write_text(line())
    assert len(list_missing(jobs, tmp_path / "results.jsonl")) == len(jobs) - 1
