"""In what order a person should look at doubtful labels, if there is time for ``budget`` of them.

A review can mend the label of a row with probability ``p_wrong``. A mended label leaves its class and joins another,
and where classes differ in size it is worth more in the smaller one: what counts is the share of right labels in each
class. So a row's gain is

    gain_i = p_wrong_i × w_i,    w_i = ½ (m / n_given + m / n_suggested),

with n_k the labels of class k and m = N / K their mean: 1 where classes are even. A weight is held below
``HEAVIEST``, so that a class of one label does not decide the plan. Gains of different rows add up, therefore the best
plan for a budget of N is the N rows of the greatest gain, whatever N is: more time later goes on where this plan ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

HEAVIEST = 10.0


def plan(issues: pd.DataFrame, budget: int | None = None) -> pd.DataFrame:
    """The rows to review, the greatest expected gain first.

    Parameters
    ----------
    issues : DataFrame
        Columns id, given_label, suggested_label, p_wrong, is_issue and rank, as ``Run.issues`` has them.
    budget : int, optional
        How many rows to look at; by default all that are marked as issues.

    Returns
    -------
    DataFrame
        The rows with a column ``gain``. Rows of equal gain stay in the order of their rank.

    Examples
    --------
    >>> import pandas as pd
    >>> issues = pd.DataFrame({
    ...     "id": list("abcd"), "given_label": ["x", "x", "x", "y"], "suggested_label": ["y", "x", "x", "x"],
    ...     "p_wrong": [0.9, 0.2, 0.1, 0.75], "is_issue": [True, False, False, False], "rank": [1, 3, 4, 2]})
    >>> plan(issues, 2)[["id", "gain"]].values.tolist()
    [['a', 1.2], ['d', 1.0]]
    """
    sizes = issues["given_label"].value_counts()
    mean = len(issues) / max(len(sizes), 1)

    def weight(labels: pd.Series) -> np.ndarray:
        # a class that is suggested only has no label yet: the heaviest of all
        return np.minimum(mean / labels.map(sizes).fillna(1).to_numpy(float), HEAVIEST)

    weights = (weight(issues["given_label"]) + weight(issues["suggested_label"])) / 2
    ordered = issues.assign(gain=issues["p_wrong"] * weights)
    if budget is None:
        ordered = ordered[ordered["is_issue"]]
    ordered = ordered.sort_values(["gain", "rank"], ascending=[False, True], kind="stable")
    return ordered.head(budget).reset_index(drop=True) if budget is not None else ordered.reset_index(drop=True)
