"""Results beside the published values, as Markdown; shortfalls are marked, cells that were not run say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from goldvein.bench.plan import Column, Job, Row, Table

MOST = 1.5  # points worse than the published mean
MOST_STD = 2  # published standard deviations worse, where that is less
LEAST_STD = 0.1  # the last digit that papers print
SCORES = ("auroc", "average_precision", "precision", "recall", "f1")
RULE = (
    "mean ± standard deviation (seeds) vs published value: difference in points. **!** marks a mean that is "
    f"worse than the published one by more than {MOST} points, or by more than {MOST_STD} published standard "
    f"deviations (of at least {LEAST_STD}) where that is less."
)
Result = Mapping[str, Any]


def render(table: Table, results: Iterable[Result]) -> str:
    """The table, with the published values, and what it was made with.

    Parameters
    ----------
    table : Table
    results : iterable of dict
        As :func:`goldvein.bench.run.read_results` returns them. Those of other tables are passed over; seeds
        beyond the table's own count.

    Returns
    -------
    str
        Markdown. Standard deviations divide by n - 1; one seed has none.

    Examples
    --------
    >>> rows, columns = (Row("ce", "cross_entropy"),), (Column("clean"),)
    >>> table = Table("T", "", "", "", "", "digits", rows, columns, seeds=(0,))
    >>> print(render(table, []).splitlines()[6])
    | ce | not run |
    """
    cells = by_cell(table, results)
    body = [[r.name, *(_cell(table, r, c, cells[r.name, c.name]) for c in table.columns)] for r in table.rows]
    lines = [
        f"### {table.title}",
        "",
        f"{table.citation}: {table.source}. Values: test {table.measure}, %.",
        "",
        *_grid(["", *(column.name for column in table.columns)], body),
        "",
        RULE,
        "",
        *_made_with(table, [result for found in cells.values() for result in found]),
    ]
    return "\n".join(lines) + "\n"


def per_class(table: Table, results: Iterable[Result]) -> str:
    """Labels kept, right and wrong, by class, for the rows whose method drops labels; empty if none does.

    Counts of training rows, by class as labeled, are means over seeds; the last column has the shares of all
    training rows.
    """
    cells = by_cell(table, results)
    parts = []
    for row in table.rows:
        counts = {c.name: [r["kept"] for r in cells[row.name, c.name] if "kept" in r] for c in table.columns}
        lines = [[name, *_counts(found)] for name, found in counts.items() if found]
        if lines:
            head = ["", *(f"class {k}" for k in range(len(lines[0]) - 2)), "all"]
            parts += [f"**{row.name}**: labels kept = right + wrong", "", *_grid(head, lines), ""]
    return "\n".join(["### Labels kept", "", *parts]) if parts else ""


def corrected(table: Table, results: Iterable[Result]) -> str:
    """Labels right, wrong and removed, in percent of the training rows: means over seeds.

    For the labels as given, after each method that drops labels, and after correction by the T of each method that
    estimates one (Ding et al. 2018, Table 2); empty if there is none.
    """
    cells = by_cell(table, results)
    lines: list[list[str]] = []
    for column in table.columns:
        after = [line for row in table.rows for line in _after(row.name, cells[row.name, column.name])]
        usual = [row for row in table.rows if not row.trusted_per_class]  # which have the labels of the column
        known = [r["noise_rate"] for row in usual for r in cells[row.name, column.name]]
        rates = [rate for rate in known if rate is not None]
        if after and rates:
            wrong = 100 * fmean(rates)
            after.insert(0, ["as given", *_shares(100 - wrong, wrong, 0.0), ""])
        lines += [[column.name, *line] for line in after]
    head = ["", "", "right", "wrong", "removed", "mean error of T"]
    return "\n".join(["### Labels after correction or selection, %", "", *_grid(head, lines), ""]) if lines else ""


def issues(table: Table, results: Iterable[Result]) -> str:
    """How well wrong labels are found, for the columns that ask for it: means over seeds; empty if none does."""
    cells = by_cell(table, results)
    head = ["", "", "AUROC", "precision", "recall", "F1", "calibration error", "estimated noise rate", "true one"]
    head.append("mean error of T")
    names = ("auroc", "precision", "recall", "f1", "calibration_error", "noise_rate")
    lines = []
    for (row, column), found in cells.items():
        judged = [r for r in found if "issues" in r]
        if judged:
            means = [fmean(r["issues"][name] for r in judged) for name in names]
            rest = (fmean(r["noise_rate"] for r in judged), fmean(r["issues"]["transition_error"] for r in judged))
            lines.append([row, column, *(f"{value:.4f}" for value in (*means, *rest))])
    return "\n".join(["### Wrong labels found", "", *_grid(head, lines), ""]) if lines else ""


def others(table: Table, results: Iterable[Result]) -> str:
    """The measure of the further networks of methods that have some; empty if none has."""
    lines = []
    for (row, column), found in by_cell(table, results).items():
        known = [r["others"] for r in found if "others" in r]
        for name in known[0] if known else ():
            values = [100 * _measured(table, of[name]) for of in known]
            lines.append([row, column, name, _mean(values)])
    head = ["", "", "network", f"test {table.measure}, %"]
    return "\n".join(["### Other networks of the methods", "", *_grid(head, lines), ""]) if lines else ""


def scores(table: Table, results: Iterable[Result]) -> str:
    """How well the scores of a method's own tell wrong labels: means over seeds; empty if no method has any."""
    lines = []
    for (row, column), found in by_cell(table, results).items():
        judged = [r["issues"]["scores"] for r in found if "scores" in r.get("issues", ())]
        for name in dict.fromkeys(name for of in judged for name in of):
            values = [[of[name][key] for of in judged if name in of and of[name][key] is not None] for key in SCORES]
            lines.append([row, column, name, *(_of_seeds(v, len(judged)) for v in values)])
    head = ["", "", "score", "AUROC", "average precision", "list: precision", "recall", "F1"]
    note = "Listed are labels whose doubt is above 0 (Sun et al. 2021, Table 3), or whose share of trust is below 1/2."
    return "\n".join(["### Scores of the methods", "", *_grid(head, lines), "", note, ""]) if lines else ""


