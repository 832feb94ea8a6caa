"""Decisions about given labels: which are wrong, what they should be, and how many there are.

``p_wrong`` is calibrated: of the labels with p_wrong 0.8, four in five are wrong. It is computed from

- class probabilities, by a noise model (:mod:`goldvein.noise.model`);
- margins and agreement counts, by a mixture of two distributions in each class (:mod:`goldvein.noise.mixture`), if
  there are no class probabilities;
- features: the votes of the nearest rows (:mod:`goldvein.selectors.neighbors`) are class probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldvein.errors import InputError
from goldvein.issues.checks import as_array, check, check_target
from goldvein.issues.counts import count_wrong, lowest_share
from goldvein.issues.honesty import (
    MOST_WEAK,
    LabelAgreement,
    doubt,
    measure_agreement,
    weakness,
    widen,
)
from goldvein.issues.table import COLUMNS, KINDS, RARE, Case, by_class, listed, table_of
from goldvein.noise.held_out import likeliest_share, match_held_out
from goldvein.noise.model import NoiseModel, fit_noise_model
from goldvein.selectors.agreement import Agreement
from goldvein.selectors.margin import Margin
from goldvein.selectors.neighbors import deviations, vote

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "KINDS", "RARE", "Audit", "audit", "find_label_issues"]
Floats = NDArray[np.floating]
# least p_wrong of two nearly equal rows with different labels: one of the two is wrong, even if both look right
LEAST_CONFLICT = 1e-6
FAR, SUSPICIOUS = 3, 0.2  # a row is like no other if its outlier score and its p_wrong are above these,
VERY_FAR = 6  # or, whatever its label is, if its outlier score is above this;
LIKE_NONE = 0.6  # its p_wrong is then at least this


@dataclass(frozen=True)
class Audit:
    """The judged labels, and the noise that they imply.

    Attributes
    ----------
    table : DataFrame
        One row for each given label, worst first: see :func:`find_label_issues`.
    noise_rate : float
        Expected share of wrong labels among the given ones, in [0, 1].
    transition : ndarray of shape (K, K)
        T[i, j] = P(given class j | true class i).
    n_wrong : float
        Expected number of wrong labels.
    n_wrong_interval : tuple of (float, float)
        90 % interval of that number. Its width comes from chance, from the number of labels that it was learned from,
        and from the differences between the estimates of T.
    classes : DataFrame
        For each given class: class, n_labels, n_wrong, n_wrong_low, n_wrong_high, n_issues, expected_recall (share of
        its wrong labels that is listed; NaN if none is expected), enough (whether it has enough labels to judge them).
    ambiguous : tuple of str
        Warnings, the most important one first: a model that is too weak to judge, hard rows that wrong labels may hide
        among, classes that may have swapped names, labels that the network may have memorized.
    noise_kind : str
        The kind of noise that explains the labels: none, symmetric, by class, look-alike, pair, boundary; unclear if
        none of them has nine tenths of the evidence, or there are no class probabilities. See
        :mod:`goldvein.noise.model`.
    noise_evidence : dict of float
        Weight of each kind in the judgment; they sum to 1. Empty without class probabilities.
    too_weak : bool
        Whether the model is too weak to judge labels: no label is listed then, and the first warning says why.
    label_agreement : LabelAgreement, optional
        How often the likeliest class is the label, among unseen and trusted ones. None without class probabilities.
    """

    table: pd.DataFrame
    noise_rate: float
    transition: NDArray[np.float64]
    n_wrong: float
    n_wrong_interval: tuple[float, float]
    classes: pd.DataFrame
    ambiguous: tuple[str, ...] = ()
    noise_kind: str = "unclear"
    noise_evidence: Mapping[str, float] = field(default_factory=dict)
    too_weak: bool = False
    label_agreement: LabelAgreement | None = None


@dataclass(frozen=True)
class Judgment:
    """P(wrong) of given labels (n,), the model that it comes from, and the other estimates of it."""

    p_wrong: Floats
    T: NDArray[np.float64]
    hard: NDArray[np.float64]  # (K,): see :class:`goldvein.issues.honesty.Doubt`
    model: NoiseModel | None = None
    probs: Floats | None = None
    each: Floats | None = None  # (R, n): P(wrong) by each reading of the model


def audit(
    y: NDArray[np.int64],
    classes: ArrayLike,
    probs: Floats | None = None,
    *,
    margins: Floats | None = None,
    agreement: Floats | None = None,
    features: Floats | None = None,
    trained_on: NDArray[np.int64] | None = None,
    held_out: NDArray[np.bool_] | None = None,
    trusted: NDArray[np.bool_] | None = None,
    y_before: NDArray[np.int64] | None = None,
    duplicate: NDArray[np.int64] | None = None,
    outlier: Floats | None = None,
    scores: Mapping[str, Floats] | None = None,
    precision: float = 0.5,
    budget: int | None = None,
    ids: ArrayLike | None = None,
) -> Audit:
    """Judge every given label.

    Parameters
    ----------
    y : ndarray of shape (N,), int64
        Given labels as indices into ``classes``; rows of -1 are not in the table.
    classes : array of shape (K,)
        Names of the classes.
    probs : ndarray of shape (N, K), optional
        Class probabilities of a network.
    margins, agreement, features, precision, budget, ids
        See :func:`find_label_issues`.
    trained_on : ndarray of shape (N,), int64, optional
        Labels that the network was trained on, with their noise; -1 for none. By default, the probabilities
        themselves show whether they contain this noise.
    held_out : ndarray of shape (N,), bool, optional
        Labeled rows that took no part in training. If there are none, all rows count as held out.
    trusted : ndarray of shape (N,), bool, optional
        Labels known to be right.
    y_before : ndarray of shape (N,), int64, optional
        ``y`` before the trusted labels were reviewed. Reviewed labels are not a random sample: reviewers see the
        suspicious ones first.
    duplicate : ndarray of shape (N,), int64, optional
        For each row, another row that is nearly the same but has another label; -1 for none.
    outlier : ndarray of shape (N,), float, optional
        Outlier score: distance to the nearest neighbors, in standard deviations. ``features`` replace it.
    scores : mapping of str to ndarray of shape (N,), optional
        Further columns of the table.

    Raises
    ------
    InputError
        If precision, budget or ids cannot be used.
    """
    check_target(precision, budget)
    ids = np.arange(len(y)) if ids is None else np.asarray(ids)
    if len(ids) != len(y):
        raise InputError(f"ids has {len(ids)} entries and y {len(y)}: give one for each row")
    names = np.asarray(classes)
    rows = np.flatnonzero(y >= 0)

    def pick(values: Any) -> Any:
        return values if values is None or len(rows) == len(y) else np.asarray(values)[rows]

    given, unseen, outlier, probs = pick(y), pick(held_out), pick(outlier), pick(probs)
    if features is not None:
        votes, near, other = vote(given, pick(features), n_classes=len(names))
        duplicate = _as_rows(other, rows, len(y))
        outlier = deviations(np.sqrt(near), np.sqrt(near))  # cosine distances are squared distances
        probs = votes if probs is None else _with_votes(given, probs, votes, unseen)
    if probs is not None:
        # margins and agreement of the same run add nothing to probabilities; they only appear in the reasons
        judged = _judge(given, probs, _contain_noise(pick(trained_on)), unseen, pick(trusted), pick(y_before))
        new = np.ones(len(given), dtype=bool) if unseen is None or not unseen.any() else unseen
        agrees = measure_agreement(given, probs, new, pick(trusted))
        weak = weakness(agrees, len(np.unique(given)), float(judged.hard.sum()) / len(given))
        if weak:
            judged = replace(judged, p_wrong=np.minimum(judged.p_wrong, np.float32(MOST_WEAK)))
    else:
        judged, weak, agrees = _judge_by_scores(given, len(names), pick(margins), pick(agreement)), "", None
    confirmed = np.zeros(len(given), dtype=bool) if trusted is None else pick(trusted)
    p_wrong, strange = _with_other_rows(judged.p_wrong, confirmed, rows, duplicate, outlier)
    counts = count_wrong(given, p_wrong, len(names), judged.model, judged.each, unseen)
    total, sentence = float(p_wrong.sum(dtype=np.float64)), weak  # a sum in float32 depends on the order of the rows
    if judged.model is not None:
        found = doubt(len(given), judged.hard, judged.model, counts, total)
        counts, sentence = widen(counts, found, judged.model, given, p_wrong), weak or found.sentence
    least = lowest_share(total, counts.total)
    case = Case(
        rows=rows,
        names=names,
        y=given,
        p_wrong=p_wrong,
        is_issue=listed(p_wrong, given, precision, budget, len(names), pick(agreement), least),
        duplicate=None if duplicate is None else np.where(confirmed, -1, np.asarray(duplicate)[rows]),
        margins=pick(margins),
        agreement=pick(agreement),
        outlier=strange,
        ids=ids,
        scores={name: np.asarray(values)[rows] for name, values in (scores or {}).items()},
    )
    return Audit(
        table_of(case, judged.model, judged.probs),
        total / len(rows),
        judged.T,
        total,
        counts.total,
        by_class(case, counts.low, counts.high),
        (sentence,) if sentence else (),
        "unclear" if judged.model is None else judged.model.kind,
        {} if judged.model is None else judged.model.evidence,
        bool(weak),
        agrees,
    )


def find_label_issues(
    y: ArrayLike,
    *,
    probs: ArrayLike | None = None,
    margins: ArrayLike | None = None,
    agreement: ArrayLike | None = None,
    features: ArrayLike | None = None,
    precision: float = 0.5,
    budget: int | None = None,
    ids: ArrayLike | None = None,
) -> pd.DataFrame:
    """Judge given labels by class probabilities, margins, agreement counts or features.

    Parameters
    ----------
    y : array of shape (N,), int
        Given labels 0 .. K-1; -1 is missing.
    probs : array of shape (N, K), float
        Class probabilities, preferably from a network that has not seen the label of the row (cross-validation).
    margins : array of shape (N,), float
        Mean over the epochs of the logit or probability of the given class minus the largest other (AUM).
    agreement : array of shape (N,), float in [0, 1]
        Share of the epochs after which the given label was predicted.
    features : array of shape (N, D), float
        Features of each row, such as the inputs of a network's last layer. They also show conflicts between rows that
        are nearly the same, and outliers. The label of an outlier is more likely wrong than right.
    precision : float in (0, 1), default=0.5
        Least expected share of wrong labels in the list; above 0.5, also if the number of wrong labels is the lower end
        of its interval. A label that is more likely right than wrong is not listed,
        unless ``precision`` is below 0.5 or its class is rare. For each rare class, the worst labels are listed until
        a fifth of its wrong labels is expected among them.
    budget : int, optional
        Number of labels to list, the worst first; replaces ``precision``.
    ids : array of shape (N,), optional
        Names of the rows; by default the row numbers, from 0.

    Returns
    -------
    DataFrame
        One row for each given label, worst first.

        - id, given_label, suggested_label (the given label if no other is better)
        - label_quality (low is bad) and p_wrong in [0, 1]
        - is_issue, rank (1 is the worst), reason
        - p_suggested: probability of the suggested label; NaN without class probabilities
        - kind: ``wrong_label``; ``none_of_these`` (no class is likely); ``conflict`` (a row that is nearly the same
          has another label); ``too_little_evidence`` (the class has fewer than 20 labels); ``ok``

    Raises
    ------
    InputError
        If none of the arrays is given, shapes differ, a label is not below K, a value is NaN or not a number, a
        probability is negative, a row does not sum to 1, or agreement, precision or budget is out of range.

    Examples
    --------
    >>> probs = np.repeat([[0.98, 0.02], [0.02, 0.98]], 20, axis=0)
    >>> y = np.repeat([0, 1], 20)
    >>> y[0] = 1
    >>> table = find_label_issues(y, probs=probs)
    >>> table[["id", "given_label", "suggested_label", "kind"]].head(1)
       id  given_label  suggested_label         kind
    0   0            1                0  wrong_label
    """
    labels = as_array("y", y)
    given = {"probs": probs, "margins": margins, "agreement": agreement, "features": features}
    arrays = {name: None if value is None else as_array(name, value) for name, value in given.items()}
    if all(value is None for value in arrays.values()):
        raise InputError("there is nothing to judge y by: give probs, margins, agreement or features")
    n_classes = check(labels, arrays)
    names = np.arange(n_classes)
    signals: dict[str, Any] = dict(arrays)
    labels = labels.astype(np.int64, copy=False)
    return audit(labels, names, precision=precision, budget=budget, ids=ids, **signals).table


def _judge(
    y: NDArray[np.int64],
    probs: Floats,
    with_noise: bool | None,
    held_out: NDArray[np.bool_] | None,
    trusted: NDArray[np.bool_] | None,
    y_before: NDArray[np.int64] | None,
) -> Judgment:
    """Judge by the noise model of the class probabilities."""
    if held_out is not None and held_out.any():
        # a network is more confident in labels that it was trained on; for trusted labels, this is justified
        some = slice(None) if trusted is None else np.flatnonzero(~trusted)
        probs = np.array(probs) if trusted is not None else probs  # a copy, which is changed below
        honest = match_held_out(y[some], probs[some], held_out[some])
        if trusted is None:
            probs = honest
        else:
            probs[some] = honest
    model = fit_noise_model(y, probs, mixed=with_noise, trusted=trusted, y_before=y_before, counts=True)
    each, unsure = model.judge(y, probs)
    each = 1 - each
    p_wrong = model.weights.astype(np.float32) @ each if len(each) else np.zeros(len(y), dtype=np.float32)
    hard = np.bincount(y, unsure, minlength=probs.shape[1]).astype(np.float64)
    return Judgment(p_wrong, model.transition, hard, model, probs, each)


def _contain_noise(trained_on: NDArray[np.int64] | None) -> bool | None:
    """Return False if no label was seen in training; a network that saw noisy labels may or may not repeat them."""
    return None if trained_on is None or (trained_on >= 0).any() else False


def _with_votes(y: NDArray[np.int64], probs: Floats, votes: Floats, unseen: NDArray[np.bool_] | None) -> Floats:
    """Return the mixture (n, K) of probabilities and votes of neighbors that makes the unseen labels likeliest."""
    rows = np.arange(len(y)) if unseen is None or not unseen.any() else np.flatnonzero(unseen)
    share = likeliest_share(probs[rows, y[rows]], votes[rows, y[rows]])
    return np.asarray((1 - share) * probs + share * votes, dtype=probs.dtype)


def _judge_by_scores(
    y: NDArray[np.int64], n_classes: int, margins: Floats | None, agreement: Floats | None
) -> Judgment:
    """Judge by margins, agreement counts, or the mean of the log-odds of both."""
    odds = []
    for selector, name, values in ((Margin(), "margins", margins), (Agreement(), "agreement", agreement)):
        if values is not None:
            right = np.clip(selector.select(y, **{name: values})[0], 1e-6, 1 - 1e-6)
            odds.append(np.log1p(-right) - np.log(right))
    p_wrong = 1 / (1 + np.exp(-np.mean(odds, axis=0)))
    p_wrong[p_wrong < 2e-6] = 0  # the end of the range that the scores were clipped to
    n = np.maximum(np.bincount(y, minlength=n_classes), 1)
    rate = np.bincount(y, p_wrong, minlength=n_classes) / n
    T = np.repeat(rate[:, None] / max(n_classes - 1, 1), n_classes, axis=1)  # which classes are confused is not known
    np.fill_diagonal(T, 1 - rate if n_classes > 1 else 1.0)
    return Judgment(p_wrong, T, np.zeros(n_classes))


def _with_other_rows(
    p_wrong: Floats,
    confirmed: NDArray[np.bool_],
    rows: NDArray[np.int64],
    duplicate: NDArray[np.int64] | None,
    outlier: Floats | None,
) -> tuple[Floats, NDArray[np.bool_] | None]:
    """Return p_wrong (n,) that takes conflicts and outliers into account, and the mask (n,) of rows like no other.

    ``confirmed`` labels (n,), bool, are right in any case.
    """
    p_wrong, strange = _exclude_both_right(p_wrong, confirmed, rows, duplicate), None
    if outlier is not None:
        strange = ((outlier > FAR) & (p_wrong > SUSPICIOUS) & ~confirmed) | (outlier > VERY_FAR)
        p_wrong = np.where(strange, np.maximum(p_wrong, np.float32(LIKE_NONE)), p_wrong)
    return np.where(confirmed, np.float32(0), p_wrong), strange


def _exclude_both_right(
    p_wrong: Floats, confirmed: NDArray[np.bool_], rows: NDArray[np.int64], duplicate: NDArray[np.int64] | None
) -> Floats:
    """Return p_wrong (n,), given that two different labels of nearly equal rows are not both right."""
    if duplicate is None:
        return p_wrong
    p = np.where(confirmed, 0, np.maximum(p_wrong.astype(float), LEAST_CONFLICT))
    of_row = np.ones(len(duplicate))
    of_row[rows] = p
    paired = np.flatnonzero((duplicate[rows] >= 0) & ~confirmed)
    right, other = 1 - p[paired], 1 - of_row[duplicate[rows[paired]]]
    out = p_wrong.copy()
    # P(this one right, the other one wrong) / P(not both right), if both are independent
    out[paired] = 1 - right * (1 - other) / (1 - right * other)
    return out


def _as_rows(places: NDArray[np.int64], rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return row numbers (n,) for positions in ``rows``; -1 for none."""
    out = np.full(n, -1)
    out[rows] = np.where(places >= 0, rows[places], -1)
    return out
