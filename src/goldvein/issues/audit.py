"""From what is known of each given label to decisions: which are wrong, what they should be, and how many there are.

``p_wrong`` is calibrated: of the labels with p_wrong 0.8, four in five are wrong. From class probabilities it comes
by a noise model (:mod:`goldvein.noise.model`); from margins and agreement counts alone, by a mixture of two
distributions in each class (:mod:`goldvein.noise.mixture`); from features alone, by the vote of their neighbors
(:mod:`goldvein.selectors.neighbors`). Beside probabilities of the same run, margins and agreement counts only speak
in the reasons: they tell nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldvein.errors import InputError
from goldvein.issues.checks import as_array, check, check_target
from goldvein.issues.table import COLUMNS, KINDS, RARE, Case, by_class, listed, table_of
from goldvein.noise import model as noise_model
from goldvein.selectors.agreement import Agreement
from goldvein.selectors.margin import Margin
from goldvein.selectors.neighbors import deviations, vote

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "KINDS", "RARE", "Audit", "audit", "find_label_issues"]
SAMPLE = 50_000  # rows that the readings of T are compared on
NORMAL_90 = 1.645  # standard deviations to each side of a 90 % interval
SUREST = 1e-6  # least p_wrong of either of two labels of the same: both may be as good as sure, and one is wrong
FAR, DOUBT = 3, 0.2  # deviations and p_wrong from which a row is like no other,
LOST = 6  # deviations from which it is so whatever its label,
LIKE_NONE = 0.6  # and the least p_wrong that it then has


@dataclass(frozen=True)
class Audit:
    """A list of doubtful labels, and the noise that it implies.

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
        90 % interval of that number: chance, the number of labels that it was learned from, and how far the readings
        of T are apart.
    classes : DataFrame
        For each given class: class, n_labels, n_wrong, n_wrong_low, n_wrong_high, n_issues, expected_recall (of its
        wrong labels, the share that is listed; NaN where none is expected), enough (labels to judge it by).
    ambiguous : tuple of str
        What the labels cannot tell, in words: classes that may have exchanged names, labels known by heart.
    """

    table: pd.DataFrame
    noise_rate: float
    transition: NDArray[np.float64]
    n_wrong: float
    n_wrong_interval: tuple[float, float]
    classes: pd.DataFrame
    ambiguous: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgment:
    """P(wrong) of given labels (n,), what stands behind it, and how far it may be off."""

    p_wrong: NDArray[np.floating]
    T: NDArray[np.float64]
    model: noise_model.NoiseModel | None = None
    probs: NDArray[np.floating] | None = None
    sample: NDArray[np.int64] | None = None  # places among the n
    readings: NDArray[np.floating] | None = None  # (3, m): p_wrong of the sample by each reading of T, the last its own


def audit(
    y: NDArray[np.int64],
    classes: ArrayLike,
    probs: NDArray | None = None,
    *,
    margins: NDArray | None = None,
    agreement: NDArray | None = None,
    features: NDArray | None = None,
    trained_on: NDArray[np.int64] | None = None,
    held_out: NDArray[np.bool_] | None = None,
    trusted: NDArray[np.bool_] | None = None,
    before: NDArray[np.int64] | None = None,
    twin: NDArray[np.int64] | None = None,
    far: NDArray[np.floating] | None = None,
    scores: Mapping[str, NDArray] | None = None,
    precision: float = 0.5,
    budget: int | None = None,
    ids: ArrayLike | None = None,
) -> Audit:
    """Judge every given label.

    Parameters
    ----------
    y : ndarray of shape (N,), int64
        Given labels as indices into ``classes``; rows of -1 are not in the list.
    classes : array of shape (K,)
        Names of the classes.
    probs : ndarray of shape (N, K), optional
        Class probabilities of a network.
    margins, agreement, features, precision, budget, ids
        See :func:`find_label_issues`.
    trained_on : ndarray of shape (N,), int64, optional
        Labels that the probabilities were learned from, noise included (-1: none); by default the labels are asked
        whether the probabilities look so.
    held_out : ndarray of shape (N,), bool, optional
        Labeled rows that took no part in training. With none, all rows are taken for such.
    trusted : ndarray of shape (N,), bool, optional
        Labels known to be right.
    before : ndarray of shape (N,), int64, optional
        What ``y`` was before the trusted labels became known: what a person went through is no sample of all labels.
    twin : ndarray of shape (N,), int64, optional
        For each row another that is all but the same and has another label, or -1.
    far : ndarray of shape (N,), float, optional
        By how many deviations a row is farther from its nearest ones than rows are; with ``features``, these tell.
    scores : mapping of str to ndarray of shape (N,), optional
        Further columns of the table.
    """
    check_target(precision, budget)
    ids = np.arange(len(y)) if ids is None else np.asarray(ids)
    if len(ids) != len(y):
        raise InputError(f"ids has {len(ids)} entries and y {len(y)}: give one for each row")
    names = np.asarray(classes)
    rows = np.flatnonzero(y >= 0)

    def pick(values: Any) -> Any:
        return values if values is None or len(rows) == len(y) else np.asarray(values)[rows]

    told, aside, sure, far = pick(y), pick(held_out), pick(trusted), pick(far)
    probs = pick(probs)
    if features is not None:
        votes, near, other = vote(told, pick(features), n_classes=len(names))
        twin = _spread(other, rows, len(y))
        far = deviations(np.sqrt(near), np.sqrt(near))
        probs = votes if probs is None else (probs + votes) / 2
    if probs is not None:
        mixed = None if trained_on is None else bool((pick(trained_on) >= 0).any())
        judged = _judge(told, probs, mixed, aside, sure, pick(before))
    else:
        judged = _by_scores(told, len(names), pick(margins), pick(agreement))
    settled = np.zeros(len(told), dtype=bool) if sure is None else sure
    p_wrong, strange = _beside(judged.p_wrong, settled, rows, twin, far)
    issue = listed(p_wrong, told, precision, budget, len(names), pick(agreement))
    case = Case(
        rows=rows,
        names=names,
        y=told,
        p_wrong=p_wrong,
        is_issue=issue,
        twin=None if twin is None else np.where(settled, -1, np.asarray(twin)[rows]),
        margins=pick(margins),
        agreement=pick(agreement),
        far=strange,
        ids=ids,
        scores={name: np.asarray(values)[rows] for name, values in (scores or {}).items()},
    )
    table = table_of(case, judged.model, judged.probs)
    deviation, per_class = _deviation(judged, told, p_wrong, aside, len(names))
    total = float(p_wrong.sum(dtype=np.float64))
    interval = (max(0.0, total - NORMAL_90 * deviation), min(float(len(rows)), total + NORMAL_90 * deviation))
    return Audit(
        table,
        total / len(rows),
        judged.T,
        total,
        interval,
        by_class(case, NORMAL_90 * per_class),
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
    """The doubtful labels among given ones, from any of probabilities, margins, agreement counts and features.

    Parameters
    ----------
    y : array of shape (N,), int
        Given labels 0 .. K-1; -1 is missing.
    probs : array of shape (N, K), float
        Class probabilities, best of a network that has not seen the label of the row (cross-validation).
    margins : array of shape (N,), float
        Mean over the epochs of the number for the given class minus the largest other (AUM).
    agreement : array of shape (N,), float in [0, 1]
        Share of the epochs after which the given label was predicted.
    features : array of shape (N, D), float
        What a network makes of each row before its last layer. Finds conflicts, too, and rows like no other, whose
        label is more likely wrong than not whatever the rest says.
    precision : float in (0, 1), default=0.5
        Least expected share of wrong labels in the list. No label that is more likely right than wrong is listed,
        unless ``precision`` is below 0.5 or its class is rare: of each rare class, the worst labels are listed until
        a fifth of its wrong ones is expected among them.
    budget : int, optional
        List that many labels, the worst, in place of ``precision``.
    ids : array of shape (N,), optional
        What names a row; by default its number.

    Returns
    -------
    DataFrame
        One row for each given label, worst first.

        - id, given_label, suggested_label (the given one where there is nothing better)
        - label_quality (low is bad) and p_wrong in [0, 1]
        - is_issue, rank (1 is the worst), reason
        - p_suggested: probability of the suggested label; NaN without class probabilities
        - kind: ``wrong_label``; ``none_of_these``, no class is likely; ``conflict``, all but the same row has another
          label; ``too_little_evidence``, the class has fewer than 20 labels; ``ok``

    Raises
    ------
    InputError
        If nothing to go by is given, shapes differ, a label is not below K, a number is NaN or none, a probability
        is negative, a row does not sum to 1, or agreement, precision or budget is out of range.

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
        raise InputError("nothing to judge y by: give probs, margins, agreement or features")
    n_classes = check(labels, arrays)
    names = np.arange(n_classes)
    signals: dict[str, Any] = dict(arrays)
    labels = labels.astype(np.int64, copy=False)
    return audit(labels, names, precision=precision, budget=budget, ids=ids, **signals).table


