"""The few-and-wrong leaderboard: methods and peers on tables with few or wrong labels, resumable.

A line of results is one contestant on one draw: see :class:`Line`. The bar of the default is set by six peers at their
defaults, for which see ``BAR``.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

from goldvein.bench.code_version import find_code_version
from goldvein.bench.contestants import PEERS, ROWS, check_installed
from goldvein.bench.few_and_wrong import PICTURES, PROTOCOLS, TABLES, draw
from goldvein.bench.run import run_missing
from goldvein.config.names import DEFAULT_METHOD
from goldvein.errors import InputError, unknown
from goldvein.progress import Progress

BAR = (
    "SVC",
    "RandomForest",
    "HistGradientBoosting",
    "SelfTraining(RandomForest)",
    "CleanLearning(RandomForest)",
    "cross_entropy",
)
SEEDS = (0, 1, 2)
FAR = 2.0  # points below the best of the bar that are a miss
Line = dict[str, Any]


@dataclass(frozen=True)
class Contest:
    """One contestant on one draw."""

    row: str
    table: str
    protocol: str
    seed: int

    @property
    def key(self) -> str:
        """A digest of the contest."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def column(self) -> str:
        """The name of the draw, such as ``adult A20``."""
        return f"{self.table} {self.protocol}"

    def __str__(self) -> str:
        return f"{self.row}, {self.column}, seed {self.seed}"


def list_contests(
    rows: Sequence[str] | None = None, columns: Sequence[str] | None = None, seeds: Sequence[int] | None = None
) -> list[Contest]:
    """Return the contests of some rows and columns, ordered by seed, then by column, then by row.

    Parameters
    ----------
    rows : sequence of str, optional
        Keys of ``ROWS``; by default all.
    columns : sequence of str, optional
        Tables, protocols, or both, such as ``adult``, ``A20`` or ``adult A20``; by default all.
    seeds : sequence of int, optional

    Raises
    ------
    InputError
        For an unknown row or column, or a row whose library is not installed.

    Examples
    --------
    >>> [str(contest) for contest in list_contests(["SVC"], ["adult A20"], [0])]
    ['SVC, adult A20, seed 0']
    """
    tables = (*TABLES, *PICTURES)
    every = {f"{table} {protocol}": (table, protocol) for protocol in PROTOCOLS for table in tables}
    for row in rows or ():
        if row not in ROWS:
            raise unknown("row", row, ROWS)
    for column in columns or ():
        if column not in (*every, *tables, *PROTOCOLS):
            raise unknown("column", column, (*tables, *PROTOCOLS, *every))
    chosen = list(rows or ROWS)
    for row in chosen:
        check_installed(row)
    wanted = [pair for name, pair in every.items() if not columns or any(c in (name, *pair) for c in columns)]
    return [Contest(row, *pair, seed) for seed in seeds or SEEDS for pair in wanted for row in chosen]


def run_contest(contest: Contest, data_dir: str | Path | None = None) -> Line:
    """Return the line of results of a contest.

    It has ``key``, ``contest``, ``accuracy`` and ``macro_f1`` on the test rows, ``majority``, the share of the test
    rows in the most frequent class, ``cpu_seconds`` and ``source``. If the contestant judges labels, it has ``auroc``
    and ``f1`` of the wrong ones (None if none is wrong), and ``rate_error``, the estimated minus the true noise rate.
    """
    source = find_code_version()
    data = draw(contest.table, contest.protocol, contest.seed, data_dir)
    start = time.process_time()
    answer = ROWS[contest.row](data, contest.seed)
    seconds = time.process_time() - start
    labeled = data.y >= 0
    wrong = (data.y != data.y_true)[labeled]
    line: Line = {
        "key": contest.key,
        "contest": asdict(contest),
        "accuracy": float((answer.predicted == data.y_test).mean()),
        "macro_f1": float(f1_score(data.y_test, answer.predicted, average="macro")),
        "majority": float(np.bincount(data.y_test).max() / len(data.y_test)),
        "cpu_seconds": seconds,
        "source": source,
    }
    if answer.p_wrong is not None and answer.listed is not None and answer.noise_rate is not None:
        hits = int((answer.listed & wrong).sum())
        line |= {
            "auroc": float(roc_auc_score(wrong, answer.p_wrong)) if 0 < wrong.sum() < len(wrong) else None,
            "f1": 2 * hits / float(answer.listed.sum() + wrong.sum()) if wrong.any() else None,
            "rate_error": float(answer.noise_rate - wrong.mean()),
        }
    return line


