"""What a fitted estimator says of the labels that it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from goldvein.errors import InputError
from goldvein.issues.audit import Audit
from goldvein.issues.evidence import Evidence

if TYPE_CHECKING:
    import pandas as pd


class JudgedLabels:
    """Adds the table of suspicious labels, and their number, to an estimator.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted.
    evidence_ : Evidence or None
        What ``fit`` has left; None if it was asked to leave nothing.
    ids_ : ndarray of shape (n,), or None
        The index of the frame that was fitted on; the table names rows by it. None for row numbers.
    """

    classes_: NDArray[Any]
    evidence_: Evidence | None
    ids_: NDArray[Any] | None
    audit_: Audit

    def label_issues(
        self, *, precision: float = 0.5, budget: int | None = None, ids: ArrayLike | None = None
    ) -> pd.DataFrame:
        """The given labels of the training set, worst first.

        Parameters
        ----------
        precision, budget, ids
            Target of the list and names of the rows: see :func:`goldvein.issues.audit.find_label_issues`, also for
            the columns.
        """
        return self.audit(precision=precision, budget=budget, ids=ids).table

    def audit(self, *, precision: float = 0.5, budget: int | None = None, ids: ArrayLike | None = None) -> Audit:
        """The table of :meth:`label_issues`, the number of wrong labels by class, and which classes are confused.

        Parameters
        ----------
        precision, budget, ids
            As for :meth:`label_issues`; nothing else depends on them.
        """
        check_is_fitted(self, "classes_")
        if self.evidence_ is None:
            raise InputError("this model was fitted with watch=False: fit it with watch=True to judge its labels")
        if precision != 0.5 or budget is not None or ids is not None:
            names = self.ids_ if ids is None else ids
            return self.evidence_.audit(self.classes_, precision=precision, budget=budget, ids=names)
        if not hasattr(self, "audit_"):
            self.audit_ = self.evidence_.audit(self.classes_, ids=self.ids_)
        return self.audit_

    @property
    def noise_rate_(self) -> float:
        """Estimated share of wrong labels among the given ones."""
        return self.audit().noise_rate

    @property
    def ambiguous_(self) -> tuple[str, ...]:
        """What the labels cannot tell, in words, such as classes that may be swapped."""
        return self.audit().ambiguous

    @property
    def transition_(self) -> NDArray[np.float64]:
        """Estimated T (K, K): T[i, j] = P(given class j | true class i)."""
        return self.audit().transition
