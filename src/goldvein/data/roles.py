"""The meaning of the columns of a table: which one holds the labels, which ones hold the inputs, and the others.

Column names are compared without regard to case. Where two columns differ only in case, the first one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from goldvein.data.columns import Columns, as_text

LABEL_NAMES = ("label", "y", "target", "class")
PATH_NAMES = ("path", "file", "filename", "image")
TEXT_NAMES = ("text",)
OTHER_NAMES = ("id", "trusted", "y_true")  # neither the label nor an input
ROW_NUMBERS = ("", "Unnamed: 0", "__index_level_0__")  # the index that pandas writes


def find_named(columns: Iterable[str], names: Sequence[str]) -> list[str]:
    """Return the columns that have one of the names, in the order of the names.

    Examples
    --------
    >>> find_named(["x", "Target", "LABEL"], LABEL_NAMES)
    ['LABEL', 'Target']
    """
    # reversed, so that the first of two names that differ only in case stays
    found = {name.lower(): name for name in reversed(list(columns))}
    return [found[name] for name in names if name in found]


def find_others(columns: Iterable[str], label: str | None) -> dict[str, str]:
    """Return the columns ``id``, ``trusted`` and ``y_true`` by their role; the label column has no second role.

    Examples
    --------
    >>> find_others(["x", "ID", "y_true"], label="y_true")
    {'id': 'ID'}
    """
    return {name.lower(): name for name in find_named(columns, OTHER_NAMES) if name != label}


def find_inputs(columns: Iterable[str], label: str | None) -> list[str]:
    """Return the columns that hold inputs, in the order of the table.

    Examples
    --------
    >>> find_inputs(["", "id", "x", "color", "label"], label="label")
    ['x', 'color']
    """
    names = list(columns)
    taken = {label, *ROW_NUMBERS, *find_others(names, label).values()}
    return [name for name in names if name not in taken]


def read_ids(columns: Columns, label: str | None) -> list[str]:
    """Return the name of each row: its cell in the column ``id``, or its row number where there is no such column."""
    name = find_others(columns, label).get("id")
    if name is None:
        return [str(row) for row in range(len(next(iter(columns.values()))))]
    return [cell.strip() for cell in as_text(columns[name])]