def _judge(
    y: NDArray[np.int64],
    probs: NDArray[np.floating],
    mixed: bool | None,
    held_out: NDArray[np.bool_] | None,
    trusted: NDArray[np.bool_] | None,
    first: NDArray[np.int64] | None,
) -> Judgment:
    """By the noise model of the class probabilities."""
    if held_out is not None and held_out.any():
        doubted = slice(None) if trusted is None else np.flatnonzero(~trusted)  # right labels are believed rightly
        told = noise_model.match_held_out(y[doubted], probs[doubted], held_out[doubted])
        if trusted is None:
            probs = told
        else:
            probs = np.array(probs)
            probs[doubted] = told
    model, before = noise_model.fit_noise_model(y, probs, mixed=mixed, trusted=trusted, y_before=first)
    p_wrong = 1 - model.p_right(y, probs)
    rng = np.random.default_rng(0)
    some = np.arange(len(y)) if len(y) <= SAMPLE else np.sort(rng.choice(len(y), SAMPLE, replace=False))
    readings = np.stack([*(1 - other.p_right(y[some], probs[some]) for other in before), p_wrong[some]])
    return Judgment(p_wrong, model.T, model, probs, some, readings)


def _by_scores(y: NDArray[np.int64], n_classes: int, margins: NDArray | None, agreement: NDArray | None) -> Judgment:
    """By margins, agreement counts, or the mean of what both say."""
    odds = []
    for selector, name, values in ((Margin(), "margins", margins), (Agreement(), "agreement", agreement)):
        if values is not None:
            right = np.clip(selector.select(y, **{name: values})[0], 1e-6, 1 - 1e-6)
            odds.append(np.log1p(-right) - np.log(right))
    p_wrong = 1 / (1 + np.exp(-np.mean(odds, axis=0)))
    p_wrong[p_wrong < 2e-6] = 0
    n = np.maximum(np.bincount(y, minlength=n_classes), 1)
    rate = np.bincount(y, p_wrong, minlength=n_classes) / n
    T = np.repeat(rate[:, None] / max(n_classes - 1, 1), n_classes, axis=1)  # which classes are mixed up is not known
    np.fill_diagonal(T, 1 - rate if n_classes > 1 else 1.0)
    return Judgment(p_wrong, T)