def run_leaderboard(
    contests: Sequence[Contest],
    path: str | Path,
    *,
    jobs: int = 1,
    data_dir: str | Path | None = None,
    limit_s: float | None = None,
    progress: Progress | None = None,
) -> int:
    """Do the contests that have no result yet; the arguments are those of :func:`goldvein.bench.run.run_table`."""
    path = Path(path)

    def find_missing() -> list[Contest]:
        done = {line["key"] for line in read_lines(path)}
        return [contest for contest in contests if contest.key not in done]

    return run_missing(
        run_contest,
        contests,
        find_missing,
        path,
        "leaderboard",
        jobs=jobs,
        data_dir=data_dir,
        limit_s=limit_s,
        progress=progress,
    )


def read_lines(path: Path) -> list[Line]:
    """Return the lines of results in a file; none if it does not exist. Half a last line is skipped.

    Raises
    ------
    InputError
        If a complete line is not a result.
    """
    if not path.exists():
        return []
    lines = []
    for number, text in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], start=1):
        try:
            line = json.loads(text)
            Contest(**line["contest"])
            float(line["accuracy"]), float(line["cpu_seconds"])
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"line {number} of {path} is no result of the leaderboard: remove that line") from error
        lines.append(line)
    return lines


def render_page(lines: Iterable[Line]) -> str:
    """Return the leaderboard in Markdown: means over all draws that each row has, then the default against the bar."""
    found: dict[tuple[str, str, int], Line] = {}
    for line in lines:
        contest = Contest(**line["contest"])
        found[contest.row, contest.column, contest.seed] = line
    rows = [row for row in ROWS if any(key[0] == row for key in found)]
    head = ["", *PROTOCOLS, "mean", "macro-F1", "AUROC", "F1 of the list", "error of the rate", "CPU s", "draws"]
    out = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    out += ["| " + " | ".join([row, *_cells([v for k, v in found.items() if k[0] == row])]) + " |" for row in rows]
    return "\n".join([*out, "", *_against_the_bar(found)]) + "\n"


def _cells(lines: list[Line]) -> list[str]:
    def mean(name: str, of: list[Line], scale: float = 1, digits: int = 1) -> str:
        values = [line[name] for line in of if line.get(name) is not None]
        return f"{scale * float(np.mean(values)):.{digits}f}" if values else ""

    by_protocol = [[line for line in lines if line["contest"]["protocol"] == protocol] for protocol in PROTOCOLS]
    rate = [{"error": abs(line["rate_error"])} for line in lines if "rate_error" in line]
    return [
        *(mean("accuracy", part, 100) for part in by_protocol),
        mean("accuracy", lines, 100),
        mean("macro_f1", lines, 100),
        mean("auroc", lines, 1, 3),
        mean("f1", lines, 1, 2),
        mean("error", rate, 1, 3),
        mean("cpu_seconds", lines),
        str(len(lines)),
    ]


def _against_the_bar(found: dict[tuple[str, str, int], Line]) -> list[str]:
    """Return the cells, means over seeds, in which the default is far from the best peer of the bar."""

    def value(row: str, column: str) -> float | None:
        of = [line["accuracy"] for (r, c, _), line in found.items() if (r, c) == (row, column)]
        return 100 * float(np.mean(of)) if of else None

    columns = list(dict.fromkeys(column for row, column, _ in found if row == DEFAULT_METHOD))
    differences: dict[str, tuple[float, str, float]] = {}
    for column in columns:
        own = value(DEFAULT_METHOD, column)
        peers = {row: v for row in BAR if (v := value(row, column)) is not None}
        if own is not None and peers:
            best = max(peers, key=lambda row: peers[row])
            differences[column] = own - peers[best], best, own
    if not differences:
        return []
    means = {row: [value(row, c) for c in columns] for row in PEERS}
    whole = {row: float(np.mean([v for v in vs if v is not None])) for row, vs in means.items() if None not in vs}
    out = []
    if whole:
        single = max(whole, key=lambda row: whole[row])
        own_mean = float(np.mean([own for _, _, own in differences.values()]))
        out.append(
            f"`{DEFAULT_METHOD}` has {own_mean:.1f} % in the mean, "
            f"the best single peer, {single}, {whole[single]:.1f} %."
        )
    gaps = np.array([gap for gap, _, _ in differences.values()])
    out.append(
        f"Against the best of {', '.join(BAR)} in each of {len(gaps)} columns: {gaps.mean():+.1f} points in the mean, "
        f"{gaps.max():+.1f} at best, {gaps.min():+.1f} at worst; {int((gaps < -FAR).sum())} columns are more than "
        f"{FAR:.0f} points below."
    )
    misses = sorted((gap, column, best) for column, (gap, best, _) in differences.items() if gap < -FAR)
    if misses:
        out += ["", "| column | points below the best | which is |", "| --- | --- | --- |"]
        out += [f"| {column} | {-gap:.1f} | {best} |" for gap, column, best in misses]
    return out
