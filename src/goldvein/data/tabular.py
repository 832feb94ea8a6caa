"""Numeric and categorical columns -> float32 vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from goldvein.data.columns import Columns, as_numbers, as_text
from goldvein.errors import InputError

MOST_CATEGORIES = 64
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
        JSON types only; what :func:`apply_plan` takes.

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
