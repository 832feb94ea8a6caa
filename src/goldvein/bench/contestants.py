"""The rows of the leaderboard: goldvein's own, and other libraries at their defaults."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from sklearn.svm import SVC

from goldvein.bench.few_and_wrong import Draw
from goldvein.config.names import DEFAULT_METHOD, NETWORK_METHOD
from goldvein.errors import InputError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Answer:
    """What a contestant says.

    Attributes
    ----------
    predicted : ndarray of shape (n_test,)
    p_wrong : ndarray of shape (n_labeled,), or None
        High where a given label is suspicious.
    listed : ndarray of shape (n_labeled,), bool, or None
    noise_rate : float or None
    """

    predicted: Ints
    p_wrong: NDArray[np.float64] | None = None
    listed: NDArray[np.bool_] | None = None
    noise_rate: float | None = None


def _ours(method: str = DEFAULT_METHOD, model: str = "auto") -> Callable[[Draw, int], Answer]:
    def answer(data: Draw, seed: int) -> Answer:
        from goldvein.classifier import NoisyLabelClassifier

        fitted = NoisyLabelClassifier(method, model=model, random_state=seed).fit(data.x, data.y)
        table = fitted.label_issues().sort_values("id")
        return Answer(
            fitted.predict(data.x_test),
            table["p_wrong"].to_numpy(dtype=float),
            table["is_issue"].to_numpy(),
            fitted.noise_rate_,
        )

    return answer


def _peer(build: Callable[[int], Any], *, unlabeled: bool = False) -> Callable[[Draw, int], Answer]:
    def answer(data: Draw, seed: int) -> Answer:
        rows = data.y >= -1 if unlabeled else data.y >= 0
        classifier = build(seed)
        if unlabeled and (data.y >= 0).all() and isinstance(classifier, SelfTrainingClassifier):
            classifier = classifier.estimator  # it refuses rows that all have a label
        return Answer(classifier.fit(data.x[rows], data.y[rows]).predict(data.x_test))

    return answer


def _clean_learning(build: Callable[[int], Any]) -> Callable[[Draw, int], Answer]:
    def answer(data: Draw, seed: int) -> Answer:
        from cleanlab.classification import CleanLearning

        labeled = data.y >= 0
        known, codes = np.unique(data.y[labeled], return_inverse=True)
        alone = {"n_jobs": 1}  # the processes that run contests have no children
        fitted = CleanLearning(build(seed), seed=seed, find_label_issues_kwargs=alone).fit(data.x[labeled], codes)
        issues = fitted.get_label_issues()
        listed = issues["is_label_issue"].to_numpy()
        quality = issues["label_quality"].to_numpy(dtype=float)
        return Answer(known[fitted.predict(data.x_test)], -quality, listed, float(listed.mean()))

    return answer


def _light_gbm(seed: int) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(random_state=seed, n_jobs=1, verbose=-1)


def _forest(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(random_state=seed)


def _linear(_: int) -> LogisticRegression:
    return LogisticRegression(max_iter=300)


OWN: dict[str, Callable[[Draw, int], Answer]] = {
    DEFAULT_METHOD: _ours(),
    "random_forest": _ours(model="random_forest"),
    "graph": _ours(model="graph"),
    "lda": _ours(model="lda"),
    NETWORK_METHOD: _ours(NETWORK_METHOD),
    "cross_entropy": _ours("cross_entropy"),
}
PEERS: dict[str, Callable[[Draw, int], Answer]] = {
    "LogisticRegression": _peer(_linear),
    "SVC": _peer(lambda _: SVC()),
    "RandomForest": _peer(_forest),
    "HistGradientBoosting": _peer(lambda seed: HistGradientBoostingClassifier(random_state=seed)),
    "KNeighbors": _peer(lambda _: KNeighborsClassifier(10)),
    "LightGBM": _peer(_light_gbm),
    "LabelSpreading": _peer(lambda _: LabelSpreading(kernel="knn", n_neighbors=10, alpha=0.9), unlabeled=True),
    "SelfTraining(LogisticRegression)": _peer(lambda seed: SelfTrainingClassifier(_linear(seed)), unlabeled=True),
    "SelfTraining(RandomForest)": _peer(lambda seed: SelfTrainingClassifier(_forest(seed)), unlabeled=True),
    "CleanLearning(LogisticRegression)": _clean_learning(_linear),
    "CleanLearning(RandomForest)": _clean_learning(_forest),
}
ROWS = {**OWN, **PEERS}
NEEDS = {"LightGBM": "lightgbm", "CleanLearning": "cleanlab"}  # the extra "peers" installs them


def check_installed(row: str) -> None:
    """Raise an error if the library of a row is missing.

    Raises
    ------
    InputError
    """
    module = NEEDS.get(row.partition("(")[0])
    if module is not None and importlib.util.find_spec(module) is None:
        raise InputError(f"{row} needs {module}, which is not installed: pip install 'goldvein[peers]'")
