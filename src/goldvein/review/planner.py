"""The order in which a person should review suspicious labels.

A review corrects the label of row i with probability ``p_wrong``. The corrected label leaves its class and joins
another. If the classes differ in size, a correction counts more in the smaller class, because what counts is the share
of correct labels in each class. The gain of row i is therefore

    gain_i = p_wrong_i × w_i,    w_i = ½ (m / n_given + m / n_suggested),

where n_k is the number of labels of class k and m = N / K their mean. The weight is 1 if all classes have the same
size. The gains of different rows add up. The best plan for N labels is therefore the N rows with the largest gains, and
a larger budget only adds rows at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

HEAVIEST = 10.0  # greatest weight: a class of one label must not fill the plan


def plan_review(issues: pd.DataFrame, budget: int | None = None) -> pd.DataFrame:
    """Return the rows to review, the largest expected gain first.

    Parameters
    ----------
    issues : DataFrame
        Columns id, given_label, suggested_label, p_wrong, is_issue and rank, as in ``SavedRun.issues``.
    budget : int, optional
        Number of rows to review; by default all issues.

    Returns
    -------
    DataFrame
        The rows, with a column ``gain``. Rows of equal gain are in the order of their rank.

    Examples
    --------
    >>> import pandas as pd
    >>> issues = pd.DataFrame({
    ...     "id": list("abcd"), "given_label": ["x", "x", "x", "y"], "suggested_label": ["y", "x", "x", "x"],
    ...     "p_wrong": [0.9, 0.2, 0.1, 0.75], "is_issue": [True, False, False, False], "rank": [1, 3, 4, 2]})
    >>> plan_review(issues, 2)[["id", "gain"]].values.tolist()
    [['a', 1.2], ['d', 1.0]]
    """
    sizes = issues["given_label"].value_counts()
    mean = len(issues) / max(len(sizes), 1)

    def weight(labels: pd.Series) -> NDArray[np.float64]:
        # a class without a given label counts as a class of one label
        return np.minimum(mean / labels.map(sizes).fillna(1).to_numpy(float), HEAVIEST)

    weights = (weight(issues["given_label"]) + weight(issues["suggested_label"])) / 2
    ordered = issues.assign(gain=issues["p_wrong"] * weights)
    if budget is None:
        ordered = ordered[ordered["is_issue"]]
    ordered = ordered.sort_values(["gain", "rank"], ascending=[False, True], kind="stable")
    return ordered.head(len(ordered) if budget is None else budget).reset_index(drop=True)
