"""A published table as a TOML file, and the training runs that it needs.

::

    title = "MNIST"                                what the table shows
    citation = "Ding et al. 2018, WACV"            where it was published
    source = "Table 3, MNIST"                      which table of the publication
    cost = "2 h on one core"                       measured
    command = "goldvein bench name"                how to make it
    measure = "accuracy"                           (default) or "error", on the test set, in percent
    seeds = [0, 1, 2]                              random seeds: noise, weights and row order

    [data]
    name = "mnist"                                 one of goldvein.data.standard.dataset_names()
    rows = 50000                                   train on the first rows only (default: all)

    [estimator]                                    arguments of NoisyLabelClassifier, for all rows of the table
    epochs = 40

    [[rows]]
    name = "ours"
    method = "two_stage"
    params = { selector__threshold = 0.95 }        hyper-parameters, see goldvein.config.build.build_method
    by_column = { "asymmetric .2" = { rounds = 2 } }    more hyper-parameters in some columns
    estimator = { lr = 0.1 }                       replaces arguments of [estimator]
    data = "mnist"                                 replaces the data set
    trusted_per_class = 10                         as in a column, below

    [[columns]]
    name = "asymmetric .2"
    noise = "patrini_mnist"                        one of goldvein.noise.synthetic.noise_names(), or "none" (default)
    rate = 0.2
    draw = "independent"                           (default) or "exact": see Column
    labels_per_class = 100                         labels that are not missing (default: all)
    trusted_per_class = 20                         rows with a true label that the method may trust (default: 0)
    curve = true                                   also test after each epoch, for a figure
    issues = true                                  also measure how well wrong labels are found; takes more time

    [published]
    ours = { "asymmetric .2" = [97.8, 0.1] }       [mean, standard deviation], or only the mean
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from goldvein.bench.published import find_table, table_names
from goldvein.config.build import arguments, build_method
from goldvein.errors import InputError, unknown

MEASURES = ("accuracy", "error")
SET_BY_THE_TABLE = ("method", "random_state", "verbose")


@dataclass(frozen=True)
class Row:
    """A row of the table: one method and its settings.

    Attributes
    ----------
    name : str
        Name in the table.
    method : str
        A file in ``goldvein/methods``.
    params : dict
        Hyper-parameters of the method.
    estimator : dict
        Arguments of NoisyLabelClassifier that replace those of the table.
    by_column : dict
        More hyper-parameters in some columns, for a method that knows the noise rate, for example.
    data : str or None
        Data set to train on instead of that of the table. It must have the same classes and test set.
    trusted_per_class : int
        As in :class:`Column`, for a method that needs trusted rows.
    """

    name: str
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    estimator: dict[str, Any] = field(default_factory=dict)
    by_column: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: str | None = None
    trusted_per_class: int = 0

    def params_in(self, column: str) -> dict[str, Any]:
        """Return the hyper-parameters in the column of this name."""
        return {**self.params, **self.by_column.get(column, {})}


@dataclass(frozen=True)
class Column:
    """A column of the table: how the labels are changed before training.

    Attributes
    ----------
    noise, rate : str and float
        As in :func:`goldvein.noise.synthetic.transition`; ``none`` keeps the labels of the data set.
    draw : {"independent", "exact"}
        ``independent``: each label flips independently, then ``labels_per_class`` labels of each given class are kept.
        ``exact``: ``labels_per_class`` labels of each true class are kept, then an exact number of them flips.
    labels_per_class : int or None
        Labels of each class that are not missing; None keeps all.
    trusted_per_class : int
        Rows of each class whose true label is given and marked as trusted, drawn with the seed.
    issues : bool
        Whether to measure how well wrong labels are found.
    curve : bool
        Whether to measure the test accuracy after each epoch. Training never uses it.
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
T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """A published table: see the top of this file. ``published`` is row -> column -> (mean, std or None)."""

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
        for what, values in (("row", rows), ("column", columns), ("seed", self.seeds)):
            twice = [name for name, n in Counter[Any](values).items() if n > 1]
            if twice:
                raise InputError(f"the {what} {twice[0]!r} occurs twice: each {what} must be unique")
            if not values:
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
        """Return the training run of a cell, for one seed."""
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
    """One training run, in JSON values. The attributes are those of :class:`Table`, Row and Column."""

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
        """Return a digest of the job: equal jobs of two tables have equal keys.

        Examples
        --------
        >>> job = Job("digits", "cross_entropy", seed=0)
        >>> job.key == Job("digits", "cross_entropy", seed=0, rate=0.0).key
        True
        """
        # Default values are left out: then a new field does not change the keys of old results. Sorted names make the
        # key independent of the order of the parameters.
        default = asdict(Job("", "", -1))
        content = {name: value for name, value in asdict(self).items() if value != default[name]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        params = "".join(f" {name}={value}" for name, value in self.params.items())
        return f"{self.data} {self.noise} {self.rate:g} {self.method}{params} seed {self.seed}"


def read_plan(table: str | Path) -> Table:
    """Read a table: a published one by its name, or any by the path of its TOML file.

    Raises
    ------
    InputError
        The file cannot be read or is not TOML; a key is missing, unknown or of the wrong type; or a published
        value has an unknown row or column.
    """
    path = find_table(table)
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        name = path.stem if path.stem in table_names() else "the path of a table, or the name of a published one"
        raise InputError(f"{path} cannot be read ({error.strerror}): give {name}") from error
    except ValueError as error:
        raise InputError(f"{path} is not TOML ({error}): correct that line") from error
    try:
        return _parse_table(raw)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def list_jobs(
    table: Table,
    seeds: Sequence[int] | None = None,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> list[Job]:
    """Return the training runs of a table, all cells of the first seed first.

    Parameters
    ----------
    table : Table
    seeds : sequence of int, optional
        By default those of the table.
    rows, columns : sequence of str, optional
        Names; by default all.

    Raises
    ------
    InputError
        The table has no row or column of that name.
    """
    seeds = table.seeds if seeds is None else seeds
    parts = select_by_name(table.rows, rows, "row"), select_by_name(table.columns, columns, "column")
    # seed by seed: an interrupted run then has results in every cell
    jobs = [table.job(row, column, seed) for seed in seeds for row in parts[0] for column in parts[1]]
    return list({job.key: job for job in jobs}.values())  # rows with equal settings share a run


def select_by_name(parts: Sequence[Part], names: Sequence[str] | None, kind: str) -> list[Part]:
    """Return the rows, or columns, with these names, in the order of the table."""
    known = [part.name for part in parts]
    for name in names or ():
        if name not in known:
            raise unknown(kind, name, known)
    return [part for part in parts if names is None or part.name in names]


def validate(table: Table) -> None:
    """Check every name and value of a table. No data is read and nothing is trained.

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
            raise InputError(
                f"row {row.name!r}: {row.data} has other classes than {table.data}; put this row into another table"
            )
        for column in table.columns:
            _at(f"row {row.name!r}", build_method, row.method, row.params_in(column.name))
        _at(f"row {row.name!r}", _check_trusted, row)
        _at(f"row {row.name!r}", _check_estimator, {**table.estimator, **row.estimator})


def _parse_table(raw: dict[str, Any]) -> Table:
    for key in ("data", "rows", "columns"):
        if key not in raw:
            raise InputError(f"the table has no {key!r}: add it; every table needs data, rows and columns")
    data = raw["data"]
    if not isinstance(data, dict) or "name" not in data or set(data) - {"name", "rows"}:
        raise InputError(f'data={data!r}: it must hold a name, and may hold rows, as in [data] name = "mnist"')
    values = arguments(Table, {**raw, "data": data["name"], "n_rows": data.get("rows")}, "key of a table")
    values["rows"] = tuple(_at(f"row {i}", _parse_part, Row, row) for i, row in enumerate(values["rows"], 1))
    values["columns"] = tuple(_at(f"column {i}", _parse_part, Column, c) for i, c in enumerate(values["columns"], 1))
    if not all(isinstance(seed, int) for seed in values["seeds"]):
        raise InputError(f"seeds={list(values['seeds'])}: they must be whole numbers, as in [0, 1, 2]")
    published = values.get("published", {})
    values["published"] = {row: _at(f"published {row!r}", _parse_published, cells) for row, cells in published.items()}
    return Table(**values)


def _parse_part(cls: type[Part], raw: Any) -> Part:
    if not isinstance(raw, dict):
        raise InputError(f"it is {raw!r}: it must be a table of keys and values")
    return cls(**arguments(cls, raw, "key"))


def _parse_published(cells: Any) -> dict[str, tuple[float, float | None]]:
    if not isinstance(cells, dict):
        raise InputError(f"it is {cells!r}: it must be a table of columns and values")
    return {column: _at(f"column {column!r}", _parse_cell, cell) for column, cell in cells.items()}


def _parse_cell(cell: Any) -> tuple[float, float | None]:
    numbers = cell if isinstance(cell, list) else [cell]
    if not all(isinstance(number, int | float) for number in numbers) or len(numbers) not in (1, 2):
        raise InputError(f"it is {cell!r}: it must be a mean, or [mean, standard deviation]")
    return (float(numbers[0]), float(numbers[1]) if len(numbers) == 2 else None)


def _check_column(column: Column, n_classes: int) -> None:
    from goldvein.noise import synthetic as noise

    if column.noise not in noise.noise_names() and column.noise != "none":
        raise unknown("noise", column.noise, ["none", *noise.noise_names()])
    if column.noise == "none" and column.rate:
        raise InputError(f"rate={column.rate} without noise: name the noise, or remove the rate")
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


def _check_estimator(options: dict[str, Any]) -> None:
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.training import network
    from goldvein.training.recipe import Recipe

    for name in SET_BY_THE_TABLE:
        if name in options:
            raise InputError(f"{name}={options[name]!r} in estimator: the table sets this argument; remove it")
    values = arguments(NoisyLabelClassifier, options, "argument of the estimator")
    network.find_factory(values.get("model", "auto"), (1,))  # any shape: only the name is checked
    recipe = {f.name for f in fields(Recipe)} & values.keys()
    Recipe(**{name: values[name] for name in recipe if values[name] != "auto"})


def _at(where: str, function: Callable[..., T], *values: Any) -> T:
    """Call a function; say in its error message where it failed."""
    try:
        return function(*values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
