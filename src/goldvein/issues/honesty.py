"""What the labels cannot tell: whether the model can judge at all, and whether a row is hard or its label wrong.

Where classes overlap for the model, a wrong label looks like a hard row. The noise model tells both apart by labels far
from every boundary; near a boundary nothing does. So the count there is an interval between both readings, and a
sentence says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.issues.counts import Counts
from goldvein.noise.model import NoiseModel, blocks

Floats = NDArray[np.floating[Any]]
HARD = 0.15  # share of rows that the model cannot place from which wrong labels may hide among them
MIN_TRUSTED, RIGHT = (
    20,
    0.7,
)  # trusted labels that show whether the model can judge, and the share that it must get right
ABOVE_CHANCE = 2.0  # standard errors by which the agreement with unseen labels must exceed the most frequent class
HARDEST = 0.45  # share of rows that the model cannot place from which it judges nothing
MOST_WEAK = 0.5  # largest P(wrong) by a model that cannot judge: no label is then listed


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


def weakness(
    y: NDArray[np.int64],
    probs: Floats,
    unseen: NDArray[np.bool_],
    trusted: NDArray[np.bool_] | None = None,
    hard: float = 0.0,
) -> str:
    """Return a sentence if a model is too weak to tell wrong labels from hard ones; else an empty string.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels, none of them missing.
    probs : ndarray of shape (n, K)
    unseen : ndarray of shape (n,), bool
        Labels that the model was not trained on.
    trusted : ndarray of shape (n,), bool, optional
        Labels known to be right. 20 of them decide, whether the model was trained on them or not.
    hard : float, default=0
        Share of the rows that the model cannot place.

    Examples
    --------
    >>> y = np.tile([0, 1], 50)
    >>> weakness(y, np.tile([[0.6, 0.4]], (100, 1)), np.ones(100, dtype=bool))  # doctest: +NORMALIZE_WHITESPACE
    'this model agrees with 50 % of the labels that it has not seen, and always naming the most frequent class with
    50 %: it cannot tell wrong labels from hard ones; use pretrained features or more labels'
    """
    agrees = np.concatenate([probs[part].argmax(1) for part in blocks(probs)]) == y
    advice = "it cannot tell wrong labels from hard ones; use pretrained features or more labels"
    if trusted is not None and trusted.sum() >= MIN_TRUSTED and agrees[trusted].mean() < RIGHT:
        return f"this model gets {100 * agrees[trusted].mean():.0f} % of your trusted labels right: {advice}"
    share = float(agrees[unseen].mean()) if unseen.any() else 1.0
    most = float(np.bincount(y[unseen]).max() / unseen.sum()) if unseen.any() else 0.0
    if len(np.unique(y)) > 1 and share < most + ABOVE_CHANCE * np.sqrt(most * (1 - most) / max(unseen.sum(), 1)):
        return (
            f"this model agrees with {100 * share:.0f} % of the labels that it has not seen, and always naming the "
            f"most frequent class with {100 * most:.0f} %: {advice}"
        )
    if hard >= HARDEST:
        return f"this model cannot place {100 * hard:.0f} % of the rows: {advice}"
    return ""


def hard_rows(y: NDArray[np.int64], probs: Floats, model: NoiseModel) -> NDArray[np.float64]:
    """Return the expected number of rows with each given label (K,) that belong to another class than the likeliest."""
    hard = np.zeros(probs.shape[1])
    for part in blocks(probs):
        unsure = 1 - model.clean_probs(probs[part]).max(1)
        hard += np.bincount(y[part], unsure, minlength=len(hard))
    return hard


def doubt(n: int, hard: NDArray[np.float64], model: NoiseModel, counts: Counts, n_wrong: float) -> Doubt:
    """Return how many rows are hard for the model, and a sentence if wrong labels may hide among them.

    Parameters
    ----------
    n : int
        Number of labels.
    hard : ndarray of shape (K,)
        See :func:`hard_rows`.
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
