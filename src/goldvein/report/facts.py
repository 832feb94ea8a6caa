"""The numbers of the report, computed from the tables of a run, without its inputs."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from goldvein.issues.honesty import MIN_TRUSTED
from goldvein.report.charts import Bin, percent
from goldvein.runs.contents import ClassCounts, Metrics
from goldvein.runs.folder import HISTORY, damaged

if TYPE_CHECKING:
    import pandas as pd

    from goldvein.runs import SavedRun
    from goldvein.runs.decisions import Decision

Z = 1.959964  # standard deviations to each side of a 95 % interval
RUN_LEVEL = 90  # percent: level of the interval in metrics.json
N_BINS = 10
LEAST_REVIEWED = 20  # fewer reviewed labels do not show how well p_wrong is calibrated
KINDS = {
    "none": "The labels are explained best without any wrong ones (none).",
    "symmetric": "Wrong labels are spread evenly over all other classes (symmetric).",
    "by class": "Some classes have more wrong labels than others (by class).",
    "look-alike": "Wrong labels are mostly classes that look alike to the model (look-alike).",
    "pair": "Wrong labels are mostly one other class for each class (pair).",
    "boundary": "Wrong labels lie near the boundaries between classes, or their rows are hard (boundary).",
    "unclear": "The labels do not tell which kind of noise they have (unclear).",
}
# keys of history.jsonl that are no term of the loss
NO_TERM = ("stage", "epoch", "seconds", "validation_accuracy", "lr")


class Interval(NamedTuple):
    """An interval and its level in percent."""

    low: float
    high: float
    level: int


class Confusion(NamedTuple):
    """Positions of two classes, and the number of labels of the first that should be the second."""

    given: int
    suggested: int
    n_labels: int


@dataclass(frozen=True)
class ClassSummary:
    """The labels of one class.

    Attributes
    ----------
    label : str or int
    n_labels, n_issues : int
    low, high : float or None
        90 % interval of the number of wrong labels; None if the run does not have it.
    enough : bool
        Whether the class has enough labels to judge them.
    quality : float or None
        Mean label quality; None without labels.
    instead : str, int or None
        Most frequent suggestion for its issues.
    n_instead : int
        Number of issues with that suggestion.
    """

    label: str | int
    n_labels: int
    n_issues: int
    low: float | None
    high: float | None
    enough: bool
    quality: float | None
    instead: str | int | None
    n_instead: int

    @property
    def share(self) -> float:
        return self.n_issues / self.n_labels if self.n_labels else 0.0


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Return the 95 % interval of a share after ``hits`` of ``n`` observations (Wilson 1927).

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


def noise_interval(metrics: Metrics, p_wrong: ArrayLike) -> Interval:
    """Return the interval for the share of wrong labels: that of the run, otherwise the one that ``p_wrong`` implies.

    The implied interval is the narrowest possible one: it assumes that ``p_wrong`` is calibrated.

    Examples
    --------
    >>> tuple(noise_interval({}, [0.0, 1.0, 1.0, 0.0]))
    (0.5, 0.5, 95)
    >>> tuple(noise_interval({"n_wrong_interval": [1, 3]}, [0.0, 1.0, 1.0, 0.0]))
    (0.25, 0.75, 90)
    """
    p = np.asarray(p_wrong, dtype=float)
    own = metrics.get("n_wrong_interval")
    if isinstance(own, list) and len(own) == 2 and all(isinstance(end, int | float) for end in own) and len(p):
        return Interval(own[0] / len(p), own[1] / len(p), RUN_LEVEL)
    if not len(p):
        return Interval(0.0, 1.0, 95)
    # variance of the number of wrong labels, if labels are wrong independently of each other
    half = Z * math.sqrt(float((p * (1 - p)).sum())) / len(p)
    return Interval(max(0.0, float(p.mean()) - half), min(1.0, float(p.mean()) + half), 95)


def summarize_classes(issues: pd.DataFrame, classes: Sequence[str | int], metrics: Metrics) -> list[ClassSummary]:
    """Return a summary of the labels of each class."""
    found, no_counts = [], ClassCounts()
    counts = {str(line["class"]): line for line in metrics.get("classes") or ()}
    of_class = dict(iter(issues.groupby("given_label", sort=False)))
    for label in classes:
        rows = of_class.get(label, issues.head(0))
        wrong = rows[rows["is_issue"]]
        count = counts.get(str(label), no_counts)
        instead = wrong["suggested_label"][wrong["suggested_label"] != label].value_counts()
        found.append(
            ClassSummary(
                label=label,
                n_labels=len(rows),
                n_issues=len(wrong),
                low=count.get("n_wrong_low"),
                high=count.get("n_wrong_high"),
                enough=count.get("enough", True),
                quality=float(rows["label_quality"].mean()) if len(rows) else None,
                instead=instead.index[0] if len(instead) else None,
                n_instead=int(instead.iloc[0]) if len(instead) else 0,
            )
        )
    return found


def count_confusions(issues: pd.DataFrame, classes: Sequence[str | int], most: int) -> list[Confusion]:
    """Return the ``most`` frequent pairs of given and suggested class among the issues."""
    position = {label: k for k, label in enumerate(classes)}
    wrong = issues[issues["is_issue"] & (issues["given_label"] != issues["suggested_label"])]
    pairs = Counter(zip(wrong["given_label"], wrong["suggested_label"], strict=True))
    return [Confusion(position[given], position[true], n) for (given, true), n in pairs.most_common(most)]


def read_history(run: SavedRun) -> list[dict[str, Any]]:
    """Return the lines of ``history.jsonl``, one object per epoch; none for a run without a network.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    path = run.folder / HISTORY
    if "learner" in run.config:
        return []
    try:
        epochs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if not all(isinstance(epoch, dict) for epoch in epochs):
            raise ValueError("a line is not an object")
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    return epochs


