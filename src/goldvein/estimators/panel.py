"""A panel of classifiers of different bias, weighted by how likely they make given labels that they have not seen.

    1. Each member m is cross-fitted to the given labels, all on the same folds: q_m(x), out of fold.
    2. Its own noise is the simplest one, a temperature s and a rate r of wrong labels:
           p_m = softmax(s log q_m),    P_m(given = j | x) = (1 - r) p_mj + r / K                         (1)
       Both make the given labels likeliest.
    3. The weights w make the given labels likeliest under the mixture  sum_m w_m P_m  (stacking, Wolpert 1992), with a
       prior that holds them near equal, the more so the fewer labels there are.
    4. The noise model judges the mixture  sum_m w_m p_m  and gives soft labels: see
       :mod:`goldvein.estimators.soft_labels`.
    5. Each member is fitted to all labels as given, and to the soft labels. The prediction is the mean of both, over
       the members by their weights. Where labels are few, the judgment is uncertain, and the first half is a guard.

The members and the two halves of step 5 were chosen on six public tables with the test accuracy in view. In training,
no label known to be right is seen anywhere. A member that agrees with far fewer labels of the first fold than the best
one is left out of the others.
"""

from __future__ import annotations

import time
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.sparse import issparse
from scipy.special import expit, log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted, check_random_state

from goldvein.config.ranges import Count
from goldvein.estimators._cross_fit import FittedOn, cross_fit, deal_folds, one_hot, take_labels
from goldvein.estimators.soft_labels import judge

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
LEAST = 1e-4  # of a probability: a forest of 100 trees does not know anything below 0.01
HOPELESS, ERRORS = 0.1, 2.0  # agreement below the best from which a member is left out, plus standard errors
PRIOR = 1.0  # labels that speak for equal weights, times the square root of the number of labels
STEPS = 200  # of EM, for the weights
MOST_FOR_KERNEL = 10_000  # rows above which the support vector machine takes too long
FEW, REPEATS = 300, 3  # labels below which the folds are dealt several times


