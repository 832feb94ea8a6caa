"""CSV and Parquet files as named columns, and columns as text or numbers."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from goldvein.errors import InputError

Column = NDArray[Any]  # (N,): object (str, "" if empty); from Parquet also int64, or float64 (NaN if empty)
Columns = dict[str, Column]

# Cells that count as empty in a column of inputs. Among labels, only an empty cell is missing.
BLANK = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
# Not float(), which would also read 1_2 and digits of other scripts.
_NUMBER = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf(inity)?)", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?Z?)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+(,[0-9]+)?")
_LONGEST_CELL = 2**31 - 1  # the largest limit that the csv module accepts on every system


def read_columns(path: Path) -> Columns:
    """Return the columns of a ``.csv``, ``.tsv``, ``.parquet`` or ``.pq`` file.

    CSV must be UTF-8, with or without a byte order mark. The delimiter is the one of ``,`` ``;`` tab that splits the
    header into the most cells, and always tab for ``.tsv``. With ``;``, numbers may have decimal commas. Quoted cells
    may contain delimiters and newlines. A ``.tsv`` with unpaired quotes is read without quoting.

    Raises
    ------
    InputError
        If the file is empty, not UTF-8 or badly quoted, a row has another length than the header, there are no rows,
        or two columns have the same name; for Parquet also if pyarrow is not installed.
    """
    columns = _read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _read_csv(path)
    if not columns or not len(next(iter(columns.values()))):
        raise InputError(f"{path} holds no rows; give a header line and at least one row")
    return columns


def as_text(column: Column) -> list[str]:
    """Return the cells as strings, with ``""`` for empty cells and without a decimal point in whole numbers.

    Examples
    --------
    >>> as_text(np.array([1.0, np.nan, 0.5]))
    ['1', '', '0.5']
    """
    if column.dtype.kind == "f":
        # only NaN differs from itself; whole numbers are floats in a column with empty cells
        return ["" if v != v else str(int(v)) if v.is_integer() else repr(v) for v in column.tolist()]
    return [str(value) for value in column.tolist()]


def as_numbers(column: Column) -> NDArray[np.float64] | None:
    """Return the cells as float64, or None if a cell is not a number.

    Empty cells become NaN, and so do ``NA``, ``N/A``, ``NaN``, ``null``, ``None`` and ``?`` in any case.

    Examples
    --------
    >>> as_numbers(np.array(["1.5", "", "NA", "2e3"], dtype=object)).tolist()
    [1.5, nan, nan, 2000.0]
    >>> as_numbers(np.array(["1.5", "x"], dtype=object)) is None
    True
    """
    if column.dtype != object:
        return column.astype(np.float64)
    cells = [cell.strip() for cell in column.tolist()]
    numbers = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if _NUMBER.fullmatch(cell):
            numbers[row] = float(cell)
        elif cell.lower() not in BLANK:
            return None
    return numbers


def as_dates(column: Column) -> NDArray[np.float64] | None:
    """Return the cells as days since 1970-01-01 (a part of a day for a time), or None if a cell is not a date.

    Dates are written as in ISO 8601: ``2024-03-01``, ``2024-03-01 12:30``. Empty cells become NaN, as in
    :func:`as_numbers`. A column without a date is None, too.

    Examples
    --------
    >>> as_dates(np.array(["1970-01-02", "", "1970-01-03 12:00"], dtype=object)).tolist()
    [1.0, nan, 2.5]
    """
    if column.dtype != object:
        return None
    days = np.full(len(column), np.nan)
    for row, cell in enumerate(cell.strip() for cell in column.tolist()):
        if _DATE.fullmatch(cell):
            try:
                moment = np.datetime64(cell.removesuffix("Z").replace(" ", "T"), "ms")
            except ValueError:  # the 30th of February
                return None
            days[row] = moment.astype(np.int64) / 86_400_000
        elif cell.lower() not in BLANK:
            return None
    return None if np.isnan(days).all() else days


def _read_csv(path: Path) -> Columns:
    try:
        content = path.read_bytes().decode("utf-8-sig")  # spreadsheets write a byte order mark
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}); save it as 'CSV UTF-8'") from error
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _guess_delimiter(content)
    try:
        rows = _split_rows(path, content, delimiter, csv.QUOTE_MINIMAL)
    except csv.Error as error:
        if path.suffix.lower() != ".tsv":
            raise InputError(f"{path} is badly quoted ({error}); double the quotes inside a cell") from error
        rows = _split_rows(path, content, delimiter, csv.QUOTE_NONE)  # many .tsv files have no quoting at all
    if not rows:
        return {}
    _check_unique(path, rows[0])
    columns = {}
    for i, name in enumerate(rows[0]):
        cells = [row[i] for row in rows[1:]]
        # where commas are decimal signs, spreadsheets separate cells by semicolons
        columns[name] = np.array(_replace_decimal_commas(cells) if delimiter == ";" else cells, dtype=object)
    return columns


def _guess_delimiter(content: str) -> str:
    """Return the usual delimiter that splits the first line into the most cells; a comma if none splits it."""
    first = content.lstrip("\r\n").split("\n", 1)[0]
    # of equal counts, max takes the first: the comma
    return max(",;\t", key=lambda delimiter: len(next(csv.reader([first], delimiter=delimiter), [])))


def _split_rows(path: Path, content: str, delimiter: str, quoting: Literal[0, 3]) -> list[list[str]]:
    before = csv.field_size_limit(_LONGEST_CELL)  # a cell may hold a whole document
    try:
        # without strict, a quote that is never closed would silently swallow the rows after it
        lines = io.StringIO(content, newline="")
        reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=True, strict=True)
        rows: list[list[str]] = []
        for row in reader:
            if not row:  # a blank line
                continue
            if rows and len(row) != len(rows[0]):
                raise InputError(
                    f"{path} has {len(row)} cells in line {reader.line_num}, {len(rows[0])} in its header; "
                    f"quote cells that contain {delimiter!r}"
                )
            rows.append(row)
        return rows
    finally:
        csv.field_size_limit(before)  # the limit belongs to the whole process


def _replace_decimal_commas(cells: list[str]) -> list[str]:
    """Return the cells with ``3,5`` as ``3.5`` if all numbers of the column are written so."""
    filled = [cell.strip() for cell in cells if cell.strip().lower() not in BLANK]
    if any("," in cell for cell in filled) and all(map(_DECIMAL_COMMA.fullmatch, filled)):
        return [cell.replace(",", ".") for cell in cells]
    return cells


def _read_parquet(path: Path) -> Columns:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(f"{path} needs pyarrow; install it with pip install 'goldvein[parquet]'") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            table = file.read()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is not a complete Parquet file ({reason}); write it again") from error
    _check_unique(path, table.column_names)
    return {name: _from_arrow(path, name, table.column(name)) for name in table.column_names}


def _from_arrow(path: Path, name: str, column: Any) -> Column:
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_floating(kind):
        return np.asarray(column.to_numpy(), dtype=np.float64)
    # with empty cells, to_numpy would return floats, which round integers above 2**53
    if types.is_integer(kind) and not column.null_count and kind is column.type:
        return np.asarray(column.to_numpy())
    simple = (types.is_string, types.is_large_string, types.is_string_view, types.is_integer)
    if not any(test(kind) for test in (*simple, types.is_boolean, types.is_temporal, types.is_decimal)):
        raise InputError(f"column {name!r} of {path} holds {kind}, not text or numbers; leave it out")
    return np.array(["" if cell is None else str(cell) for cell in column.to_pylist()], dtype=object)


def _check_unique(path: Path, names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path} has {names.count(twice)} columns named {twice!r}; rename all but one")
