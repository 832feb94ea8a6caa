"""NoisyLabelClassifier: one scikit-learn estimator for all methods."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, check_random_state

from goldvein.config.names import DEFAULT_METHOD
from goldvein.config.ranges import Count, NonNegative, Positive, PositiveShare, Range, ShareBelowOne, check
from goldvein.data.frames import holds_vectors, index_of, labels_of
from goldvein.data.taken import TakesInputs
from goldvein.data.targets import (
    append_rows,
    as_trusted_mask,
    encode_known,
    encode_targets,
    hold_out,
    split_missing,
    weigh,
)
from goldvein.errors import InputError
from goldvein.estimators import Learner, Predictor, find_learner
from goldvein.issues.evidence import Evidence
from goldvein.issues.judged import JudgedLabels
from goldvein.rows import Rows
from goldvein.training.fit import Fitted, TrainingSet, fit, shared_seed
from goldvein.training.inputs import Transform
from goldvein.training.method import HasMethod, Method, resolve_method
from goldvein.training.network import Factory, NetworkOptions
from goldvein.training.predict import predict_rows
from goldvein.training.recipe import Recipe
from goldvein.training.views import View

# arguments that do not ask for a network
FOR_ALL = ("method", "model", "model_params", "random_state", "time_limit", "missing", "device", "precision", "verbose")


class NoisyLabelClassifier(HasMethod, TakesInputs, ClassifierMixin, JudgedLabels, BaseEstimator):
    """Classifier for labels of which some are wrong and most may be missing.

    Parameters
    ----------
    method : str or Method, default="auto"
        Name of a method (``goldvein methods`` lists them), or an object with its hyper-parameters. ``auto`` mixes
        classifiers for vectors, by how likely they make unseen given labels: see
        :class:`goldvein.estimators.panel.Panel`. For images, or with any argument of networks, it is two_stage.
    model : str, callable or scikit-learn classifier, default="auto"
        The network: see :func:`goldvein.training.network.find_factory`. A classifier, or the name of one, is trained
        on soft labels in place of a network: see :class:`goldvein.estimators.soft_labels.SoftLabels`.
    time_limit : float, optional
        Seconds that the classifiers of ``auto`` may take; the slowest ones are left out.
    missing : value, list or None, default="auto"
        What stands for a missing label in ``y``, beside NaN and None. ``auto`` is -1 and "". With None, -1 is a class.
    model_params : dict, optional
        Further arguments of the network or of the named classifier. ``weights`` is a file of weights to begin with: see
        :func:`goldvein.training.pretrained.load_weights`.
    epochs : int or "auto", default="auto"
        Number of epochs of each stage. ``auto`` is 40, or more where rows are few: see
        :func:`goldvein.training.recipe.auto_epochs`.
    batch_size, optimizer, lr, momentum, beta2, weight_decay, schedule, patience, factor, min_lr, stop_after, keep
        Optimization: see :class:`goldvein.training.recipe.Recipe`. ``auto`` is ``schedule="plateau", keep="best"``, or
        ``"constant"`` and ``"last"`` for a method that does not use the validation set: see
        :attr:`goldvein.training.method.Method.uses_validation`.
    validation_fraction : float or "auto", default="auto"
        Share of the labels of each class to hold out; they decide when the rate falls and training stops. ``auto`` is
        0.1, or 0 where that leaves fewer than 10 a class on average.
    augment : str or callable, default="auto"
        Random views: see :class:`goldvein.training.inputs.Transform`.
    normalize : str, default="auto"
        See :meth:`goldvein.training.inputs.Transform.fit`.
    device : str, default="auto"
        ``auto`` is ``cuda`` if the machine has a GPU, else ``cpu``.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        ``auto`` computes convolutions in bfloat16 where the hardware does.
    random_state : int, RandomState or None, default=None
    verbose : bool, default=False
        Show progress on a terminal.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted; columns of every (n, K) array follow it.
    method_ : Method
        The fitted copy of ``method``.
    history_ : list of dict
        One entry an epoch: stage, epoch, terms of the loss, lr, validation_accuracy, seconds.
    n_iter_ : int
        Epochs run, over all stages.
    validation_ : ndarray of shape (n_samples,), bool
        Rows that were held out.
    learner_ : SoftLabels, Panel or None
        What was trained in place of a network; there is no ``net_``, ``method_`` and ``history_`` then.
    candidates_, choice_ : DataFrame, str
        What ``auto`` tried for vectors, and what it chose: see :class:`goldvein.estimators.panel.Panel`.
    evidence_ : Evidence or None
        The arrays that given labels are judged by; None with ``watch=False``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(0, 1, (50, 2)), rng.normal(5, 1, (50, 2))]
    >>> y = np.repeat([0, 1], 50); y[:5] = 1; y[20:40] = -1        # five wrong, twenty missing
    >>> model = NoisyLabelClassifier(method="cross_entropy", epochs=20, random_state=0).fit(X, y)
    >>> model.predict([[0, 0], [5, 5]])
    array([0, 1])
    """

    def __init__(
        self,
        method: str | Method = DEFAULT_METHOD,
        *,
        model: str | Factory = "auto",
        model_params: dict[str, Any] | None = None,
        epochs: int | str = "auto",
        batch_size: Count = 128,
        optimizer: str = "adam",
        lr: Positive = 1e-3,
        momentum: ShareBelowOne = 0.9,
        beta2: ShareBelowOne = 0.999,
        weight_decay: NonNegative = 0.0,
        schedule: Literal["auto", "plateau", "cosine", "steps", "constant"] = "auto",
        patience: Count = 10,
        factor: PositiveShare = 0.5,
        min_lr: NonNegative = 1e-7,
        stop_after: Count | None = None,
        keep: Literal["auto", "best", "last"] = "auto",
        validation_fraction: float | str = "auto",
        augment: str | View = "auto",
        normalize: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
        time_limit: Positive | None = None,
        missing: Any = "auto",
    ) -> None:
        self.method = method
        self.model = model
        self.model_params = model_params
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.momentum = momentum
        self.beta2 = beta2
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.patience = patience
        self.factor = factor
        self.min_lr = min_lr
        self.stop_after = stop_after
        self.keep = keep
        self.validation_fraction = validation_fraction
        self.augment = augment
        self.normalize = normalize
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.time_limit = time_limit
        self.missing = missing

    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        trusted: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: dict[Any, float] | str | None = None,
        y_before: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        X_test: ArrayLike | None = None,
        y_test: ArrayLike | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        watch: bool = True,
    ) -> Self:
        """Train, and gather after each epoch what the given labels are judged by.

        Parameters
        ----------
        X : array of shape (n_samples, D), or uint8 (n_samples, C, H, W)
            No NaN, no infinity. Or a frame with numbers, categories, dates and empty cells, a column of texts, a sparse
            matrix, a list of images, or a data set of torch: see :func:`goldvein.data.frames.read_inputs`. A classifier
            that is given as an object gets X as it is.
        y : array of shape (n_samples,)
            int (-1 is missing) or str ("", None and NaN are missing). Any label may be wrong. It may only be left out
            for a data set of torch with labels.
        trusted : array of shape (n_samples,), bool, optional
            Labels known to be right; they are never dropped.
        sample_weight : array of shape (n_samples,), optional
            Weights of the rows, 0 or more, for classifiers that are no networks.
        class_weight : dict or "balanced", optional
            Weights by given label; ``balanced`` gives each class the same sum of weights. Not for networks either.
        y_before : array of shape (n_samples,), optional
            ``y`` before a person reviewed the trusted labels. Nothing is trained on it: it tells how often a reviewed
            label was wrong.
        X_val, y_val : arrays, optional
            More rows that decide when the rate falls and training stops; their labels may be noisy. A share of ``X``
            is held out all the same, to judge labels by: with ``validation_fraction=0`` most wrong ones are overlooked.
        X_test, y_test : arrays, optional
            Rows with true labels whose accuracy is written into ``history_`` after each epoch. No choice sees it.
        checkpoint : path, optional
            File for the state of training.
        resume : bool, default=False
            Continue from ``checkpoint`` if it exists. The result is bit-identical to a run without interruption.
        watch : bool, default=True
            Gather what :meth:`label_issues` needs, by one pass without gradients after each epoch.

        Returns
        -------
        self

        Raises
        ------
        InputError
            For labels or inputs that cannot be trained on.
        """
        check(self)
        self.__dict__.pop("audit_", None)  # that of an earlier fit
        y = labels_of(X) if y is None else y  # a data set of torch has labels
        self.ids_ = index_of(X)
        self.learner_ = find_learner(
            self.method,
            self.model,
            self.model_params,
            self.random_state,
            time_limit=self.time_limit,
            vectors=holds_vectors(X),
            for_networks=self._for_networks(X_val=X_val, X_test=X_test),
        )
        self.predictor_: Predictor | None = None
        if self.learner_ is not None:
            return self._fit_learner(self.learner_, X, y, trusted, y_before, (sample_weight, class_weight))
        if sample_weight is not None or class_weight is not None:
            raise InputError("sample_weight and class_weight are for classifiers, and not for networks: leave them out")
        if self.epochs != "auto" and self.epochs not in Range(1, whole=True):
            raise InputError(f"epochs={self.epochs!r}: it must be a whole number above 0, or auto")
        rows = self._as_rows(X)
        n = len(rows)
        self.classes_, labels = encode_targets(y, n, self.missing)
        before = None if y_before is None else encode_known(y_before, n, self.classes_, "y_before", self.missing)
        if checkpoint is not None and self.random_state is None:
            raise InputError("a checkpoint needs a fixed random_state to be resumed from: give an integer")
        seed = shared_seed(int(check_random_state(self.random_state).randint(2**31 - 1)), self.device)
        self.transform_ = Transform(tuple(rows.shape[1:]), self.augment).fit(rows, self.normalize)
        data = self._split(rows, labels, seed, trusted, X_val, y_val, X_test, y_test)
        fitted = fit(
            resolve_method(self.method),
            data,
            transform=self.transform_,
            network=NetworkOptions(self.model, self.model_params, self.precision, self.device),
            recipe={field.name: getattr(self, field.name) for field in fields(Recipe)},
            seed=seed,
            watch=watch,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            resume=resume,
            params={"watch": watch, **self.get_params(), "verbose": None, "random_state": None},
            verbose=self.verbose,
        )
        self.evidence_ = _evidence(fitted, data, before) if watch else None
        self.method_ = fitted.method
        self.net_ = fitted.method.net
        self.history_ = fitted.history
        self.n_iter_ = len(self.history_)
        self.validation_ = data.validation[:n]
        self.y_ = labels
        return self

    def predict_proba(self, X: ArrayLike | Rows) -> NDArray[np.float32]:
        """Class probabilities (n, K), columns as ``classes_``; n may be 0."""
        check_is_fitted(self, "classes_")
        if self.predictor_ is not None:
            return self.predictor_.predict_proba(self._as_vectors(X, reset=False)).astype(np.float32)
        rows = self._as_rows(X, fitted=tuple(self.transform_.mean.shape))
        return predict_rows(self.net_, self.transform_, rows).reshape(len(rows), len(self.classes_))

    def predict(self, X: ArrayLike | Rows) -> NDArray[Any]:
        """The likeliest class of each row (n,), as the user wrote the labels."""
        check_is_fitted(self, "classes_")
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])

    def score(self, X: ArrayLike | Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy on the rows of X whose label is not missing (-1, None, NaN or "")."""
        (given, absent), predicted = split_missing(y, self.missing), self.predict(X)
        if len(given) != len(predicted) or absent.all():
            raise InputError(f"y has {(~absent).sum()} labels and X {len(predicted)} rows: give a label for some row")
        weights = None if sample_weight is None else np.asarray(sample_weight)[~absent]
        return float(np.average(predicted[~absent] == given[~absent], weights=weights))

    def _fit_learner(
        self,
        learner: Learner,
        X: Any,
        y: ArrayLike | None,
        trusted: ArrayLike | None,
        y_before: ArrayLike | None,
        weights: tuple[ArrayLike | None, dict[Any, float] | str | None],
    ) -> Self:
        """Train a classifier that is no network; its labels are judged out of fold."""
        X = self._as_vectors(X, reset=True)
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        self.classes_, self.y_ = encode_targets(y, n, self.missing)
        known = None if trusted is None else as_trusted_mask(trusted, self.y_)
        before = None if y_before is None else encode_known(y_before, n, self.classes_, "y_before", self.missing)
        learner.fit(X, self.y_, trusted=known, sample_weight=weigh(self.y_, self.classes_, *weights))
        self.predictor_ = learner.predictor_
        for name in ("candidates_", "choice_"):
            self.__dict__.pop(name, None)  # that of an earlier fit
            if hasattr(learner, name):
                setattr(self, name, getattr(learner, name))
        self.evidence_ = Evidence.gather(
            X,
            self.y_,
            probs=learner.probs_.astype(np.float32),
            trained_on=self.y_,
            held_out=self.y_ >= 0,  # no label was seen by the classifier that judges it
            trusted=known,
            y_before=before,
        )
        return self

    def _for_networks(self, **in_fit: Any) -> list[str]:
        """Names of the arguments that were given and that only networks have."""
        defaults = type(self)().get_params(deep=False)
        given = self.get_params(deep=False).items()
        own = [name for name, value in given if name not in FOR_ALL and value != defaults[name]]
        return [*own, *(name for name, value in in_fit.items() if value is not None)]

    def _split(
        self,
        rows: Rows,
        labels: NDArray[np.int64],
        seed: int,
        trusted: ArrayLike | None,
        X_val: ArrayLike | None,
        y_val: ArrayLike | None,
        X_test: ArrayLike | None,
        y_test: ArrayLike | None,
    ) -> TrainingSet:
        """The rows to train on, those held out of them, and a validation set after them."""
        n, shape = len(rows), tuple(rows.shape[1:])
        for a, b, names in ((X_val, y_val, "X_val and y_val"), (X_test, y_test, "X_test and y_test")):
            if (a is None) != (b is None):
                raise InputError(f"{names} belong together: give both or neither")
        known = None if trusted is None else as_trusted_mask(trusted, labels)
        # held out even beside X_val: it tells how far to trust the network about labels that it learned
        validation = hold_out(labels, len(self.classes_), self.validation_fraction, seed, known)
        if X_val is not None:
            rows, labels = append_rows(
                rows, labels, self._as_rows(X_val, fitted=shape), y_val, self.classes_, self.missing
            )
            validation = np.r_[validation, np.ones(len(labels) - n, dtype=bool)]
            known = None if known is None else np.r_[known, np.zeros(len(labels) - n, dtype=bool)]
        test = None
        if X_test is not None:
            unseen = self._as_rows(X_test, fitted=shape)
            test = unseen, encode_known(y_test, len(unseen), self.classes_, "y_test", self.missing)
        return TrainingSet(rows, labels, validation, known, tuple(map(str, self.classes_)), n, test)


def _evidence(fitted: Fitted, data: TrainingSet, y_before: NDArray[np.int64] | None) -> Evidence:
    """What the labels of the rows that were fitted on are judged by."""
    n, far = data.n, fitted.outliers
    return Evidence.gather(
        data.x[:n] if isinstance(data.x, np.ndarray) else data.x,
        data.y[:n],
        probs=fitted.probs,
        trained_on=fitted.trained_on,
        agreement=fitted.agreement,
        held_out=data.validation[:n],
        trusted=None if data.trusted is None else data.trusted[:n],
        y_before=y_before,
        distance=None if far is None else (far.distance, far.usual),
        scores=fitted.scores,
        curve=[e["validation_accuracy"] for e in fitted.history if e["stage"] == fitted.history[-1]["stage"]],
    )
