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

The members and their sizes, the prior, the number of deals and the two halves of step 5 were chosen on eight public
tables with the test accuracy in view. In training, no label known to be right is seen anywhere. A member that agrees
with far fewer labels of the first fold than the best one is left out of the others.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted, check_random_state

from goldvein.config.ranges import Count, Positive
from goldvein.estimators._cross_fit import deal_folds, one_hot, take_labels
from goldvein.estimators._members import default_members
from goldvein.estimators._mixture import Mixture, temper
from goldvein.estimators._race import Race
from goldvein.estimators.soft_labels import judge

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
PRIOR = 0.5  # labels that speak for equal weights, times the square root of the number of labels
STEPS = 200  # of EM, for the weights
FEW, REPEATS = 300, 2  # labels below which the folds are dealt several times


class Panel(ClassifierMixin, BaseEstimator):
    """Mix classifiers by the given labels that they have not seen, and train them on probable true classes.

    Parameters
    ----------
    members : dict of str to classifier, optional
        By default: see :func:`goldvein.estimators._members.default_members`.
    folds : int, default=5
    time_limit : float, optional
        Seconds that ``fit`` may take. Members that are expected to take longer are left out, the slowest first; the
        fastest stays. Without a limit, none is left out for its time.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted.
    candidates_ : DataFrame
        For each member: name, log_likelihood (mean over the given labels, out of fold; NaN if it was left out), weight,
        seconds, and a note that says why it was left out.
    choice_ : str
        What was chosen and why, in one sentence.
    probs_ : ndarray of shape (n, K)
        The mixture of step 4, out of fold for labeled rows; the prediction for the others.
    soft_labels_ : ndarray of shape (n, K)
        P(true | x, given); rows without a label are 0.
    noise_model_ : NoiseModel
    predictor_ : Mixture
        The classifiers that predict.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.svm import SVC
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(0, 1, (100, 2)), rng.normal(5, 1, (100, 2))]
    >>> y = np.repeat(["cat", "dog"], 100); y[:20] = "dog"       # twenty are wrong
    >>> panel = Panel({"linear": LogisticRegression(), "svm": SVC()}, random_state=0).fit(X, y)
    >>> panel.predict([[0, 0], [5, 5]]).tolist(), panel.candidates_["name"].tolist()
    (['cat', 'dog'], ['linear', 'svm'])
    """

    def __init__(
        self,
        members: dict[str, Any] | None = None,
        *,
        folds: Count = 5,
        time_limit: Positive | None = None,
        random_state: Any = None,
    ) -> None:
        self.members = members
        self.folds = folds
        self.time_limit = time_limit
        self.random_state = random_state

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, trusted: ArrayLike | None = None
    ) -> Self:
        """Train on rows (n, ...) with labels (n,), of which -1, NaN, None and "" are missing.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of n rows
        y : array of shape (n,)
        sample_weight : array of shape (n,), optional
            Weights of the rows in the training of the members; how likely a member makes labels is not weighted.
        trusted : array of shape (n,), bool, optional
            Labels known to be right; they are learned as they are.

        Raises
        ------
        InputError
            If the labels cannot be used, there are fewer than two folds, or no member can be fitted.
        """
        self.classes_, labels, known = take_labels(X, y, trusted, self.folds)
        K = len(self.classes_)
        seed = int(check_random_state(self.random_state).randint(2**31))
        given = np.flatnonzero(labels >= 0)
        codes, targets = labels[given], one_hot(labels, K)
        members = default_members(X, len(given), K, seed) if self.members is None else self.members
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        race = Race(members, X, targets, weight, self.time_limit)
        rng = np.random.default_rng(seed)
        found = race.run([deal_folds(labels, self.folds, rng) for _ in range(REPEATS if len(given) < FEW else 1)])
        tempers = {name: fit_temper(codes, q[given]) for name, q in found.items()}
        clean = {name: temper(q[given], tempers[name][0]) for name, q in found.items()}
        likely = {name: given_likelihood(codes, clean[name], tempers[name][1]) for name in found}
        weights = dict(zip(found, stack(np.array(list(likely.values()))), strict=True))
        mixture = np.asarray(sum(weights[name] * clean[name] for name in found))
        self.noise_model_, soft = judge(codes, mixture, known[given])
        self.soft_labels_ = np.zeros((len(labels), K))
        self.soft_labels_[given] = soft
        fitted = race.fit_all(list(found), [targets, self.soft_labels_])
        parts = [(weights[name] / 2, tempers[name][0], fit) for name in found for fit in fitted[name]]
        self.predictor_ = Mixture(parts)
        self.probs_ = np.zeros((len(labels), K))
        self.probs_[given] = mixture
        others = np.flatnonzero(labels < 0)
        if len(others):
            self.probs_[others] = self.predict_proba(_safe_indexing(X, others))
        self.candidates_ = pd.DataFrame(
            {
                "name": list(members),
                "log_likelihood": [np.log(likely[m]).mean() if m in likely else np.nan for m in members],
                "weight": [weights.get(m, 0.0) for m in members],
                "seconds": [race.seconds[m] for m in members],
                "note": [race.notes.get(m, "") for m in members],
            }
        )
        mixed = np.log(sum(weights[name] * likely[name] for name in found)).mean()
        self.choice_ = _describe_choice(self.candidates_, float(mixed))
        return self

    def describe(self) -> str:
        """Return its name in a message."""
        return "a panel of classifiers"

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return class probabilities (n, K)."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.predict_proba(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest classes (n,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])


def _describe_choice(candidates: pd.DataFrame, mixed: float) -> str:
    """Return what was chosen and why, from the mean log-likelihood of the mixture."""
    by_weight = candidates[candidates.weight > 0].sort_values("weight", ascending=False, kind="stable")
    names = [f"{name} {weight:.0%}" for name, weight in zip(by_weight.name, by_weight.weight, strict=True)]
    best = candidates.iloc[int(np.nanargmax(candidates.log_likelihood))]
    if len(by_weight) == 1:
        return f"{best['name']} was chosen: unseen given labels have log-likelihood {best.log_likelihood:.3f}"
    return (
        f"{', '.join(names)} were mixed: unseen given labels have log-likelihood {mixed:.3f}, "
        f"and {best.log_likelihood:.3f} by {best['name']}, the best one alone"
    )


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
    [0.97, 0.03]
    """
    m, n = likely.shape
    w = np.full(m, 1 / m)
    for _ in range(STEPS):
        share = w[:, None] * likely
        w = (share / share.sum(0)).sum(1) + PRIOR * np.sqrt(n) / m
        w /= w.sum()
    return np.asarray(w)