def _of_seeds(values: Sequence[float], n: int) -> str:
    """Their mean, and of how many of n seeds it is if not of all."""
    part = f" ({len(values)} of {n})" if len(values) < n else ""
    return f"{fmean(values):.3f}{part}" if values else ""


def is_worse(points: float, std: float | None) -> bool:
    """Whether a mean is worse than the published one by the rule under the table.

    Parameters
    ----------
    points : float
        By how much it is worse.
    std : float or None
        Published standard deviation.

    Examples
    --------
    >>> is_worse(0.3, 0.1), is_worse(0.3, None), is_worse(1.9, 3.0)
    (True, False, True)
    """
    most = MOST if std is None else min(MOST, MOST_STD * max(std, LEAST_STD))
    return points > most + 1e-9  # 98.0 - 97.8 is a hair above 0.2


def by_cell(table: Table, results: Iterable[Result]) -> dict[tuple[str, str], list[Result]]:
    """Results by row and column, each seed once."""
    by_job: dict[str, dict[int, Result]] = {}
    for result in results:
        job = Job(**result["job"])
        by_job.setdefault(replace(job, seed=0).key, {})[job.seed] = result
    return {
        (row.name, column.name): list(by_job.get(table.job(row, column, 0).key, {}).values())
        for row in table.rows
        for column in table.columns
    }


def _cell(table: Table, row: Row, column: Column, found: Sequence[Result]) -> str:
    published, std = table.published.get(row.name, {}).get(column.name, (None, None))
    beside = "" if published is None else f" vs {published}" + ("" if std is None else f" ± {std}")
    if not found:
        return f"not run{beside}"
    values = [100 * _measured(table, result["accuracy"]) for result in found]
    mean = fmean(values)
    n = f"{len(values)}" if len(values) >= len(table.seeds) else f"{len(values)} of {len(table.seeds)}"
    text = f"{_mean(values)} ({n}){beside}"
    if published is None:
        return text
    worse = published - mean if table.measure == "accuracy" else mean - published
    return f"{text}: {mean - published:+.2f}{' **!**' if is_worse(worse, std) else ''}"


def _mean(values: Sequence[float]) -> str:
    return f"{fmean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def _measured(table: Table, accuracy: float) -> float:
    return accuracy if table.measure == "accuracy" else 1 - accuracy


def _made_with(table: Table, results: Sequence[Result]) -> list[str]:
    planned = len(table.rows) * len(table.columns) * len(table.seeds)
    spent = _duration(sum(result["seconds"] for result in results))
    more = sum(result["job"]["seed"] not in table.seeds for result in results)
    seeds = sorted({result["job"]["seed"] for result in results})
    made = sorted({", ".join(f"{k} {v}" for k, v in result["versions"].items()) for result in results})
    return [
        f"- command: `{table.command}`",
        f"- seeds: {', '.join(map(str, seeds)) or 'none'}; planned: {', '.join(map(str, table.seeds))}",
        f"- time: {spent} of training, {len(results) - more} of {planned} runs{f' and {more} more' if more else ''}",
        *(f"- made with: {versions}" for versions in made),
    ]


def _after(row: str, found: Sequence[Result]) -> list[list[str]]:
    """Lines of :func:`corrected` for a row in one column."""
    lines = []
    for how, key in (("T, most likely class", "argmax"), ("T, a class drawn", "sampled")):
        right = [100 * result["corrected"][key] for result in found if "corrected" in result]
        if right:
            off = [r["corrected"]["transition_error"] for r in found if "transition_error" in r.get("corrected", ())]
            error = f"{fmean(off):.4f}" if off else ""
            lines.append([f"{row}: {how}", *_shares(fmean(right), 100 - fmean(right), 0.0), error])
    kept = [result["kept"] for result in found if "kept" in result]
    if kept:
        shares = {what: fmean(100 * sum(k[what]) / k["rows"] for k in kept) for what in ("right", "wrong", "kept")}
        lines.append([f"{row}: labels kept", *_shares(shares["right"], shares["wrong"], 100 - shares["kept"]), ""])
    return lines


def _shares(right: float, wrong: float, removed: float) -> list[str]:
    """In percent; what is missing to 100 is kept, and not known to be right or wrong."""
    return [f"{share:.1f}" for share in (right, wrong, removed)]


def _counts(found: Sequence[Mapping[str, Any]]) -> list[str]:
    counts = ("kept", "right", "wrong")
    by_class = [[fmean(f[count][k] for f in found) for count in counts] for k in range(len(found[0]["kept"]))]
    shares = [fmean(100 * sum(f[count]) / f["rows"] for f in found) for count in counts]
    return [
        *(f"{kept:.0f} = {right:.0f} + {wrong:.0f}" for kept, right, wrong in by_class),
        "{:.1f} % = {:.1f} + {:.1f}".format(*shares),
    ]


def _grid(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---"] * len(head)
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *lines)]


def _duration(seconds: float) -> str:
    """Examples: 45 s, 12 min, 3 h 05 min."""
    minutes = round(seconds / 60)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
