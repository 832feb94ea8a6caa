"""Learners that are not networks, one file each: scikit-learn classifiers that know that labels may be wrong.

Each has ``fit(X, y, trusted=...)``, in which -1, NaN, None and "" are missing labels, and ``predict_proba``. No torch
is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.pipeline import make_pipeline

from goldvein.config.names import DEFAULT_METHOD, exports, find, names
from goldvein.errors import InputError, unknown
from goldvein.estimators._cross_fit import last_step
from goldvein.estimators._scaler import NumberScaler

# short names, as in the command line
CLASSIFIERS = {
    "graph": "goldvein.estimators.graph:GraphSpreading",
    "lda": "goldvein.estimators.lda:ShrunkLDA",
    "logistic_regression": "sklearn.linear_model:LogisticRegression",
    "svm": "sklearn.svm:SVC",
    "nearest_neighbors": "sklearn.neighbors:KNeighborsClassifier",
    "random_forest": "sklearn.ensemble:RandomForestClassifier",
    "extra_trees": "sklearn.ensemble:ExtraTreesClassifier",
    "hist_gradient_boosting": "sklearn.ensemble:HistGradientBoostingClassifier",
}

# of these, all but trees, whose numbers get mean 0 and deviation 1: others learn little from columns of different units
SCALED = ("graph", "lda", "logistic_regression", "svm", "nearest_neighbors")

__getattr__, __dir__ = exports("estimators")


class Predictor(Protocol):
    """What a fitted learner leaves behind."""

    def predict_proba(self, X: Any) -> NDArray[np.float64]: ...


class Learner(Protocol):
    """What stands in place of a network."""

    probs_: NDArray[np.float64]
    predictor_: Predictor

    def fit(self, X: Any, y: Any, *, trusted: Any = None, sample_weight: Any = None) -> Self: ...

    def predict_proba(self, X: Any) -> NDArray[np.float64]: ...

    def describe(self) -> str: ...


def find_learner(
    method: Any,
    model: Any,
    model_params: dict[str, Any] | None,
    random_state: Any,
    *,
    time_limit: float | None = None,
    vectors: bool = True,
    for_networks: Sequence[str] = (),
) -> Learner | None:
    """Return what a method and a model ask for in place of a network; None if they ask for a network.

    Parameters
    ----------
    method, model, model_params, time_limit
        See :class:`goldvein.NoisyLabelClassifier`.
    random_state : int, RandomState or None
    vectors : bool
        Whether the rows are vectors, and not images.
    for_networks : sequence of str
        Names of the arguments that were given and that only networks have.

    Raises
    ------
    InputError
        If a classifier is given beside a method or an argument of networks, its parameters do not fit, or the rows are
        images.

    Examples
    --------
    >>> find_learner("auto", "random_forest", {"n_estimators": 50}, 0).describe()
    'RandomForestClassifier'
    >>> find_learner("auto", "mlp", None, 0) is None
    True
    """
    classifier = _find_classifier(model, model_params)
    if classifier is None:
        if (method, model, model_params) != (DEFAULT_METHOD, "auto", None) or for_networks or not vectors:
            return None
        panel: Learner = find("estimators", "panel")(time_limit=time_limit, random_state=random_state)
        return panel
    name = type(last_step(classifier)).__name__
    if not (isinstance(method, str) and method == DEFAULT_METHOD):
        raise InputError(f"method={method!r} trains networks, and {name} is none: leave one out")
    for argument in for_networks:
        raise InputError(f"{argument} is for networks, and {name} is none: leave it out")
    if not vectors:
        raise InputError(f"{name} takes vectors, and X has images: give X of shape (n, D), or leave the model out")
    soft_labels: Learner = find("estimators", "soft_labels")(classifier, random_state=random_state)
    return soft_labels


def _find_classifier(model: Any, params: dict[str, Any] | None) -> Any:
    """Return a scikit-learn classifier by itself, its class or its name; None for anything else."""
    scaled = model in SCALED if isinstance(model, str) else False
    if isinstance(model, str):
        if model in ("auto", *names("models")):
            return None
        if ":" not in model and model not in CLASSIFIERS:
            raise unknown("model", model, [*names("models"), *CLASSIFIERS])
        model = find("estimators", CLASSIFIERS.get(model, model))  # what has no fit and predict builds a network
    if isinstance(model, type) and hasattr(model, "fit") and hasattr(model, "predict"):
        try:
            classifier = model(**(params or {}))
        except TypeError as error:
            raise InputError(f"model_params={params!r}: {error}; give arguments of {model.__name__}") from error
        return make_pipeline(NumberScaler(), classifier) if scaled else classifier
    return model if not isinstance(model, type) and hasattr(model, "fit") and is_classifier(model) else None
