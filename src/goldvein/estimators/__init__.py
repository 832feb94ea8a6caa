"""Learners that are not networks, one file each: scikit-learn classifiers that know that labels may be wrong.

Each has ``fit(X, y, trusted=...)``, in which -1, NaN, None and "" are missing labels, and ``predict_proba``. No torch
is loaded.
"""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from goldvein.config.names import DEFAULT_METHOD, exports, find, names
from goldvein.errors import InputError, unknown

# short names, as in the command line, of scikit-learn classifiers
CLASSIFIERS = {
    "logistic_regression": "sklearn.linear_model:LogisticRegression",
    "svm": "sklearn.svm:SVC",
    "nearest_neighbors": "sklearn.neighbors:KNeighborsClassifier",
    "random_forest": "sklearn.ensemble:RandomForestClassifier",
    "extra_trees": "sklearn.ensemble:ExtraTreesClassifier",
    "hist_gradient_boosting": "sklearn.ensemble:HistGradientBoostingClassifier",
}

__getattr__, __dir__ = exports("estimators")


class Learner(Protocol):
    """What stands in place of a network."""

    probs_: NDArray[np.float64]

    def fit(self, X: Any, y: Any, *, trusted: Any = None) -> Self: ...

    def predict_proba(self, X: Any) -> NDArray[np.float64]: ...

    def describe(self) -> str: ...


def find_learner(method: Any, model: Any, model_params: dict[str, Any] | None, random_state: Any) -> Learner | None:
    """Return what a method and a model ask for in place of a network; None if they ask for a network.

    Parameters
    ----------
    method, model, model_params
        See :class:`goldvein.NoisyLabelClassifier`.
    random_state : int, RandomState or None

    Raises
    ------
    InputError
        If a classifier is given beside a method that trains networks, or its parameters do not fit.

    Examples
    --------
    >>> find_learner("two_stage", "random_forest", {"n_estimators": 50}, 0).describe()
    'RandomForestClassifier'
    >>> find_learner("two_stage", "mlp", None, 0) is None
    True
    """
    classifier = _find_classifier(model, model_params)
    if isinstance(method, str) and method == "panel":
        if classifier is not None or model != "auto":
            raise InputError(f"method='panel' has its own classifiers, and model is {model!r}: leave one of them out")
        panel: Learner = find("estimators", "panel")(random_state=random_state)
        return panel
    if classifier is None:
        return None
    if not (isinstance(method, str) and method == DEFAULT_METHOD):
        raise InputError(f"method={method!r} trains networks, and {type(classifier).__name__} is none: leave one out")
    soft_labels: Learner = find("estimators", "soft_labels")(classifier, random_state=random_state)
    return soft_labels


def _find_classifier(model: Any, params: dict[str, Any] | None) -> Any:
    """Return a scikit-learn classifier by itself, its class or its name; None for anything else."""
    if isinstance(model, str):
        if model in ("auto", *names("models")) or (":" in model and not model.startswith("sklearn.")):
            return None
        if ":" not in model and model not in CLASSIFIERS:
            raise unknown("model", model, [*names("models"), *CLASSIFIERS])
        model = find("estimators", CLASSIFIERS.get(model, model))
    if isinstance(model, type) and hasattr(model, "fit") and hasattr(model, "predict"):
        try:
            return model(**(params or {}))
        except TypeError as error:
            raise InputError(f"model_params={params!r}: {error}; give arguments of {model.__name__}") from error
    return model if not isinstance(model, type) and hasattr(model, "fit") and is_classifier(model) else None
