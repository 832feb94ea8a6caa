"""What the labels cannot tell: whether the model can judge at all, and whether a row is hard or its label wrong.

Where classes overlap for the model, a wrong label looks like a hard row. The noise model tells both apart by labels far
from every boundary; near a boundary nothing does. So the count there is an interval between both readings, and a
sentence says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.issues.counts import Counts
from goldvein.noise.model import NoiseModel, blocks

Floats = NDArray[np.floating[Any]]
HARD = 0.15  # share of rows that the model cannot place from which wrong labels may hide among them
# trusted labels that show whether the model can judge, and the share that it must get right
MIN_TRUSTED, RIGHT = 20, 0.7
ABOVE_CHANCE = 2.0  # standard errors by which the agreement with unseen labels must exceed the most frequent class
HARDEST = 0.45  # share of rows that the model cannot place from which it judges nothing
MOST_WEAK = 0.5  # largest P(wrong) by a model that cannot judge: no label is then listed
# Epochs from which a learning curve is looked at; the least rise in its last half that is told, and in standard errors
LEAST_EPOCHS, RISE, RISE_ERRORS = 8, 0.02, 2.0


@dataclass(frozen=True)
class Doubt:
    """What the labels cannot tell.

    Attributes
    ----------
    hard : ndarray of shape (K,)
        Expected number of rows with each given label that the model places in another class than they belong to.
    sentence : str
        Empty if there is nothing to say.
    """

    hard: NDArray[np.float64]
    sentence: str


@dataclass(frozen=True)
class LabelAgreement:
    """How often the likeliest class of a model is the label.

    Attributes
    ----------
    unseen : float
        Share of labels that the model was not trained on.
    n_unseen : int
    most_frequent : float
        The share that always naming the most frequent class would have.
    trusted : float or None
        Share of the trusted labels; None without any.
    n_trusted : int
    """

    unseen: float
    n_unseen: int
    most_frequent: float
    trusted: float | None
    n_trusted: int


def measure_agreement(
    y: NDArray[np.int64], probs: Floats, unseen: NDArray[np.bool_], trusted: NDArray[np.bool_] | None = None
) -> LabelAgreement:
    """Return the agreement of class probabilities (n, K) with given labels (n,), none of them missing.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
    probs : ndarray of shape (n, K)
    unseen : ndarray of shape (n,), bool
        Labels that the model was not trained on; at least one.
    trusted : ndarray of shape (n,), bool, optional
        Labels known to be right, whether the model was trained on them or not.

    Examples
    --------
    >>> y, probs = np.array([0, 0, 1, 1]), np.tile([0.6, 0.4], (4, 1))
    >>> measure_agreement(y, probs, np.array([True, True, True, False])).unseen.__round__(2)
    0.67
    """
    agrees = np.concatenate([probs[part].argmax(1) for part in blocks(probs)]) == y
    n, sure = int(unseen.sum()), np.zeros(len(y), dtype=bool) if trusted is None else trusted
    return LabelAgreement(
        float(agrees[unseen].mean()),
        n,
        float(np.bincount(y[unseen]).max() / n),
        float(agrees[sure].mean()) if sure.any() else None,
        int(sure.sum()),
    )


def weakness(found: LabelAgreement, n_classes: int, hard: float = 0.0) -> str:
    """Return a sentence if a model is too weak to tell wrong labels from hard ones; else an empty string.

    Parameters
    ----------
    found : LabelAgreement
        20 trusted labels decide.
    n_classes : int
        Number of classes with a label.
    hard : float, default=0
        Share of the rows that the model cannot place.

    Examples
    --------
    >>> weakness(LabelAgreement(0.5, 100, 0.5, None, 0), 2)  # doctest: +NORMALIZE_WHITESPACE
    'this model agrees with 50 % of the labels that it has not seen, and always naming the most frequent class with
    50 %: it cannot tell wrong labels from hard ones; use pretrained features or more labels'
    """
    advice = "it cannot tell wrong labels from hard ones; use pretrained features or more labels"
    if found.trusted is not None and found.n_trusted >= MIN_TRUSTED and found.trusted < RIGHT:
        return f"this model gets {100 * found.trusted:.0f} % of your trusted labels right: {advice}"
    most = found.most_frequent
    if n_classes > 1 and found.unseen < most + ABOVE_CHANCE * np.sqrt(most * (1 - most) / found.n_unseen):
        return (
            f"this model agrees with {100 * found.unseen:.0f} % of the labels that it has not seen, and always naming "
            f"the most frequent class with {100 * most:.0f} %: {advice}"
        )
    if hard >= HARDEST:
        return f"this model cannot place {100 * hard:.0f} % of the rows: {advice}"
    return ""


def still_learning(curve: Sequence[float], n: int) -> str:
    """Return a sentence if a network still got better at the end of its training; else an empty string.

    Parameters
    ----------
    curve : sequence of float
        Share of held-out labels that the network agreed with, after each epoch of its last stage.
    n : int
        Number of held-out labels.

    Examples
    --------
    >>> still_learning([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], 1000)  # doctest: +NORMALIZE_WHITESPACE
    'the network still got better when training ended (agreement with held-out labels: 55 % in the third quarter of the
    epochs, 75 % in the last): train longer to judge labels better'
    >>> still_learning([0.1, 0.7, 0.8, 0.8, 0.8, 0.8, 0.8, 0.81], 1000)
    ''
    """
    quarter = len(curve) // 4
    if len(curve) < LEAST_EPOCHS or not n:
        return ""
    before, last = float(np.mean(curve[-2 * quarter : -quarter])), float(np.mean(curve[-quarter:]))
    if not last - before >= max(RISE, RISE_ERRORS * float(np.sqrt(last * (1 - last) / n))):  # or NaN
        return ""
    return (
        "the network still got better when training ended (agreement with held-out labels: "
        f"{100 * before:.0f} % in the third quarter of the epochs, {100 * last:.0f} % in the last): "
        "train longer to judge labels better"
    )


def doubt(n: int, hard: NDArray[np.float64], model: NoiseModel, counts: Counts, n_wrong: float) -> Doubt:
    """Return how many rows are hard for the model, and a sentence if wrong labels may hide among them.

    Parameters
    ----------
    n : int
        Number of labels.
    hard : ndarray of shape (K,)
        Expected number of rows with each given label that belong to another class than the likeliest.
    model : NoiseModel
    counts : Counts
        Intervals by the noise model alone.
    n_wrong : float
    """
    share = float(hard.sum()) / n
    if model.kind == "boundary":
        return Doubt(
            hard,
            "labels near the boundaries between classes are wrong, or their rows are hard: the labels cannot tell "
            f"which, so up to {counts.total[1]:,.0f} of {n:,} labels may be wrong, or none",
        )
    if share < HARD:
        return Doubt(hard, "")
    most = min(n, max(counts.total[1], n_wrong + hard.sum()))
    return Doubt(
        hard,
        f"the model cannot place {100 * share:.0f} % of the rows, and there a wrong label looks like a hard row: the "
        f"labels cannot tell whether {counts.total[0]:,.0f} or up to {most:,.0f} of {n:,} labels are wrong",
    )


def widen(counts: Counts, found: Doubt, model: NoiseModel, y: NDArray[np.int64], p_wrong: Floats) -> Counts:
    """Return the intervals with both readings of the hard rows in them, if there is something to say."""
    if not found.sentence:
        return counts
    low, high = counts.total
    if model.kind == "boundary":
        return replace(counts, total=(0.0, high), low=np.zeros_like(counts.low))
    k = len(counts.high)
    n, wrong = np.bincount(y, minlength=k), np.bincount(y, p_wrong, minlength=k)
    most = min(float(len(y)), float(wrong.sum() + found.hard.sum()))
    return Counts((low, max(high, most)), counts.low, np.maximum(counts.high, np.minimum(n, wrong + found.hard)))
