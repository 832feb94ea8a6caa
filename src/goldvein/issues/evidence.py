"""Evidence: the arrays by which the labels of a training are judged, and the judgment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from goldvein.config.names import CLEAN_SET_METHOD
from goldvein.issues.audit import Audit, audit
from goldvein.issues.duplicates import find_duplicates
from goldvein.issues.honesty import still_learning
from goldvein.noise.identifiability import find_ambiguous_classes
from goldvein.selectors.neighbors import deviations

Floats = NDArray[np.floating]
REPEATED = 0.95  # a network that repeats at least this share of its labels may have memorized some of them;
ENOUGH = 100  # this many held-out labels show how many


@dataclass(frozen=True)
class Evidence:
    """Arrays of the n rows that a classifier was fitted on.

    Attributes
    ----------
    y : ndarray of shape (n,), int64
        Given labels as indices of classes; -1 is a missing one.
    probs : ndarray of shape (n, K), float32
        Class probabilities by which labels are judged.
    trained_on : ndarray of shape (n,), int64
        Labels that the network was trained on; -1 for none.
    held_out : ndarray of shape (n,), bool
        Labels that took no part in training.
    agreement : ndarray of shape (n,), float, optional
        Share of the epochs after which the network predicted the given label.
    trusted : ndarray of shape (n,), bool, optional
        Labels known to be right.
    y_before : ndarray of shape (n,), int64, optional
        Given labels before some of them were reviewed.
    duplicate : ndarray of shape (n,), int64, optional
        Another row that is nearly the same but has another label; -1 for none.
    outlier : ndarray of shape (n,), float32, optional
        Outlier score: distance to the nearest neighbors, in standard deviations; see :func:`outlier_score`.
    scores : dict of ndarray, each (n,)
        Scores of the method, by name.
    curve : sequence of float
        Agreement with held-out labels after each epoch of the last stage of the training.
    """

    y: NDArray[np.int64]
    probs: Floats
    trained_on: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    agreement: Floats | None = None
    trusted: NDArray[np.bool_] | None = None
    y_before: NDArray[np.int64] | None = None
    duplicate: NDArray[np.int64] | None = None
    outlier: NDArray[np.float32] | None = None
    scores: dict[str, Floats] = field(default_factory=dict)
    curve: Sequence[float] = ()

    @classmethod
    def gather(
        cls,
        inputs: Any,
        y: NDArray[np.int64],
        *,
        distance: tuple[Floats, Floats] | None = None,
        **arrays: Any,
    ) -> Self:
        """Return the evidence; duplicates and outliers are computed here.

        Parameters
        ----------
        inputs : Rows of length n
            Duplicates are only searched if this is an array.
        y : ndarray of shape (n,), int64
        distance : (ndarray of shape (n,), ndarray of shape (m,)), optional
            Distances to the nearest neighbors, and usual distances: see :func:`outlier_score`.
        **arrays
            The other attributes.
        """
        # images in files would have to be decoded once more
        duplicate = find_duplicates(inputs, y) if isinstance(inputs, np.ndarray) else None
        outlier = None if distance is None else outlier_score(*distance)
        return cls(y=y, duplicate=duplicate, outlier=outlier, **arrays)

    def audit(self, classes: NDArray[Any], **target: Any) -> Audit:
        """Judge the labels; ``target`` is precision, budget or ids of :func:`goldvein.issues.audit.audit`."""
        judged = audit(
            self.y,
            classes,
            self.probs,
            agreement=self.agreement,
            trained_on=self.trained_on,
            held_out=self.held_out,
            trusted=self.trusted,
            y_before=self.y_before,
            duplicate=self.duplicate,
            outlier=self.outlier,
            scores=self.scores,
            **target,
        )
        ambiguous = find_ambiguous_classes(self.y, self.probs, held_out=self.held_out, trusted=self.trusted)
        messages = tuple(found.message(classes.tolist(), CLEAN_SET_METHOD) for found in ambiguous)
        messages += self._memorized()
        if learning := still_learning(self.curve, int((self.held_out & (self.y >= 0)).sum())):
            messages += (learning,)
        return replace(judged, ambiguous=judged.ambiguous + messages)

    def _memorized(self) -> tuple[str, ...]:
        """Return a warning if labels may look right only because the network has memorized them."""
        learned = (self.trained_on >= 0) & ~self.held_out
        if not learned.any() or self.held_out.sum() >= ENOUGH:
            return ()
        repeated = (self.probs[learned].argmax(1) == self.y[learned]).mean()
        if repeated < REPEATED:
            return ()
        return (
            f"the network repeats {100 * repeated:.0f} % of the labels that it was trained on, and fewer than {ENOUGH} "
            "labels were held out to tell how many of these it has memorized: more labels may be wrong than are "
            "listed; hold out more (validation_fraction), or use the default method",
        )


def outlier_score(distance: NDArray[np.floating], usual: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return distances to the nearest neighbors in standard deviations, (n,); 0 for a row without a distance.

    Parameters
    ----------
    distance : ndarray of shape (n,)
        NaN for a row whose distance was not measured.
    usual : ndarray of shape (m,)
        Usual distances.

    Examples
    --------
    >>> outlier_score(np.array([np.nan, 1.5]), np.linspace(0, 1, 101)).round(1).tolist()
    [0.0, 2.9000000953674316]
    """
    score = np.zeros(len(distance), dtype=np.float32)
    measured = np.isfinite(distance)
    score[measured] = deviations(distance[measured], usual)
    return score
