"""Evidence: the arrays that the labels of a training are judged by, and the judgment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.issues.audit import Audit, audit
from goldvein.noise.identifiability import find_ambiguous_classes
from goldvein.selectors.neighbors import deviations

BY_HEART = 0.95  # share of repeated labels from which some may have been learned by heart,
ENOUGH = 100  # and held-out labels that tell how many


@dataclass(frozen=True)
class Evidence:
    """Arrays of the n rows that a classifier was fitted on.

    Attributes
    ----------
    y : ndarray of shape (n,), int64
        Given labels as indices of classes; -1 is a missing one.
    probs : ndarray of shape (n, K), float32
        Class probabilities that labels are judged by.
    trained_on : ndarray of shape (n,), int64
        Labels that these were learned from; -1 for none.
    agreement : ndarray of shape (n,), float
        Share of the epochs after which the network predicted the given label.
    held_out : ndarray of shape (n,), bool
    trusted : ndarray of shape (n,), bool, optional
    before : ndarray of shape (n,), int64, optional
        Given labels before a person decided on some of them.
    twin : ndarray of shape (n,), int64, optional
        The row that is all but the same and has another label; -1 for none.
    far : ndarray of shape (n,), float32, optional
        Outlier score: distance to the nearest neighbors, in standard deviations; see :func:`outlier_score`.
    scores : dict of ndarray, each (n,)
        The method's own, by name: see :attr:`goldvein.training.method.Method.doubts`.
    """

    y: NDArray[np.int64]
    probs: NDArray[np.floating]
    trained_on: NDArray[np.int64]
    agreement: NDArray[np.floating]
    held_out: NDArray[np.bool_]
    trusted: NDArray[np.bool_] | None
    before: NDArray[np.int64] | None
    twin: NDArray[np.int64] | None
    far: NDArray[np.float32] | None
    scores: dict[str, NDArray]

    def audit(self, classes: NDArray, **target: Any) -> Audit:
        """The labels judged, for a ``target`` as :func:`goldvein.issues.audit.audit` takes it."""
        judged = audit(
            self.y,
            classes,
            self.probs,
            agreement=self.agreement,
            trained_on=self.trained_on,
            held_out=self.held_out,
            trusted=self.trusted,
            before=self.before,
            twin=self.twin,
            far=self.far,
            scores=self.scores,
            **target,
        )
        doubt = find_ambiguous_classes(self.y, self.probs, held_out=self.held_out, trusted=self.trusted)
        messages = tuple(found.message(classes.tolist()) for found in doubt)
        return replace(judged, ambiguous=messages + self._by_heart())

    def _by_heart(self) -> tuple[str, ...]:
        """A warning where labels may look right only because the network has learned them, and nothing tells."""
        learned = (self.trained_on >= 0) & ~self.held_out
        if not learned.any() or self.held_out.sum() >= ENOUGH:
            return ()
        repeated = (self.probs[learned].argmax(1) == self.y[learned]).mean()
        if repeated < BY_HEART:
            return ()
        return (
            f"the network repeats {repeated:.0%} of the labels that it was trained on, and fewer than {ENOUGH} "
            "labels were held out to tell how many of these it knows by heart: more may be wrong than are listed; hold "
            "out more (validation_fraction), or use two_stage",
        )


def outlier_score(distance: NDArray[np.floating], usual: NDArray[np.floating]) -> NDArray[np.float32]:
    """Distances to the nearest neighbors in standard deviations, (n,); 0 where there is no distance.

    Parameters
    ----------
    distance : ndarray of shape (n,)
        NaN where it was not measured.
    usual : ndarray of shape (m,)
        What distances usually are.

    Examples
    --------
    >>> outlier_score(np.array([np.nan, 1.5]), np.linspace(0, 1, 101)).round(1).tolist()
    [0.0, 2.9000000953674316]
    """
    score = np.zeros(len(distance), dtype=np.float32)
    asked = np.isfinite(distance)
    score[asked] = deviations(distance[asked], usual)
    return score
