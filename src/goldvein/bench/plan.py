"""A published table as a TOML file, and the training runs that make it up.

::

    title = "MNIST"                                what the table shows
    citation = "Ding et al. 2018, WACV"            where it was published
    source = "Table 3, MNIST"                      which table there
    cost = "2 h on one core"                       measured
    command = "goldvein bench name"                how to make it
    measure = "accuracy"                           (default) or "error": of the test set, in percent
    seeds = [0, 1, 2]                              each draws its own noise, weights and order of rows

    [data]
    name = "mnist"                                 one of goldvein.data.standard.names()
    rows = 50000                                   train on the first of them (default: all)

    [estimator]                                    arguments of NoisyLabelClassifier, for all rows
    epochs = 40

    [[rows]]
    name = "ours"
    method = "two_stage"
    params = { selector__threshold = 0.95 }        as goldvein.configure.build_method takes them
    by_column = { "asymmetric .2" = { rounds = 2 } }    more of them, in some columns
    estimator = { lr = 0.1 }                       in place of those above
    data = "mnist"                                 in place of the one above
    trusted_per_class = 10                         as that of a column, below

    [[columns]]
    name = "asymmetric .2"
    noise = "patrini_mnist"                        one of goldvein.data.noise.names(), or "none" (default)
    rate = 0.2
    draw = "independent"                           (default) or "exact": see Column
    labels_per_class = 100                         (default: all)
    trusted_per_class = 20                         rows whose true label is given and trusted (default: 0)
    curve = true                                   also measure the test set after each epoch, for a figure
    issues = true                                  also measure how well wrong labels are found; costs time

    [published]
    ours = { "asymmetric .2" = [97.8, 0.1] }       [mean, standard deviation], or the mean alone
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from goldvein.configure import arguments, build_method
from goldvein.errors import InputError, unknown

TABLES = Path(str(files("goldvein.bench") / "tables"))  # published ones, a file each
MEASURES = ("accuracy", "error")
SET_BY_THE_TABLE = ("method", "random_state", "verbose")


@dataclass(frozen=True)
class Row:
    """A method: its name in the table, its file, its hyper-parameters, its own arguments of the estimator.

    ``by_column`` adds hyper-parameters where a method is told what a column does (its rate of noise, say). ``data`` is
    what it is trained on instead of the table's data set, where that has the same classes and test set.
    ``trusted_per_class`` is as that of a column, for a method that needs such rows.
    """

    name: str
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    estimator: dict[str, Any] = field(default_factory=dict)
    by_column: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: str | None = None
    trusted_per_class: int = 0

    def params_in(self, column: str) -> dict[str, Any]:
        """The hyper-parameters in a column, by its name."""
        return {**self.params, **self.by_column.get(column, {})}


@dataclass(frozen=True)
class Column:
    """What happens to the labels.

    Attributes
    ----------
    noise, rate : str and float
        As :func:`goldvein.data.noise.transition` takes them; ``none`` leaves the labels of the data set.
    draw : {"independent", "exact"}
        ``independent``: each label flips by itself, then ``labels_per_class`` are kept by given label.
        ``exact``: ``labels_per_class`` are kept by true label, then an exact number of them flips.
    labels_per_class : int or None
        Labels that are not missing; None is all.
    trusted_per_class : int
        Rows of each class, drawn by the seed, whose label is the true one and is known to be.
    issues : bool
        Whether the list of suspicious labels is measured too.
    curve : bool
        Whether the test set is measured after each epoch; no choice sees it.
    """

    name: str
    noise: str = "none"
    rate: float = 0.0
    draw: str = "independent"
    labels_per_class: int | None = None
    trusted_per_class: int = 0
    issues: bool = False
    curve: bool = False


Part = TypeVar("Part", Row, Column)


@dataclass(frozen=True)
class Table:
    """A table to make: see the head of this file. ``published`` is row -> column -> (mean, std or None)."""

    title: str
    citation: str
    source: str
    cost: str
    command: str
    data: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    seeds: tuple[int, ...]
    n_rows: int | None = None
    measure: str = "accuracy"
    estimator: dict[str, Any] = field(default_factory=dict)
    published: dict[str, dict[str, tuple[float, float | None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows, columns = [row.name for row in self.rows], [column.name for column in self.columns]
        for what, given in (("row", rows), ("column", columns), ("seed", self.seeds)):
            twice = [name for name, n in Counter[Any](given).items() if n > 1]
            if twice:
                raise InputError(f"the {what} {twice[0]!r} is there twice: give each its own")
            if not given:
                raise InputError(f"the table has no {what}: give at least one")
        for name, cells in self.published.items():
            if name not in rows:
                raise unknown("row of published values", name, rows)
            for column in cells:
                if column not in columns:
                    raise unknown("column of published values", column, columns)
        for row in self.rows:
            for column in row.by_column:
                if column not in columns:
                    raise unknown(f"column in by_column of row {row.name!r}", column, columns)

    def job(self, row: Row, column: Column, seed: int) -> Job:
        """The training run of a cell with a seed."""
        return Job(
            data=row.data or self.data,
            n_rows=self.n_rows,
            noise=column.noise,
            rate=column.rate,
            draw=column.draw,
            labels_per_class=column.labels_per_class,
            method=row.method,
            params=row.params_in(column.name),
            estimator={**self.estimator, **row.estimator},
            seed=seed,
            trusted_per_class=max(row.trusted_per_class, column.trusted_per_class),
            issues=column.issues,
            curve=column.curve,
        )


@dataclass(frozen=True)
class Job:
    """One training run, in plain JSON values; the attributes are those of :class:`Table`, Row and Column."""

    data: str
    method: str
    seed: int
    noise: str = "none"
    rate: float = 0.0
    draw: str = "independent"
    labels_per_class: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    estimator: dict[str, Any] = field(default_factory=dict)
    issues: bool = False
    n_rows: int | None = None
    trusted_per_class: int = 0
    curve: bool = False

    @property
    def key(self) -> str:
        """Digest of the content: equal jobs of any two tables have equal keys.

        What holds its default is left out, so that a new field leaves the keys of old results as they are.

        Examples
        --------
        >>> job = Job("digits", "cross_entropy", seed=0)
        >>> job.key == Job("digits", "cross_entropy", seed=0, rate=0.0).key
        True
        """
        default = asdict(Job("", "", -1))
        content = {name: value for name, value in asdict(self).items() if value != default[name]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        params = "".join(f" {name}={value}" for name, value in self.params.items())
        return f"{self.data} {self.noise} {self.rate:g} {self.method}{params} seed {self.seed}"


def names() -> list[str]:
    """The published tables, by name.

    Examples
    --------
    >>> "digits_smoke" in names()
    True
    """
    return sorted(path.stem for path in TABLES.glob("*.toml"))


def find(table: str | Path) -> Path:
    """The file of a table.

    Parameters
    ----------
    table : str or Path
        Name of a published table, or a path.

    Raises
    ------
    InputError
        There is no published table of that name, and no such file.
    """
    path = Path(table)
    if str(table) in names():
        return TABLES / f"{table}.toml"
    if path.name == str(table) and not path.suffix and not path.exists():
        raise unknown("published table", str(table), names())
    return path


def load(table: str | Path) -> Table:
    """Read a table: a published one by its name, or any by the path of its TOML file.

    Raises
    ------
    InputError
        The file cannot be read or is not TOML, a key is missing, unknown or of the wrong type, or a published
        value names no row or column.
    """
    path = find(table)
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        name = path.stem if path.stem in names() else "the path of a table, or the name of a published one"
        raise InputError(f"{path} cannot be read ({error.strerror}): give {name}") from error
    except ValueError as error:
        raise InputError(f"{path} is not TOML ({error}): mend that line") from error
    try:
        return _table(raw)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def jobs(
    table: Table,
    seeds: Sequence[int] | None = None,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> list[Job]:
    """The training runs of a table, seed after seed, so that an interrupted run has something in every cell.

    Parameters
    ----------
    table : Table
    seeds : sequence of int, optional
        In place of the table's own.
    rows, columns : sequence of str, optional
        Names; by default all.

    Raises
    ------
    InputError
        The table has no row or column of that name.
    """
    wanted = table.seeds if seeds is None else seeds
    chosen = named(table.rows, rows, "row"), named(table.columns, columns, "column")
    found = [table.job(row, column, s) for s in wanted for row in chosen[0] for column in chosen[1]]
    return list({job.key: job for job in found}.values())


def named(parts: Sequence[Part], names: Sequence[str] | None, kind: str) -> list[Part]:
    """The rows, or columns, of some names, in the order of the table."""
    known = [part.name for part in parts]
    for name in names or ():
        if name not in known:
            raise unknown(kind, name, known)
    return [part for part in parts if names is None or part.name in names]


def validate(table: Table) -> None:
    """Check every name and value of a table, without reading data or training.

    Raises
    ------
    InputError
        A data set, noise, network, method, argument or hyper-parameter does not exist, or a value is of the
        wrong type or out of range.
    """
    from goldvein.data import standard

    if table.measure not in MEASURES:
        raise unknown("measure", table.measure, MEASURES)
    if table.n_rows is not None and table.n_rows < 2:
        raise InputError(f"rows={table.n_rows}: it must be at least 2")
    n_classes = standard.describe(table.data).n_classes
    for column in table.columns:
        _at(f"column {column.name!r}", _check_column, column, n_classes)
    for row in table.rows:
        if row.data is not None and standard.describe(row.data).n_classes != n_classes:
            raise InputError(f"row {row.name!r}: {row.data} has other classes than {table.data}; give it its own table")
        for column in table.columns:
            _at(f"row {row.name!r}", build_method, row.method, row.params_in(column.name))
        _at(f"row {row.name!r}", _check_trusted, row)
        _at(f"row {row.name!r}", _check_estimator, {**table.estimator, **row.estimator})


def _table(raw: dict[str, Any]) -> Table:
    for key in ("data", "rows", "columns"):
        if key not in raw:
            raise InputError(f"the table has no {key!r}: every table needs them")
    data = raw["data"]
    if not isinstance(data, dict) or "name" not in data or set(data) - {"name", "rows"}:
        raise InputError(f'data={data!r}: it must hold a name, and rows if not all, as in [data] name = "mnist"')
    values = arguments(Table, {**raw, "data": data["name"], "n_rows": data.get("rows")}, "key of a table")
    values["rows"] = tuple(_at(f"row {i}", _part, Row, row) for i, row in enumerate(values["rows"], 1))
    values["columns"] = tuple(_at(f"column {i}", _part, Column, c) for i, c in enumerate(values["columns"], 1))
    if not all(isinstance(seed, int) for seed in values["seeds"]):
        raise InputError(f"seeds={list(values['seeds'])}: they must be whole numbers; give [0, 1, 2]")
    published = values.get("published", {})
    values["published"] = {row: _at(f"published {row!r}", _values, cells) for row, cells in published.items()}
    return Table(**values)


def _part(cls: type, given: Any) -> Any:
    if not isinstance(given, dict):
        raise InputError(f"it is {given!r}: it must be a table of keys and values")
    return cls(**arguments(cls, given, "key"))


def _values(cells: Any) -> dict[str, tuple[float, float | None]]:
    if not isinstance(cells, dict):
        raise InputError(f"it is {cells!r}: it must be a table of columns and values")
    return {column: _at(f"column {column!r}", _published, cell) for column, cell in cells.items()}


def _published(cell: Any) -> tuple[float, float | None]:
    numbers = cell if isinstance(cell, list) else [cell]
    if not all(isinstance(number, int | float) for number in numbers) or len(numbers) not in (1, 2):
        raise InputError(f"it is {cell!r}: it must be a mean, or [mean, standard deviation]")
    return (float(numbers[0]), float(numbers[1]) if len(numbers) == 2 else None)


def _check_column(column: Column, n_classes: int) -> None:
    from goldvein.data import noise

    if column.noise not in noise.names() and column.noise != "none":
        raise unknown("noise", column.noise, ["none", *noise.names()])
    if column.noise == "none" and column.rate:
        raise InputError(f"rate={column.rate} without noise: name the noise, or leave the rate out")
    if column.noise != "none":
        noise.transition(column.noise, n_classes, column.rate)
    if column.draw not in ("independent", "exact"):
        raise unknown("draw", column.draw, ["independent", "exact"])
    if column.labels_per_class is not None and column.labels_per_class < 2:
        raise InputError(f"labels_per_class={column.labels_per_class}: it must be at least 2")
    _check_trusted(column)


def _check_trusted(part: Row | Column) -> None:
    if part.trusted_per_class < 0:
        raise InputError(f"trusted_per_class={part.trusted_per_class}: it must be 0 or more")


def _check_estimator(given: dict[str, Any]) -> None:
    from goldvein import models
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.recipe import Recipe

    for name in SET_BY_THE_TABLE:
        if name in given:
            raise InputError(f"{name}={given[name]!r} stands in estimator, but the table sets it: take it out")
    values = arguments(NoisyLabelClassifier, given, "argument of the estimator")
    models.factory(values.get("model", "auto"), (1,))
    recipe = {f.name for f in fields(Recipe)} & values.keys()
    Recipe(**{name: values[name] for name in recipe if values[name] != "auto"})


def _at(where: str, check: Any, *given: Any) -> Any:
    """What a check returns; its error says where."""
    try:
        return check(*given)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
