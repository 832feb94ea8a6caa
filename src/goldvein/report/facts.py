"""Numbers of the report, from the tables of a run; none of them looks at an input."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from goldvein.runs.folder import HISTORY, damaged

if TYPE_CHECKING:
    import pandas as pd

    from goldvein.runs import Run
    from goldvein.runs.decisions import Decision

Z = 1.959964  # 95 % of a normal distribution
OWN_LEVEL = 90  # percent, of the interval that a run notes
N_BINS = 10
LEAST_VERDICTS = 20  # reviewed labels from which on they show how well p_wrong is calibrated
NO_TERM = ("stage", "epoch", "seconds", "validation_accuracy", "lr")


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Interval (95 %) for a share of which ``hits`` out of ``n`` were seen (Wilson 1927).

    Examples
    --------
    >>> [round(p, 3) for p in wilson(8, 10)]
    [0.49, 0.943]
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if n <= 0:
        return 0.0, 1.0
    p, z = hits / n, Z * Z / n
    middle, half = p + z / 2, Z * math.sqrt(p * (1 - p) / n + z / (4 * n))
    return max(0.0, (middle - half) / (1 + z)), min(1.0, (middle + half) / (1 + z))


def noise_interval(metrics: Mapping[str, Any], p_wrong: ArrayLike) -> tuple[float, float, int]:
    """Interval for the share of wrong labels, and its level in percent: the run's own, else what ``p_wrong`` implies.

    If each label is wrong with its own probability p, independently, the number of wrong ones has the variance
    sum p (1 - p). That holds as far as p_wrong is calibrated, so it is the narrowest that can be meant.

    Examples
    --------
    >>> noise_interval({}, [0.0, 1.0, 1.0, 0.0])
    (0.5, 0.5, 95)
    >>> noise_interval({"n_wrong_interval": [1, 3]}, [0.0, 1.0, 1.0, 0.0])
    (0.25, 0.75, 90)
    """
    p = np.asarray(p_wrong, dtype=float)
    own = metrics.get("n_wrong_interval")
    if isinstance(own, list) and len(own) == 2 and all(isinstance(end, int | float) for end in own) and len(p):
        return own[0] / len(p), own[1] / len(p), OWN_LEVEL
    if not len(p):
        return 0.0, 1.0, 95
    half = Z * math.sqrt(float((p * (1 - p)).sum())) / len(p)
    return max(0.0, float(p.mean()) - half), min(1.0, float(p.mean()) + half), 95


def by_class(issues: pd.DataFrame, classes: Sequence[str | int], metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each class: its labels, how many of them are doubted, their mean quality, and what they look like instead.

    ``low`` and ``high`` are the 90 % interval of the number of wrong labels, None where the run has none; ``enough``
    tells whether the class has labels enough to judge by.
    """
    found = []
    counted = {str(line["class"]): line for line in metrics.get("classes") or ()}
    of_class = dict(iter(issues.groupby("given_label", sort=False)))
    for k, label in enumerate(classes):
        rows = of_class.get(label, issues.head(0))
        wrong = rows[rows["is_issue"]]
        told = counted.get(str(label), {})
        likely = wrong["suggested_label"][wrong["suggested_label"] != label].value_counts()
        found.append(
            {
                "index": k,
                "label": label,
                "n": len(rows),
                "n_listed": len(wrong),
                "low": told.get("n_wrong_low"),
                "high": told.get("n_wrong_high"),
                "enough": told.get("enough", True),
                "share": len(wrong) / len(rows) if len(rows) else 0.0,
                "quality": float(rows["label_quality"].mean()) if len(rows) else None,
                "instead": likely.index[0] if len(likely) else None,
                "n_instead": int(likely.iloc[0]) if len(likely) else 0,
            }
        )
    return found


def mix_ups(issues: pd.DataFrame, classes: Sequence[str | int], most: int) -> list[tuple[int, int, int]]:
    """The commonest (given class, suggested class, labels) among the doubted labels, as positions in ``classes``."""
    position = {label: k for k, label in enumerate(classes)}
    wrong = issues[issues["is_issue"] & (issues["given_label"] != issues["suggested_label"])]
    pairs = Counter(zip(wrong["given_label"], wrong["suggested_label"], strict=True))
    return [(position[given], position[true], n) for (given, true), n in pairs.most_common(most)]


def history(run: Run) -> list[dict[str, Any]]:
    """The lines of ``history.jsonl``.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    path = run.folder / HISTORY
    try:
        epochs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if not all(isinstance(epoch, dict) for epoch in epochs):
            raise ValueError("a line is no object")
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    return epochs


def series(epochs: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """What was logged, one list over all epochs for each quantity: accuracy first, then the terms of the loss."""
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch if name not in NO_TERM))

    def values(name: str) -> list[float | None]:
        return [v if isinstance(v := epoch.get(name), int | float) else None for epoch in epochs]

    return {name: values(name) for name in ("validation_accuracy", *names) if any(v is not None for v in values(name))}


@dataclass(frozen=True)
class Calibration:
    """Points of a calibration plot, and what they say."""

    bins: list[tuple[float, float, float, float, int]]
    across: str
    up: str
    note: str


def calibration(run: Run, truth: Mapping[str, str], decisions: Mapping[str, Decision]) -> Calibration:
    """How far stated probabilities can be believed: by the best evidence that there is.

    Hidden true labels, where the data has them; else the verdicts of a person, if there are at least 20; else only how
    often the network agrees with the given labels, which are noisy themselves.
    """
    issues = run.issues
    across, up = "p_wrong", "share that is wrong"
    if truth:
        rows = issues[issues["id"].isin(truth.keys())]
        wrong = [truth[row] != str(label) for row, label in zip(rows["id"], rows["given_label"], strict=True)]
        note = f"Against the hidden true labels of {len(rows):,} rows, which no training saw."
        return Calibration(_bins(rows["p_wrong"], wrong), across, up, note)
    judged = {row: d for row, d in decisions.items() if d.action in ("keep", "relabel")}
    rows = issues[issues["id"].isin(judged.keys()) & (issues["p_wrong"] > 0)]  # the others were trusted in training
    if len(rows) >= LEAST_VERDICTS:
        wrong = [judged[row].label != str(label) for row, label in zip(rows["id"], rows["given_label"], strict=True)]
        note = f"Against the verdicts of a person on {len(rows):,} labels. Bins with few verdicts say little."
        return Calibration(_bins(rows["p_wrong"], wrong), across, up, note)
    both = issues[["id", "given_label"]].merge(run.predictions[["id", "predicted", "confidence"]], on="id")
    note = (
        "No true labels are known and fewer than 20 labels are reviewed, so this shows only how often the network "
        "agrees with the given labels. Wrong labels pull the points down, labels that it was trained on pull them up: "
        "reviewing labels gives a better plot."
    )
    agrees = both["predicted"] == both["given_label"]
    return Calibration(_bins(both["confidence"], agrees), "confidence", "agrees with the given label", note)


def _bins(stated: ArrayLike, happened: ArrayLike) -> list[tuple[float, float, float, float, int]]:
    p, was = np.asarray(stated, dtype=float), np.asarray(happened, dtype=bool)
    part = np.minimum((p * N_BINS).astype(int), N_BINS - 1)
    found = []
    for k in range(N_BINS):
        n, hits = int((part == k).sum()), int(was[part == k].sum())
        if n:
            found.append((float(p[part == k].mean()), hits / n, *wilson(hits, n), n))
    return found
