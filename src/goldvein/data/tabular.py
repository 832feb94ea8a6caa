"""Numeric and categorical columns to float32 vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goldvein.data.columns import Column, Columns, as_dates, as_numbers, as_text
from goldvein.data.spec import ColumnPlan
from goldvein.errors import InputError

MAX_CATEGORIES = 64  # each category becomes one input
# A column gets a note if less than this share of its cells are not numbers, which then look like errors, or if less
# than this share of its values become categories.
HALF = 0.5


def plan_columns(columns: Columns, names: Sequence[str]) -> list[ColumnPlan]:
    """Learn from all rows how each column becomes numbers.

    A numeric column is kept as it is. If it has empty cells, they get the median, and a second column says where they
    were. A date becomes days since 1970, month (1 to 12) and weekday (Monday is 0). Any other column becomes one column
    of 0 and 1 per category. Its categories are the values that occur at least twice, at most the 64 most frequent. A
    column that is all empty, or whose values all differ, is left out.

    Parameters
    ----------
    columns : dict of name to column
    names : sequence of str
        The columns that are inputs, in order.

    Returns
    -------
    list of ColumnPlan
        For :func:`apply_plan`. A ``note`` explains a surprising choice of categories.

    Examples
    --------
    >>> plan_columns({"age": np.array(["3", "", "5"], dtype=object)}, ["age"])
    [{'name': 'age', 'median': 4.0, 'blanks': True}]
    """
    plan: list[ColumnPlan] = []
    for name in names:
        numbers, date = as_numbers(columns[name]), False
        if numbers is None:
            numbers = as_dates(columns[name])
            date = numbers is not None
        if numbers is None:
            counts = Counter(cell.strip() for cell in as_text(columns[name]) if cell.strip())
            # ties are sorted by name, so the order of the rows does not matter
            common = sorted((c for c, n in counts.items() if n > 1), key=lambda c: (-counts[c], c))
            if common:
                plan.append({"name": name, "categories": sorted(common[:MAX_CATEGORIES])})
                note = _explain_categories(columns[name], counts, len(common))
                if note:
                    plan[-1]["note"] = note
            continue
        empty = np.isnan(numbers)
        if not empty.all():
            median = float(np.median(numbers[~empty]))
            plan.append({"name": name, "median": median, "blanks": bool(empty.any())})
            if date:
                plan[-1]["date"] = True
    return plan


def apply_plan(columns: Columns, plan: Sequence[ColumnPlan]) -> NDArray[np.float32]:
    """Return the vectors of all rows.

    Parameters
    ----------
    columns : dict of name to column
    plan : sequence of ColumnPlan

    Returns
    -------
    ndarray of shape (N, D), float32
        A category that is not in the plan, or an empty cell, gives 0 in all columns of its column.

    Raises
    ------
    InputError
        If a column is missing, or a cell of a numeric column is not a finite number.

    Examples
    --------
    >>> column = np.array(["red", "", "blue"], dtype=object)
    >>> apply_plan({"color": column}, [{"name": "color", "categories": ["green", "red"]}]).tolist()
    [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    """
    parts: list[NDArray[np.float32]] = []
    for step in plan:
        name = step["name"]
        if name not in columns:
            wanted = ", ".join(s["name"] for s in plan)
            raise InputError(f"column {name!r} is missing; the model was trained on the columns {wanted}")
        if "categories" in step:
            cells = np.array([cell.strip() for cell in as_text(columns[name])], dtype=object)
            parts += [(cells == category).astype(np.float32) for category in step["categories"]]
            continue
        date = step.get("date", False)
        numbers = _read_dates(columns, name) if date else _read_finite(columns, name)
        empty = np.isnan(numbers)
        filled = np.where(empty, step["median"], numbers)
        parts.append(filled.astype(np.float32))
        if date:
            days = np.floor(filled).astype("datetime64[D]")
            parts.append((days.astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.float32))
            parts.append(((days.astype(np.int64) + 3) % 7).astype(np.float32))  # 1970-01-01 was a Thursday
        if step["blanks"]:
            parts.append(empty.astype(np.float32))
    return np.stack(parts, axis=1)  # (N, D)


def _explain_categories(column: Column, counts: Counter[str], n_common: int) -> str | None:
    """Return a note if the categories may surprise: most cells are numbers, or most values are not categories."""
    numeric = {cell: as_numbers(np.array([cell], dtype=object)) is not None for cell in counts}
    n_odd = sum(n for cell, n in counts.items() if not numeric[cell])
    if n_odd < HALF * counts.total():
        row = next(k for k, cell in enumerate(as_text(column)) if cell.strip() and not numeric[cell.strip()])
        odd = "1 cell that is not a number" if n_odd == 1 else f"{n_odd:,} cells that are not numbers"
        return f"has {odd} ({column[row]!r} in row {row}), so it is read as categories; correct it or leave it empty"
    if min(n_common, MAX_CATEGORIES) < HALF * len(counts):
        kept = min(n_common, MAX_CATEGORIES)
        return f"has {len(counts):,} different values, of which only the {kept} most frequent become categories"
    return None


def _read_dates(columns: Columns, name: str) -> NDArray[np.float64]:
    days = as_dates(columns[name])
    if days is not None:
        return days
    cells = as_text(columns[name])
    row = next((r for r in range(len(cells)) if cells[r].strip() and as_dates(columns[name][r : r + 1]) is None), None)
    if row is None:  # all cells are empty
        return np.full(len(cells), np.nan)
    raise InputError(
        f"column {name!r} holds {cells[row]!r} in row {row}; the model was trained on dates: "
        "write them like 2024-03-01, or leave the cell empty"
    )


def _read_finite(columns: Columns, name: str) -> NDArray[np.float64]:
    numbers = as_numbers(columns[name])
    if numbers is None:
        row = next(r for r in range(len(columns[name])) if as_numbers(columns[name][r : r + 1]) is None)
        raise InputError(
            f"column {name!r} holds {columns[name][row]!r} in row {row}; the model was trained on numbers: "
            "correct the cell or leave it empty"
        )
    beyond = np.abs(numbers) > np.finfo(np.float32).max  # infinite as float32
    if beyond.any():
        row = int(beyond.argmax())
        raise InputError(f"column {name!r} holds {numbers[row]} in row {row}; give finite 32-bit numbers")
    return numbers