def collect_series(epochs: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Return the values of each logged quantity over all epochs: accuracy first, then the terms of the loss."""
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch if name not in NO_TERM))

    def values(name: str) -> list[float | None]:
        return [v if isinstance(v := epoch.get(name), int | float) else None for epoch in epochs]

    return {name: values(name) for name in ("validation_accuracy", *names) if any(v is not None for v in values(name))}


@dataclass(frozen=True)
class Calibration:
    """Points of a calibration chart, the names of its axes, and an explanation."""

    bins: list[Bin]
    x_label: str
    y_label: str
    note: str


def describe_trust(metrics: Metrics) -> list[str]:
    """Return sentences that answer whether the probabilities can be believed; none for a run without them.

    Examples
    --------
    >>> agreement = {"unseen": 0.8, "n_unseen": 500, "most_frequent": 0.3, "trusted": None, "n_trusted": 0}
    >>> for sentence in describe_trust({"label_agreement": agreement, "noise_kind": "pair", "too_weak": False})[1:]:
    ...     print(sentence)
    No label is marked as trusted. 20 trusted labels would show whether the model can judge.
    Wrong labels are mostly one other class for each class (pair).
    """
    found = metrics.get("label_agreement")
    if found is None:
        return []
    share, most = percent(found["unseen"]), percent(found["most_frequent"])
    sentences = [
        f"The model agrees with {share} of {found['n_unseen']:,} labels that it was not trained on; always naming "
        f"the most frequent class would agree with {most}."
    ]
    if found["trusted"] is None:
        sentences.append(
            f"No label is marked as trusted. {MIN_TRUSTED} trusted labels would show whether the model can judge."
        )
    else:
        few = f" At least {MIN_TRUSTED} would show more." if found["n_trusted"] < MIN_TRUSTED else ""
        sentences.append(
            f"It gets {percent(found['trusted'])} of {found['n_trusted']:,} trusted labels right, which it may "
            f"have been trained on.{few}"
        )
    if metrics.get("too_weak"):
        sentences.append("This is too little to judge labels by, so none is listed.")
    sentences.append(KINDS[metrics.get("noise_kind", "unclear")])
    return sentences


def measure_calibration(run: SavedRun, truth: Mapping[str, str], decisions: Mapping[str, Decision]) -> Calibration:
    """Compare stated probabilities with the best available evidence.

    The evidence is the hidden true labels if the data contains them, otherwise the decisions of a person if there are
    at least 20. Without both it is the agreement of the model with the given labels, which may be wrong themselves.
    """
    issues = run.issues
    axes = "p_wrong", "share that is wrong"
    if truth:
        rows = issues[issues["id"].isin(truth.keys())]
        wrong = [truth[row] != str(label) for row, label in zip(rows["id"], rows["given_label"], strict=True)]
        note = f"Evidence: the hidden true labels of {len(rows):,} rows, which were not used in training."
        return Calibration(_bins(rows["p_wrong"], wrong), *axes, note)
    reviewed = {row: d for row, d in decisions.items() if d.action in ("keep", "relabel")}
    # labels that were trusted in training have p_wrong 0, so they do not show whether p_wrong is calibrated
    rows = issues[issues["id"].isin(reviewed.keys()) & (issues["p_wrong"] > 0)]
    if len(rows) >= LEAST_REVIEWED:
        wrong = [reviewed[row].label != str(label) for row, label in zip(rows["id"], rows["given_label"], strict=True)]
        note = f"Evidence: {len(rows):,} reviewed labels. Points of few labels are uncertain."
        return Calibration(_bins(rows["p_wrong"], wrong), *axes, note)
    both = issues[["id", "given_label"]].merge(run.predictions[["id", "predicted", "confidence"]], on="id")
    note = (
        f"There are no known true labels and fewer than {LEAST_REVIEWED} reviewed labels. The chart therefore shows "
        "only how often the model agrees with the given labels. Wrong labels lower the points, and labels that the "
        "model was trained on raise them. Review some labels to get a better chart."
    )
    agrees = both["predicted"] == both["given_label"]
    return Calibration(_bins(both["confidence"], agrees), "confidence", "agrees with the given label", note)


def _bins(stated: ArrayLike, observed: ArrayLike) -> list[Bin]:
    p, true = np.asarray(stated, dtype=float), np.asarray(observed, dtype=bool)
    part = np.minimum((p * N_BINS).astype(int), N_BINS - 1)  # p = 1 belongs to the last bin
    found = []
    for k in range(N_BINS):
        n, hits = int((part == k).sum()), int(true[part == k].sum())
        if n:
            found.append(Bin(float(p[part == k].mean()), hits / n, *wilson(hits, n), n))
    return found
