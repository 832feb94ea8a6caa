"""The classifiers of the panel, by the kind and number of rows."""

from __future__ import annotations

from typing import Any

from scipy.sparse import issparse
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler
from sklearn.svm import SVC

from goldvein.estimators._nearest import can_search
from goldvein.estimators._scaler import NumberScaler, are_frequencies
from goldvein.estimators.graph import GraphSpreading, build_graph
from goldvein.estimators.lda import ShrunkLDA

MOST_FOR_KERNEL = 10_000  # rows above which the support vector machine takes too long
MOST_COLUMNS = 2_000  # above which the covariance takes too long,
MOST_FOR_BOOSTING = 300  # and above which boosted trees do
BINS = 64  # values of a column that boosted trees tell apart
FEW_PER_CLASS = 50  # labels a class below which forests are small, with leaves of one row, and no trees are boosted


def default_members(X: Any, n_labels: int, n_classes: int, seed: int) -> dict[str, Any]:
    """Return classifiers of different bias for rows X (N, D), the fast ones first.

    All but the trees get numbers with mean 0 and deviation 1; columns of two values, and frequencies of words, are left
    as they are.
    """
    sparse = issparse(X)

    def scaled(classifier: Any) -> Any:
        return classifier if sparse else make_pipeline(NumberScaler(), classifier)

    members: dict[str, Any] = {"logistic_regression": scaled(LogisticRegression(max_iter=300))}
    words = are_frequencies(X)
    if words:
        members["naive_bayes"] = ComplementNB()
    if not sparse and X.shape[1] <= MOST_COLUMNS:
        # the covariance is shrunk towards equal deviations, so words need them, too
        members["lda"] = make_pipeline(StandardScaler(), ShrunkLDA()) if words else scaled(ShrunkLDA())
    if can_search(X):
        graph = build_graph(X if sparse else NumberScaler().fit_transform(X))
        members["graph"] = scaled(GraphSpreading(doubt=False, scale=False, graph=graph))
    if n_labels <= MOST_FOR_KERNEL:
        members["svm"] = scaled(SVC())
    few = n_labels < FEW_PER_CLASS * n_classes
    trees = {"n_estimators": 50 if few else 100, "random_state": seed}
    # one thread each: the threads of a forest add up its trees in any order, and the last digits differ
    if not words:  # these trees draw among columns that differ in a node, which takes long where most are 0
        members["extra_trees"] = ExtraTreesClassifier(min_samples_leaf=2, **trees)
    members["random_forest"] = RandomForestClassifier(min_samples_leaf=1 if few else 5, **trees)
    if not few and not sparse and X.shape[1] <= MOST_FOR_BOOSTING:
        small = {"max_iter": 50, "max_leaf_nodes": 8, "min_samples_leaf": 10}
        # scikit-learn's own bins take 40 times as long where rows have weights
        bins = KBinsDiscretizer(BINS, encode="ordinal", strategy="quantile", subsample=None)
        members["boosting"] = make_pipeline(bins, HistGradientBoostingClassifier(**small, random_state=seed))
    return members
