"""The leaderboard: draws that keep their promise, contests that are resumed, and a page that shows misses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goldvein import InputError
from goldvein.bench.few_and_wrong import PROTOCOLS, draw, give_labels
from goldvein.bench.leaderboard import Contest, list_contests, read_lines, render_page, run_contest, run_leaderboard


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    y = np.arange(900) % 3
    x = np.c_[rng.normal(size=(900, 3)) * 50 + 150.0 * np.eye(3)[y], rng.random(900) < 0.5].astype(np.float32)
    (tmp_path / "tables").mkdir()
    np.savez(tmp_path / "tables" / "vehicle.npz", X=x, y=y, n_num=3)
    return tmp_path


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_draws(protocol: str, data_dir: Path) -> None:
    data = draw("vehicle", protocol, 1, data_dir)
    assert len(data.y_test) == 270
    assert len(data.y) == 630
    np.testing.assert_allclose(data.x[:, :3].mean(0), 0, atol=1e-4)
    assert set(np.unique(data.x[:, 3])) == {0, 1}
    labeled = data.y >= 0
    wrong = (data.y != data.y_true)[labeled].mean()
    expected = {"A20": 0.2, "A40": 0.4, "C0": 0, "C20": 0.2, "C40": 0.4}
    if protocol in expected:
        assert wrong == pytest.approx(expected[protocol], abs=1e-3)
    else:
        assert 0 < wrong <= 0.45
    assert labeled.sum() == (630 if protocol[0] in "AB" else 60 if protocol[0] == "C" else 31)
    again = draw("vehicle", protocol, 1, data_dir)
    np.testing.assert_array_equal(again.y, data.y)
    assert (draw("vehicle", protocol, 2, data_dir).y_true != data.y_true).any()


def test_rates_of_b_differ_between_classes() -> None:
    true = np.repeat(np.arange(4), 5000)
    given = give_labels(np.zeros((len(true), 1)), true, "B30", np.random.default_rng(0))
    rates = [(given[true == k] != k).mean() for k in range(4)]
    assert all(0.07 < rate < 0.47 for rate in rates)
    assert max(rates) - min(rates) > 0.05


def test_a_contest_and_its_line(data_dir: Path) -> None:
    peer = run_contest(Contest("SVC", "vehicle", "A20", 0), data_dir)
    assert peer["accuracy"] > 0.9
    assert "auroc" not in peer
    own = run_contest(Contest("auto", "vehicle", "A20", 0), data_dir)
    assert own["accuracy"] > 0.9
    assert own["auroc"] > 0.95
    assert own["f1"] > 0.9
    assert abs(own["rate_error"]) < 0.05


@pytest.mark.parametrize("row", ["LabelSpreading", "SelfTraining(RandomForest)", "RandomForest"])
def test_peers_see_what_they_can_use(row: str, data_dir: Path) -> None:
    for protocol in ("C0", "A20"):
        assert run_contest(Contest(row, "vehicle", protocol, 0), data_dir)["accuracy"] > 0.7


def test_a_run_does_what_is_missing(data_dir: Path, tmp_path: Path) -> None:
    contests = list_contests(["SVC"], ["vehicle A20", "vehicle C0"], [0])
    path = tmp_path / "lines.jsonl"
    assert run_leaderboard(contests[:1], path, data_dir=data_dir) == 0
    first = path.read_text()
    assert run_leaderboard(contests, path, jobs=2, data_dir=data_dir) == 0
    assert path.read_text().startswith(first)
    assert [line["contest"]["protocol"] for line in read_lines(path)] == ["A20", "C0"]
    assert run_leaderboard(list_contests(["SVC"], ["adult A20"], [0]), path, data_dir=data_dir) == 1  # no such file


def test_rows_columns_and_seeds_are_chosen_by_name() -> None:
    assert len(list_contests(["SVC"], ["A20"])) == 30
    assert len(list_contests(["SVC"], ["adult"], [0])) == 7
    for rows, columns, message in (
        (["KNeighbor"], None, "unknown row 'KNeighbor': did you mean 'KNeighbors'?"),
        (None, ["adut"], "unknown column 'adut': did you mean 'adult'?"),
    ):
        with pytest.raises(InputError) as caught:
            list_contests(rows, columns)
        assert str(caught.value).startswith(message)
    with pytest.raises(InputError, match=r"vehicle.npz does not exist: give the folder of the data"):
        draw("vehicle", "A20", 0, "/nowhere")


def line(row: str, column: str, accuracy: float, seed: int = 0) -> dict[str, Any]:
    table, protocol = column.split()
    contest = {"row": row, "table": table, "protocol": protocol, "seed": seed}
    return {"contest": contest, "accuracy": accuracy, "macro_f1": accuracy, "majority": 0.5, "cpu_seconds": 1.0}


def test_page_shows_misses() -> None:
    lines = [line("auto", "adult A20", 0.80), line("auto", "adult A20", 0.84, 1), line("auto", "sms D", 0.60)]
    lines += [line("SVC", "adult A20", 0.80), line("SVC", "sms D", 0.65), line("KNeighbors", "sms D", 0.99)]
    page = render_page(lines)
    assert "| auto | 82.0 |  |  |  |  |  | 60.0 | 74.7 |" in page
    assert "`auto` has 71.0 % in the mean, the best single peer, SVC, 72.5 %." in page
    assert "in each of 2 columns: -1.5 points in the mean, +2.0 at best, -5.0 at worst; 1 columns are more than" in page
    assert "| sms D | 5.0 | SVC |" in page


def test_a_line_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"contest": {"row": "SVC"}}\n')
    with pytest.raises(InputError, match=r"line 1 of .* is no result of the leaderboard: remove that line"):
        read_lines(path)


def test_the_committed_page_is_that_of_its_lines() -> None:
    pages = Path(__file__).parents[2] / "docs" / "results"
    lines = read_lines(pages / "leaderboard.jsonl")
    assert len({found["key"] for found in lines}) == len(lines)
    assert render_page(lines).strip() in (pages / "leaderboard.md").read_text()
