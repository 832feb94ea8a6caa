"""Results next to the published values, as Markdown. Worse results are marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Literal, get_args

from goldvein.bench.plan import Column, Job, Row, Table
from goldvein.bench.results import JobResult
from goldvein.metrics import KeptCounts
from goldvein.noise.model import JUDGMENT

MAX_POINTS = 1.5  # largest acceptable distance to the published mean,
MAX_STDS = 2  # or this many published standard deviations, if that is less
MIN_STD = 0.1  # the last digit that papers print
OLD = " †"  # marks a row with labels that an older version of the judgment judged
Score = Literal["auroc", "average_precision", "precision", "recall", "f1"]
Issue = Literal["auroc", "precision", "recall", "f1", "calibration_error", "noise_rate"]
Count = Literal["kept", "right", "wrong"]
SCORES: tuple[Score, ...] = get_args(Score)
ISSUES: tuple[Issue, ...] = get_args(Issue)
COUNTS: tuple[Count, ...] = get_args(Count)
RULE = (
    "Each cell shows: mean ± standard deviation (number of seeds) vs published value: difference in points. **!** "
    f"marks a mean that is worse than the published mean by more than {MAX_POINTS} points, or by more than {MAX_STDS} "
    "published standard deviations if that is less; **+** marks one that is better by as much. Published standard "
    f"deviations below {MIN_STD} count as {MIN_STD}."
)


def render_page(table: Table, results: Iterable[JobResult]) -> str:
    """Return the whole page of a table in Markdown: all parts of this module that are not empty."""
    results = list(results)
    parts = (render_table, render_others, render_corrected, render_issues, render_scores, render_kept)
    return "\n".join(filter(None, (render(table, results) for render in parts)))


def render_table(table: Table, results: Iterable[JobResult]) -> str:
    """Return the table with the published values, and how it was made.

    Parameters
    ----------
    table : Table
    results : iterable of dict
        From :func:`goldvein.bench.results.read_results`. Results of other tables are ignored. Seeds that the table
        does not list are included.

    Returns
    -------
    str
        Markdown. Standard deviations divide by n - 1. A single seed has none.

    Examples
    --------
    >>> rows, columns = (Row("ce", "cross_entropy"),), (Column("clean"),)
    >>> table = Table("T", "", "", "", "", "digits", rows, columns, seeds=(0,))
    >>> print(render_table(table, []).splitlines()[6])
    | ce | not run |
    """
    cells = group_by_cell(table, results)
    body = [[r.name, *(_format_cell(table, r, c, cells[r.name, c.name]) for c in table.columns)] for r in table.rows]
    lines = [
        f"### {table.title}",
        "",
        f"{table.citation}: {table.source}. Values: test {table.measure}, %.",
        "",
        *_format_grid(["", *(column.name for column in table.columns)], body),
        "",
        RULE,
        "",
        *_describe_runs(table, [result for found in cells.values() for result in found]),
    ]
    return "\n".join(lines) + "\n"


def render_kept(table: Table, results: Iterable[JobResult]) -> str:
    """Return how many labels were kept, right and wrong, for each method that drops labels; empty if none does.

    Counts are by label, means over seeds. The last column has shares of all training rows.
    """
    cells = group_by_cell(table, results)
    parts = []
    for row in table.rows:
        counts = {c.name: [r["kept"] for r in cells[row.name, c.name] if "kept" in r] for c in table.columns}
        lines = [[name, *_format_counts(found)] for name, found in counts.items() if found]
        if lines:
            head = ["", *(f"class {k}" for k in range(len(lines[0]) - 2)), "all"]
            parts += [f"**{row.name}**: labels kept = right + wrong", "", *_format_grid(head, lines), ""]
    return "\n".join(["### Labels kept, by class", "", *parts]) if parts else ""


def render_corrected(table: Table, results: Iterable[JobResult]) -> str:
    """Return the shares of right, wrong and removed labels in percent, means over seeds.

    The lines are: the labels as given, the labels that a method kept, and the labels after correction by the T of a
    method (Ding et al. 2018, Table 2). Empty if no method drops labels or estimates T.
    """
    cells = group_by_cell(table, results)
    lines: list[list[str]] = []
    for column in table.columns:
        after = [line for row in table.rows for line in _correction_lines(row.name, cells[row.name, column.name])]
        # Rows with trusted labels of their own have other labels than the column.
        plain = [row for row in table.rows if not row.trusted_per_class]
        known = [r["noise_rate"] for row in plain for r in cells[row.name, column.name]]
        rates = [rate for rate in known if rate is not None]
        if after and rates:
            wrong = 100 * fmean(rates)
            after.insert(0, ["as given", *_format_shares(100 - wrong, wrong, 0.0), ""])
        lines += [[column.name, *line] for line in after]
    head = ["", "", "right", "wrong", "removed", "mean error of T"]
    return _format_section("Labels after correction or selection, %", head, lines)


def render_issues(table: Table, results: Iterable[JobResult]) -> str:
    """Return how well wrong labels are found, means over seeds; empty if no column has ``issues = true``.

    A row with a line of an older judgment is marked.
    """
    cells = group_by_cell(table, results)
    head = ["", "", "AUROC", "precision", "recall", "F1", "calibration error", "estimated noise rate"]
    head += ["true noise rate", "mean error of T"]
    lines, any_old = [], False
    for (row, column), found in cells.items():
        judged = [(r["noise_rate"], r["issues"]) for r in found if "issues" in r]
        old = any(issues.get("judgment", 1) < JUDGMENT for _, issues in judged)
        any_old |= old
        if judged:
            of_seeds = [
                (*(issues[name] for name in ISSUES), rate, issues["transition_error"]) for rate, issues in judged
            ]
            lines.append([row + OLD * old, column, *_format_means(of_seeds, 4)])
    notes = [f"{OLD.strip()} An older version of the judgment made this row.", ""] if any_old else []
    return _format_section("Wrong labels found", head, lines, *notes)


def render_others(table: Table, results: Iterable[JobResult]) -> str:
    """Return the accuracy or error of the other networks of the methods; empty if no method has any."""
    lines = []
    for (row, column), found in group_by_cell(table, results).items():
        known = [r["others"] for r in found if "others" in r]
        for name in known[0] if known else ():
            values = [_percent(table, accuracies[name]) for accuracies in known]
            lines.append([row, column, name, _format_mean(values)])
    head = ["", "", "network", f"test {table.measure}, %"]
    return _format_section("Other networks of the methods", head, lines)


def render_scores(table: Table, results: Iterable[JobResult]) -> str:
    """Return how well the scores of a method find wrong labels, means over seeds; empty if no method has scores."""
    lines = []
    for (row, column), found in group_by_cell(table, results).items():
        judged = [r["issues"]["scores"] for r in found if "issues" in r and "scores" in r["issues"]]
        for name in dict.fromkeys(name for scores in judged for name in scores):
            of_seeds = [tuple(scores[name][key] for key in SCORES) for scores in judged if name in scores]
            lines.append([row, column, name, *_format_means(of_seeds, 3, len(judged))])
    head = ["", "", "score", "AUROC", "average precision", "precision", "recall", "F1"]
    note = (
        "Precision, recall and F1 describe the list of labels that a score gives. If a high score means a suspicious "
        "label, the list has the labels with a score above 0 (Sun et al. 2021, Table 3). If a high score means a "
        "trusted label, the list has the labels with a score below 1/2."
    )
    return _format_section("Scores of the methods", head, lines, note, "")


def _format_means(of_seeds: Sequence[tuple[float | None, ...]], digits: int, n_seeds: int = 0) -> list[str]:
    """Format the mean of each value over the seeds; say how many seeds have the value unless all have it."""
    cells = []
    for values in zip(*of_seeds, strict=True):
        known = [value for value in values if value is not None]
        n = max(n_seeds, len(values))
        part = f" ({len(known)} of {n})" if len(known) < n else ""
        cells.append(f"{fmean(known):.{digits}f}{part}" if known else "")
    return cells


def is_worse(points: float, std: float | None) -> bool:
    """Return whether a mean is worse than the published mean, by the rule that is printed under the table.

    Parameters
    ----------
    points : float
        Distance to the published mean, in points; positive is worse.
    std : float or None
        Published standard deviation.

    Examples
    --------
    >>> is_worse(0.3, 0.1), is_worse(0.3, None), is_worse(1.9, 3.0)
    (True, False, True)
    """
    limit = MAX_POINTS if std is None else min(MAX_POINTS, MAX_STDS * max(std, MIN_STD))
    return points > limit + 1e-9  # 98.0 - 97.8 is slightly above 0.2


def group_by_cell(table: Table, results: Iterable[JobResult]) -> dict[tuple[str, str], list[JobResult]]:
    """Return the results of each row and column, one for each seed."""
    by_job: dict[str, dict[int, JobResult]] = {}
    for result in results:
        job = Job(**result["job"])
        by_job.setdefault(replace(job, seed=0).key, {})[job.seed] = result  # without its seed, a job is a cell
    return {
        (row.name, column.name): list(by_job.get(table.job(row, column, 0).key, {}).values())
        for row in table.rows
        for column in table.columns
    }


def _format_cell(table: Table, row: Row, column: Column, found: Sequence[JobResult]) -> str:
    published, std = table.published.get(row.name, {}).get(column.name, (None, None))
    comparison = "" if published is None else f" vs {published}" + ("" if std is None else f" ± {std}")
    if not found:
        return f"not run{comparison}"
    values = [_percent(table, result["accuracy"]) for result in found]
    mean = fmean(values)
    n = f"{len(values)}" if len(values) >= len(table.seeds) else f"{len(values)} of {len(table.seeds)}"
    text = f"{_format_mean(values)} ({n}){comparison}"
    if published is None:
        return text
    worse = published - mean if table.measure == "accuracy" else mean - published
    mark = " **!**" if is_worse(worse, std) else " **+**" if is_worse(-worse, std) else ""
    return f"{text}: {mean - published:+.2f}{mark}"


def _format_mean(values: Sequence[float]) -> str:
    return f"{fmean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def _percent(table: Table, accuracy: float) -> float:
    """Return an accuracy as the table measures it: accuracy or error in percent."""
    return 100 * (accuracy if table.measure == "accuracy" else 1 - accuracy)


def _describe_runs(table: Table, results: Sequence[JobResult]) -> list[str]:
    planned = len(table.rows) * len(table.columns) * len(table.seeds)
    spent = _format_duration(sum(result["seconds"] for result in results))
    extra = sum(result["job"]["seed"] not in table.seeds for result in results)
    seeds = sorted({result["job"]["seed"] for result in results})
    versions = sorted({", ".join(f"{k} {v}" for k, v in result["versions"].items()) for result in results})
    done = f"{len(results) - extra} of {planned} planned runs" + (f" and {extra} with other seeds" if extra else "")
    return [
        f"- command: `{table.command}`",
        f"- seeds: {', '.join(map(str, seeds)) or 'none'}; planned: {', '.join(map(str, table.seeds))}",
        f"- training time: {spent} for {done}",
        *(f"- versions: {line}" for line in versions),
    ]


def _correction_lines(row: str, found: Sequence[JobResult]) -> list[list[str]]:
    """Return the lines of :func:`render_corrected` for a row in one column."""
    lines = []
    corrected = [result["corrected"] for result in found if "corrected" in result]
    if corrected:
        errors = [shares["transition_error"] for shares in corrected if "transition_error" in shares]
        error = f"{fmean(errors):.4f}" if errors else ""
        for how, right in (
            ("most likely class by T", 100 * fmean(shares["argmax"] for shares in corrected)),
            ("class drawn by T", 100 * fmean(shares["sampled"] for shares in corrected)),
        ):
            lines.append([f"{row}: {how}", *_format_shares(right, 100 - right, 0.0), error])
    kept = [result["kept"] for result in found if "kept" in result]
    if kept:
        all_kept, right, wrong = _kept_shares(kept)
        lines.append([f"{row}: labels kept", *_format_shares(right, wrong, 100 - all_kept), ""])
    return lines


def _format_shares(right: float, wrong: float, removed: float) -> list[str]:
    """Format shares in percent. The rest to 100 is kept but not known to be right or wrong."""
    return [f"{share:.1f}" for share in (right, wrong, removed)]


def _kept_shares(kept: Sequence[KeptCounts]) -> list[float]:
    """Return the shares of kept, right and wrong labels in percent of the rows, means over seeds."""
    return [fmean(100 * sum(counts[name]) / counts["rows"] for counts in kept) for name in COUNTS]


def _format_counts(kept: Sequence[KeptCounts]) -> list[str]:
    """Format the mean counts of each class, then the shares of all rows."""
    n_classes = len(kept[0]["kept"])
    by_class = [[fmean(counts[name][k] for counts in kept) for name in COUNTS] for k in range(n_classes)]
    return [
        *("{:.0f} = {:.0f} + {:.0f}".format(*means) for means in by_class),
        "{:.1f} % = {:.1f} + {:.1f}".format(*_kept_shares(kept)),
    ]


def _format_section(title: str, head: Sequence[str], lines: Sequence[Sequence[str]], *notes: str) -> str:
    """Format a part of the page: a title, a grid and notes; empty without lines."""
    return "\n".join([f"### {title}", "", *_format_grid(head, lines), "", *notes]) if lines else ""


def _format_grid(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---"] * len(head)
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *lines)]


def _format_duration(seconds: float) -> str:
    """Format seconds as 45 s, 12 min or 3 h 05 min."""
    minutes = round(seconds / 60)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
