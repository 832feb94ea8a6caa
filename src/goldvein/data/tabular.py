"""Numeric and categorical columns -> float32 vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from goldvein.data.columns import Columns, as_numbers, as_text
from goldvein.errors import InputError

MOST_CATEGORIES = 64
MOSTLY = (
    0.5  # a smaller share of cells that are no numbers is taken for slips, a smaller share of categories for a loss
)
Plan = list[dict[str, Any]]


def plan_columns(columns: Columns, names: Sequence[str]) -> Plan:
    """How each column becomes numbers, learned from all rows.

    A column of numbers is kept as it is; where it has blanks, they become its median and a second column says
    where they were. Any other column becomes one column of 0 and 1 for each of its categories: the 64 most
    frequent of those that occur at least twice. What gives no column (all blank, or all different) is left
    out.

    Parameters
    ----------
    columns : dict of name -> column
    names : sequence of str
        Which of them are inputs, in order.

    Returns
    -------
    list of dict
        JSON types only; what :func:`apply_plan` takes. A ``note`` says, in words, what a person may not expect of a
        column that is read as categories.

    Examples
    --------
    >>> plan_columns({"age": np.array(["3", "", "5"], dtype=object)}, ["age"])
    [{'name': 'age', 'median': 4.0, 'blanks': True}]
    """
    plan: Plan = []
    for name in names:
        numbers = as_numbers(columns[name])
        if numbers is None:
            counts = Counter(cell.strip() for cell in as_text(columns[name]) if cell.strip())
            common = sorted((c for c, n in counts.items() if n > 1), key=lambda c: (-counts[c], c))
            if common:
                plan.append({"name": name, "categories": sorted(common[:MOST_CATEGORIES])})
                note = _note(columns[name], counts, len(common))
                if note:
                    plan[-1]["note"] = note
            continue
        blank = np.isnan(numbers)
        if not blank.all():
            median = float(np.median(numbers[~blank]))
            plan.append({"name": name, "median": median, "blanks": bool(blank.any())})
    return plan


def apply_plan(columns: Columns, plan: Plan) -> np.ndarray:
    """Vectors by a plan.

    Parameters
    ----------
    columns : dict of name -> column
    plan : list of dict

    Returns
    -------
    ndarray of shape (N, D), float32
        A category that the plan lacks is 0 in all columns of its column, and so is a blank one.

    Raises
    ------
    InputError
        If a column is missing, or holds a cell that is no finite number where the plan has numbers.

    Examples
    --------
    >>> column = np.array(["red", "", "blue"], dtype=object)
    >>> apply_plan({"color": column}, [{"name": "color", "categories": ["green", "red"]}]).tolist()
    [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    """
    parts: list[np.ndarray] = []
    for step in plan:
        name = step["name"]
        if name not in columns:
            wanted = ", ".join(s["name"] for s in plan)
            raise InputError(f"column {name!r} is missing; the model was trained on the columns {wanted}")
        if "categories" in step:
            cells = np.array([cell.strip() for cell in as_text(columns[name])], dtype=object)
            parts += [(cells == category).astype(np.float32) for category in step["categories"]]
            continue
        numbers = _finite_numbers(columns, name)
        blank = np.isnan(numbers)
        parts.append(np.where(blank, step["median"], numbers).astype(np.float32))
        if step["blanks"]:
            parts.append(blank.astype(np.float32))
    return np.stack(parts, axis=1)


def _note(column: np.ndarray, counts: Counter[str], n_common: int) -> str | None:
    """What may surprise of categories: they are nearly all numbers, or there are too many of them."""
    numeric = {cell: as_numbers(np.array([cell], dtype=object)) is not None for cell in counts}
    n_odd = sum(n for cell, n in counts.items() if not numeric[cell])
    if n_odd < MOSTLY * counts.total():
        row = next(k for k, cell in enumerate(as_text(column)) if cell.strip() and not numeric[cell.strip()])
        odd = "1 cell that is no number" if n_odd == 1 else f"{n_odd:,} cells that are no numbers"
        return f"has {odd} ({column[row]!r} in row {row}), so it is read as categories; mend it or leave it blank"
    if min(n_common, MOST_CATEGORIES) < MOSTLY * len(counts):
        taken = min(n_common, MOST_CATEGORIES)
        return f"has {len(counts):,} different values, of which the {taken} most frequent are read as categories"
    return None


def _finite_numbers(columns: Columns, name: str) -> np.ndarray:
    numbers = as_numbers(columns[name])
    if numbers is None:
        row = next(r for r in range(len(columns[name])) if as_numbers(columns[name][r : r + 1]) is None)
        raise InputError(
            f"column {name!r} holds {columns[name][row]!r} in row {row}; the model was trained on numbers: "
            "correct the cell or leave it blank"
        )
    beyond = np.abs(numbers) > np.finfo(np.float32).max
    if beyond.any():
        row = int(beyond.argmax())
        raise InputError(f"column {name!r} holds {numbers[row]} in row {row}; give finite 32-bit numbers")
    return numbers
