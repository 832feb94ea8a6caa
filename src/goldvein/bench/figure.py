"""Curves of the test accuracy or error over the epochs. Needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from goldvein.bench.plan import Column, Row, Table, select_by_name
from goldvein.bench.results import JobResult
from goldvein.bench.table import group_by_cell
from goldvein.errors import InputError
from goldvein.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")


def draw_curves(
    table: Table,
    results: Iterable[JobResult],
    path: str | Path,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> None:
    """Draw the curves of a table to a file: one panel for each column, one line for each row.

    A line is the mean over seeds; the band around it goes from the lowest to the highest seed. The x axis shows
    epochs, or percent of the training if one method has more than twice as many epochs as another.

    Parameters
    ----------
    table : Table
    results : iterable of dict
        From :func:`goldvein.bench.results.read_results`. Results without a curve are ignored.
    path : path
        Ends in .svg, .png or .pdf.
    rows, columns : sequence of str, optional
        Names; by default all.

    Raises
    ------
    InputError
        No result has a curve, a row or column is unknown, the file name has another ending, or matplotlib is missing.
    """
    path = Path(path)
    kind = path.suffix.lstrip(".").lower()
    if kind not in FORMATS:
        raise InputError(f"{path} must end in one of .{', .'.join(FORMATS)}: only these formats can be written")
    cells = group_by_cell(table, results)
    lines = select_by_name(table.rows, rows, "row")
    chosen = select_by_name(table.columns, columns, "column")
    drawn = [c for c in chosen if any("curve" in r for row in lines for r in cells[row.name, c.name])]
    if not drawn:
        raise InputError("no result of the table has a curve: set curve = true in a column and run it")
    figure = _draw(table, cells, lines, drawn)
    buffer = io.BytesIO()
    # without a date, the same curves give the same SVG file
    figure.savefig(buffer, format=kind, bbox_inches="tight", metadata={"Date": None} if kind == "svg" else None)
    write_whole(path, lambda file: file.write(buffer.getvalue()))


def _draw(table: Table, cells: dict[tuple[str, str], list[JobResult]], lines: list[Row], drawn: list[Column]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("curves need matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=(3.2 * len(drawn) + 0.6, 3.2), layout="constrained")
    axes = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    n = [r["n_iter"] for row in lines for column in drawn for r in cells[row.name, column.name] if "curve" in r]
    in_percent = max(n) > 2 * min(n)
    for axis, column in zip(axes, drawn, strict=True):
        for k, row in enumerate(lines):
            results = [r for r in cells[row.name, column.name] if "curve" in r]
            if not results:
                continue
            values, spacing = _align_curves(results)
            values = values if table.measure == "accuracy" else 100 - values
            x = np.arange(1, values.shape[1] + 1) * (100 / values.shape[1] if in_percent else spacing)
            axis.plot(x, values.mean(0), color=f"C{k}", linewidth=1.2, label=row.name)
            axis.fill_between(x, values.min(0), values.max(0), color=f"C{k}", alpha=0.15, linewidth=0)
        axis.set_title(column.name, fontsize=10)
        axis.set_xlabel("training done, %" if in_percent else "epoch")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(f"test {table.measure}, %")
    handles = {label: h for axis in axes for h, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=9)
    return figure


def _align_curves(results: list[JobResult]) -> tuple[NDArray[np.float64], int]:
    """Return accuracies in % (seeds, points) at the points that all curves have, and the epochs between two points."""
    spacings = [max(1, round(r["n_iter"] / len(r["curve"]))) for r in results]  # epochs
    widest = max(spacings)  # denser curves are thinned to this spacing
    curves = [r["curve"][widest // s - 1 :: widest // s] for r, s in zip(results, spacings, strict=True)]
    length = min(map(len, curves))  # a stopped run has a shorter curve
    return 100 * np.array([curve[:length] for curve in curves]), widest