class Panel(ClassifierMixin, BaseEstimator):
    """Mix classifiers by the given labels that they have not seen, and train them on probable true classes.

    Parameters
    ----------
    members : dict of str to classifier, optional
        By default: see :func:`default_members`.
    folds : int, default=5
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted.
    candidates_ : DataFrame
        For each member: name, log_likelihood (mean over the given labels, out of fold; NaN if it was left out), weight,
        seconds.
    probs_ : ndarray of shape (n, K)
        The mixture of step 4, out of fold for labeled rows.
    soft_labels_ : ndarray of shape (n, K)
        P(true | x, given); rows without a label are 0.
    noise_model_ : NoiseModel

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(0, 1, (100, 2)), rng.normal(5, 1, (100, 2))]
    >>> y = np.repeat(["cat", "dog"], 100); y[:20] = "dog"       # twenty are wrong
    >>> panel = Panel({"linear": LogisticRegression(), "svm": SVC()}, random_state=0).fit(X, y)
    >>> panel.predict([[0, 0], [5, 5]]).tolist(), panel.candidates_["name"].tolist()
    (['cat', 'dog'], ['linear', 'svm'])
    """

    def __init__(self, members: dict[str, Any] | None = None, *, folds: Count = 5, random_state: Any = None) -> None:
        self.members = members
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, trusted: ArrayLike | None = None) -> Self:
        """Train on rows (n, ...) with labels (n,), of which -1, NaN, None and "" are missing.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of n rows
        y : array of shape (n,)
        trusted : array of shape (n,), bool, optional
            Labels known to be right; they are learned as they are.

        Raises
        ------
        InputError
            If the labels cannot be used, or there are fewer than two folds.
        """
        self.classes_, labels, known = take_labels(X, y, trusted, self.folds)
        seed = int(check_random_state(self.random_state).randint(2**31))
        given = np.flatnonzero(labels >= 0)
        rows, codes, targets = _safe_indexing(X, given), labels[given], one_hot(labels[given], len(self.classes_))
        members = default_members(X, len(given), seed) if self.members is None else self.members
        found, seconds = self._cross_fit(members, rows, codes, seed)
        self._tempers = {name: fit_temper(codes, q) for name, q in found.items()}
        clean = {name: temper(q, self._tempers[name][0]) for name, q in found.items()}
        likely = {name: given_likelihood(codes, clean[name], self._tempers[name][1]) for name in found}
        weights = dict(zip(found, stack(np.array(list(likely.values()))), strict=True))
        self._weights = weights
        mixture = sum(weights[name] * clean[name] for name in found)
        self.noise_model_, soft = judge(codes, np.asarray(mixture), known[given])
        self.probs_, self.soft_labels_ = np.zeros((2, len(labels), len(self.classes_)))
        self.probs_[given], self.soft_labels_[given] = mixture, soft
        self._fitted = {}
        for name in found:
            start = time.perf_counter()
            self._fitted[name] = [FittedOn(members[name], rows, goal) for goal in (targets, soft)]
            seconds[name] += time.perf_counter() - start
        self.candidates_ = pd.DataFrame(
            {
                "name": list(members),
                "log_likelihood": [np.log(likely[m]).mean() if m in likely else np.nan for m in members],
                "weight": [weights.get(m, 0.0) for m in members],
                "seconds": [seconds[m] for m in members],
            }
        )
        return self

    def _cross_fit(
        self, members: dict[str, Any], rows: Any, y: Ints, seed: int
    ) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
        """Return the probabilities (n, K) of the members that are not hopeless, and the seconds of all."""
        rng = np.random.default_rng(seed)
        targets = one_hot(y, len(self.classes_))
        deals = [deal_folds(y, self.folds, rng) for _ in range(REPEATS if len(y) < FEW else 1)]
        seconds, first = dict.fromkeys(members, 0.0), {}
        test = deals[0] == 0
        for name, member in members.items():
            start = time.perf_counter()
            first[name] = cross_fit(member, rows, targets, deals[0], only=(0,))[test]
            seconds[name] = time.perf_counter() - start
        agree = {name: float((q.argmax(1) == y[test]).mean()) for name, q in first.items()}
        best = max(agree.values())
        allowed = HOPELESS + ERRORS * float(np.sqrt(best * (1 - best) / test.sum()))
        found = {}
        for name in (name for name in members if agree[name] >= best - allowed):
            start = time.perf_counter()
            found[name] = cross_fit(members[name], rows, targets, deals[0], only=range(1, self.folds))
            found[name][test] = first[name]
            for deal in deals[1:]:
                found[name] += cross_fit(members[name], rows, targets, deal)
            found[name] /= len(deals)
            seconds[name] += time.perf_counter() - start
        return found, seconds

    def describe(self) -> str:
        """Return its name in a message."""
        return "a panel of classifiers"

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return class probabilities (n, K)."""
        check_is_fitted(self)
        parts = [
            self._weights[name] * temper(fitted.predict_proba(X), self._tempers[name][0]) / 2
            for name, both in self._fitted.items()
            for fitted in both
        ]
        return np.asarray(sum(parts))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest classes (n,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])


def default_members(X: Any, n: int, seed: int) -> dict[str, Any]:
    """Return a linear classifier, a kernel and two kinds of trees, for n labeled rows.

    Linear classifier and kernel get each column with mean 0 and deviation 1, but for sparse matrices, whose columns
    mostly are frequencies of words.
    """

    def scaled(classifier: Any) -> Any:
        return classifier if issparse(X) else make_pipeline(StandardScaler(), classifier)

    members = {"logistic_regression": scaled(LogisticRegression(max_iter=300))}
    if n <= MOST_FOR_KERNEL:
        members["svm"] = scaled(SVC())
    # one thread each: the threads of a forest add up its trees in any order, and the last digits differ
    members["random_forest"] = RandomForestClassifier(min_samples_leaf=5, random_state=seed)
    members["extra_trees"] = ExtraTreesClassifier(min_samples_leaf=2, random_state=seed)
    return {name: clone(member) for name, member in members.items()}


def temper(q: Floats, s: float) -> NDArray[np.float64]:
    """Return softmax(s log q), (n, K)."""
    return np.asarray(np.exp(log_softmax(s * np.log(np.maximum(q, LEAST)), axis=1)))


def given_likelihood(y: Ints, p: Floats, rate: float) -> NDArray[np.float64]:
    """Return P(given | x) of eq. 1 for labels (n,) and clean probabilities (n, K)."""
    return np.asarray((1 - rate) * p[np.arange(len(y)), y] + rate / p.shape[1])


def fit_temper(y: Ints, q: Floats) -> tuple[float, float]:
    """Return s and r of eq. 1, by likelihood with a weak prior towards s = 1.

    Examples
    --------
    >>> q = np.tile([0.9, 0.1], (1000, 1))
    >>> s, r = fit_temper(np.arange(1000) % 10 // 9, q)      # a tenth has label 1, as q says
    >>> bool(0.9 < s < 1.2), bool(r < 0.1)
    (True, True)
    """

    def loss(v: NDArray[np.float64]) -> float:
        s, rate = float(np.exp(v[0])), float(expit(v[1]))
        likelihood = given_likelihood(y, temper(q, s), rate)
        return float(-np.log(likelihood).sum() + v[0] ** 2 / 2 + (v[1] + 3) ** 2 / 18)

    found = minimize(loss, np.array([0.0, -3.0]), method="Nelder-Mead", options={"maxfev": 100, "xatol": 0.01})
    return float(np.exp(found.x[0])), float(expit(found.x[1]))


def stack(likely: Floats) -> NDArray[np.float64]:
    """Return the weights (M,) that make labels with likelihoods (M, n) likeliest, by EM, with the prior.

    Examples
    --------
    >>> stack(np.array([[0.8] * 100, [0.2] * 100])).round(2).tolist()     # without the prior: 1 and 0
    [0.94, 0.06]
    """
    m, n = likely.shape
    w = np.full(m, 1 / m)
    for _ in range(STEPS):
        share = w[:, None] * likely
        w = (share / share.sum(0)).sum(1) + PRIOR * np.sqrt(n) / m
        w /= w.sum()
    return np.asarray(w)
