"""The test set's accuracy or error after each epoch, drawn from results that hold a curve; needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from goldvein.bench.plan import Column, Row, Table, named
from goldvein.bench.table import Result, by_cell
from goldvein.errors import InputError
from goldvein.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")


def draw_curves(
    table: Table,
    results: Iterable[Result],
    path: str | Path,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> None:
    """One panel for each column, one line for each row: the mean over seeds, and the span between them.

    Along the epochs, or, where one method has over twice as many as another, along the share that is done.

    Parameters
    ----------
    table : Table
    results : iterable of dict
        As :func:`goldvein.bench.run.read_results` returns them; those without a curve are passed over.
    path : path
        Ends in .svg, .png or .pdf.
    rows, columns : sequence of str, optional
        Names; by default all.

    Raises
    ------
    InputError
        No result has a curve, a row or column is not the table's, the ending is another, or matplotlib is missing.
    """
    path = Path(path)
    kind = path.suffix.lstrip(".").lower()
    if kind not in FORMATS:
        raise InputError(f"{path} must end in one of .{', .'.join(FORMATS)}: that is what can be drawn")
    cells = by_cell(table, results)
    lines = named(table.rows, rows, "row")
    known = named(table.columns, columns, "column")
    drawn = [c for c in known if any("curve" in r for row in lines for r in cells[row.name, c.name])]
    if not drawn:
        raise InputError("no result of the table has a curve: set curve = true in a column, and run it")
    figure = _figure(table, cells, lines, drawn)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, bbox_inches="tight", metadata={"Date": None} if kind == "svg" else None)
    write_whole(path, lambda file: file.write(buffer.getvalue()))


def _figure(table: Table, cells: dict[tuple[str, str], list[Any]], lines: list[Row], drawn: list[Column]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("a figure needs matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=(3.2 * len(drawn) + 0.6, 3.2), layout="constrained")
    axes = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    n = [r["n_iter"] for row in lines for column in drawn for r in cells[row.name, column.name] if "curve" in r]
    shares = max(n) > 2 * min(n)
    for axis, column in zip(axes, drawn, strict=True):
        for k, row in enumerate(lines):
            results = [r for r in cells[row.name, column.name] if "curve" in r]
            if not results:
                continue
            values, apart = _curves(results)
            values = values if table.measure == "accuracy" else 100 - values
            x = np.arange(1, values.shape[1] + 1) * (100 / values.shape[1] if shares else apart)
            axis.plot(x, values.mean(0), color=f"C{k}", linewidth=1.2, label=row.name)
            axis.fill_between(x, values.min(0), values.max(0), color=f"C{k}", alpha=0.15, linewidth=0)
        axis.set_title(column.name, fontsize=10)
        axis.set_xlabel("done of the training, %" if shares else "epoch")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(f"test {table.measure}, %")
    handles = {label: h for axis in axes for h, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=9)
    return figure


def _curves(results: list[Result]) -> tuple[np.ndarray, int]:
    """Accuracies in % (seeds, points) at the points that all curves have, and the epochs between two points."""
    spacing = [max(1, round(r["n_iter"] / len(r["curve"]))) for r in results]
    apart = max(spacing)
    curves = [r["curve"][apart // s - 1 :: apart // s] for r, s in zip(results, spacing, strict=True)]
    length = min(map(len, curves))
    return 100 * np.array([curve[:length] for curve in curves]), apart
