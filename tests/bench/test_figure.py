"""Curves over epochs: drawn for what has them."""

from dataclasses import asdict

import pytest

from goldvein.bench.figure import draw_curves
from goldvein.bench.plan import Column, Row, Table
from goldvein.errors import InputError

ROWS = (Row("ce", "cross_entropy"), Row("ours", "two_stage"))
COLUMNS = (Column("clean"), Column("noisy", "symmetric", 0.2))
TABLE = Table("Two by two", "", "", "", "", "digits", ROWS, COLUMNS, seeds=(0, 1))


def results(row, column, *curves):
    for seed, curve in enumerate(curves):
        job = TABLE.job(ROWS[row], COLUMNS[column], seed)
        yield {"key": job.key, "job": asdict(job), "accuracy": 0.5, **({"curve": curve, "n_iter": 3} if curve else {})}


def test_a_panel_for_each_column_that_has_curves(tmp_path):
    pytest.importorskip("matplotlib")
    found = [*results(0, 0, [0.1, 0.4, 0.5], [0.2, 0.4, 0.6]), *results(1, 1, None)]
    draw_curves(TABLE, found, tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").read_text().count('id="axes_') == 1
    draw_curves(TABLE, [*found, *results(1, 1, [0.9])], tmp_path / "two.svg")
    assert (tmp_path / "two.svg").read_text().count('id="axes_') == 2
    draw_curves(TABLE, [*found, *results(1, 1, [0.9])], tmp_path / "part.svg", rows=["ours"])
    assert (tmp_path / "part.svg").read_text().count('id="axes_') == 1


def test_a_denser_curve_is_thinned_and_a_stopped_one_is_not_stretched(tmp_path, monkeypatch):
    figures = pytest.importorskip("matplotlib.figure")
    drawn = []
    monkeypatch.setattr(figures.Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    dense, stopped, thin = found = list(
        results(0, 0, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.1, 0.2, 0.3, 0.4], [0.4, 0.6, 0.8])
    )
    dense["n_iter"] = thin["n_iter"] = 6
    stopped["n_iter"] = 4
    draw_curves(TABLE, found, tmp_path / "curves.svg")
    (line,) = drawn[0].axes[0].lines
    assert line.get_xdata().tolist() == [2, 4]
    assert line.get_ydata().tolist() == pytest.approx([80 / 3, 140 / 3])


def test_methods_of_many_and_of_few_epochs_share_an_axis(tmp_path):
    pytest.importorskip("matplotlib")
    found = [*results(0, 0, [0.1, 0.4, 0.5]), *results(1, 0, [0.2, 0.4, 0.6])]
    draw_curves(TABLE, found, tmp_path / "alike.svg")
    assert "<!-- epoch -->" in (tmp_path / "alike.svg").read_text()
    found[1]["n_iter"] = 300
    draw_curves(TABLE, found, tmp_path / "apart.svg")
    assert "<!-- training done, % -->" in (tmp_path / "apart.svg").read_text()


def test_errors_say_what_cannot_be_drawn(tmp_path):
    with pytest.raises(InputError, match="no result of the table has a curve"):
        draw_curves(TABLE, results(0, 0, None), tmp_path / "curves.svg")
    with pytest.raises(InputError, match=r"must end in one of \.svg"):
        draw_curves(TABLE, results(0, 0, [0.5]), tmp_path / "curves.txt")
    assert not list(tmp_path.iterdir())