def _beside(
    p_wrong: NDArray[np.floating],
    settled: NDArray[np.bool_],
    rows: NDArray[np.int64],
    twin: NDArray[np.int64] | None,
    far: NDArray | None,
) -> tuple[NDArray[np.floating], NDArray[np.bool_] | None]:
    """p_wrong (n,) given what other rows tell of a row beside its class, and which rows are like no other.

    Labels that are ``settled`` (n,), bool, are right whatever the others say.
    """
    p_wrong, strange = _exclude(p_wrong, settled, rows, twin), None
    if far is not None:
        strange = ((far > FAR) & (p_wrong > DOUBT) & ~settled) | (far > LOST)
        p_wrong = np.where(strange, np.maximum(p_wrong, np.float32(LIKE_NONE)), p_wrong)
    return np.where(settled, np.float32(0), p_wrong), strange


def _exclude(
    p_wrong: NDArray[np.floating], settled: NDArray[np.bool_], rows: NDArray[np.int64], twin: NDArray[np.int64] | None
) -> NDArray[np.floating]:
    """Two labels of what is all but one row are not both right: p_wrong given that."""
    if twin is None:
        return p_wrong
    doubt = np.where(settled, 0, np.maximum(p_wrong.astype(float), SUREST))
    of_row = np.ones(len(twin))
    of_row[rows] = doubt
    paired = np.flatnonzero((twin[rows] >= 0) & ~settled)
    right, other = 1 - doubt[paired], 1 - of_row[twin[rows[paired]]]
    out = p_wrong.copy()
    out[paired] = 1 - right * (1 - other) / (1 - right * other)
    return out


def _deviation(
    judged: Judgment,
    y: NDArray[np.int64],
    p_wrong: NDArray[np.floating],
    held_out: NDArray[np.bool_] | None,
    n_classes: int,
) -> tuple[float, NDArray[np.float64]]:
    """Standard deviation of the number of wrong labels, in all and of each class (K,)."""
    p = p_wrong.astype(np.float64)
    n = np.bincount(y, minlength=n_classes)
    told = n if held_out is None or not held_out.any() else np.bincount(y[held_out], minlength=n_classes)
    wrong = np.bincount(y, p, minlength=n_classes)
    chance = np.bincount(y, p * (1 - p), minlength=n_classes)
    gap, gap_all = np.zeros(n_classes), 0.0
    if judged.readings is not None and judged.sample is not None:
        of = y[judged.sample]
        weight = (n / np.maximum(np.bincount(of, minlength=n_classes), 1))[of]
        counts = np.stack([np.bincount(of, reading * weight, minlength=n_classes) for reading in judged.readings])
        gap, gap_all = np.ptp(counts, axis=0), float(np.ptp(counts.sum(1)))
    rate = wrong / np.maximum(n, 1)
    learned = n**2 * np.maximum(rate * (1 - rate), 1e-9) / np.maximum(told, 1)
    per_class = np.sqrt(chance + learned + (gap / 2) ** 2)
    share = p.mean()
    learned_all = len(y) ** 2 * share * (1 - share) / max(told.sum(), 1)
    return float(np.sqrt(chance.sum() + learned_all + (gap_all / 2) ** 2)), per_class


def _spread(values: NDArray[np.int64], rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Twins, which are places among ``rows``, as numbers of rows, (n,)."""
    out = np.full(n, -1)
    out[rows] = np.where(values >= 0, rows[values], -1)
    return out
