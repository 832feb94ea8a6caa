"""NoisyLabelClassifier: one scikit-learn estimator for all methods."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from goldvein.config.names import DEFAULT_METHOD
from goldvein.config.ranges import Count, NonNegative, Positive, PositiveShare, Range, ShareBelowOne, check
from goldvein.data.check import as_images
from goldvein.data.targets import as_trusted_mask, encode_as, encode_known, encode_targets, hold_out, split_missing
from goldvein.errors import InputError
from goldvein.estimators import Learner, find_learner
from goldvein.issues.audit import Audit
from goldvein.issues.evidence import Evidence
from goldvein.rows import Rows
from goldvein.training.fit import Fitted, TrainingSet, fit, shared_seed
from goldvein.training.inputs import Transform
from goldvein.training.method import Method, resolve_method
from goldvein.training.network import Factory, NetworkOptions
from goldvein.training.predict import predict_rows
from goldvein.training.recipe import Recipe
from goldvein.training.views import View

if TYPE_CHECKING:
    import pandas as pd


class NoisyLabelClassifier(ClassifierMixin, BaseEstimator):
    """Classifier for labels of which some are wrong and most may be missing.

    Parameters
    ----------
    method : str or Method, default="two_stage"
        Name of a method (``goldvein methods`` lists them), or an object with its hyper-parameters.
        ``panel`` mixes scikit-learn classifiers: see :class:`goldvein.estimators.panel.Panel`.
    model : str, callable or scikit-learn classifier, default="auto"
        The network: see :func:`goldvein.training.network.find_factory`. A classifier, or the name of one, is trained
        on soft labels in place of a network: see :class:`goldvein.estimators.soft_labels.SoftLabels`.
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
    learner_ : SoftLabels or Panel in place of a network; there is no ``net_``, ``method_`` and ``history_`` then
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

    def fit(
        self,
        X: ArrayLike | Rows,
        y: ArrayLike,
        *,
        trusted: ArrayLike | None = None,
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
            No NaN, no infinity.
        y : array of shape (n_samples,)
            int (-1 is missing) or str ("" , None and NaN are missing). Any label may be wrong.
        trusted : array of shape (n_samples,), bool, optional
            Labels known to be right; they are never dropped.
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
        self.learner_ = find_learner(self.method, self.model, self.model_params, self.random_state)
        if self.learner_ is not None:
            others = {"X_val": X_val, "X_test": X_test, "checkpoint": checkpoint}
            for name in (name for name, value in others.items() if value is not None):
                raise InputError(f"{name} is for networks, and {self.learner_.describe()} is none: leave it out")
            return self._fit_learner(self.learner_, X, y, trusted, y_before)
        if self.epochs != "auto" and self.epochs not in Range(1, whole=True):
            raise InputError(f"epochs={self.epochs!r}: it must be a whole number above 0, or auto")
        rows = self._rows(X, reset=True)
        self.classes_, labels = encode_targets(y, len(rows))
        n = len(rows)
        before = None if y_before is None else encode_known(y_before, n, self.classes_, "y_before")
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
        if self.learner_ is not None:
            return self.learner_.predict_proba(X).astype(np.float32)
        rows = self._rows(X, reset=False)
        return predict_rows(self.net_, self.transform_, rows).reshape(len(rows), len(self.classes_))

    def predict(self, X: ArrayLike | Rows) -> NDArray[Any]:
        """The likeliest class of each row (n,), as the user wrote the labels."""
        check_is_fitted(self, "classes_")
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])

    def score(self, X: ArrayLike | Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy on the rows of X whose label is not missing (-1, None, NaN or "")."""
        (given, missing), predicted = split_missing(y), self.predict(X)
        if len(given) != len(predicted) or missing.all():
            raise InputError(f"y has {(~missing).sum()} labels and X {len(predicted)} rows: give a label for some row")
        weights = None if sample_weight is None else np.asarray(sample_weight)[~missing]
        return float(np.average(predicted[~missing] == given[~missing], weights=weights))

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
            return self.evidence_.audit(self.classes_, precision=precision, budget=budget, ids=ids)
        if not hasattr(self, "audit_"):
            self.audit_ = self.evidence_.audit(self.classes_)
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

    def _fit_learner(
        self, learner: Learner, X: Any, y: ArrayLike, trusted: ArrayLike | None, y_before: ArrayLike | None
    ) -> Self:
        """Train a classifier that is no network; its labels are judged out of fold."""
        learner.fit(X, y, trusted=trusted)
        validate_data(self, X, skip_check_array=True)  # notes the number and the names of the columns
        n = len(learner.probs_)
        self.classes_, self.y_ = encode_targets(y, n)
        self.evidence_ = Evidence.gather(
            X,
            self.y_,
            probs=learner.probs_.astype(np.float32),
            trained_on=self.y_,
            held_out=self.y_ >= 0,  # no label was seen by the classifier that judges it
            trusted=None if trusted is None else as_trusted_mask(trusted, self.y_),
            y_before=None if y_before is None else encode_known(y_before, n, self.classes_, "y_before"),
        )
        return self

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
        n = len(rows)
        for a, b, names in ((X_val, y_val, "X_val and y_val"), (X_test, y_test, "X_test and y_test")):
            if (a is None) != (b is None):
                raise InputError(f"{names} belong together: give both or neither")
        known = None if trusted is None else as_trusted_mask(trusted, labels)
        # held out even beside X_val: it tells how far to trust the network about labels that it learned
        validation = hold_out(labels, len(self.classes_), self.validation_fraction, seed, known)
        if X_val is not None:
            rows, labels = self._append(rows, labels, X_val, y_val)
            validation = np.r_[validation, np.ones(len(labels) - n, dtype=bool)]
            known = None if known is None else np.r_[known, np.zeros(len(labels) - n, dtype=bool)]
        test = None
        if X_test is not None:
            unseen = self._rows(X_test, reset=False)
            test = unseen, encode_known(y_test, len(unseen), self.classes_, "y_test")
        return TrainingSet(rows, labels, validation, known, tuple(map(str, self.classes_)), n, test)

    def _rows(self, X: ArrayLike | Rows, *, reset: bool) -> Rows:
        """Inputs as (n, *input_shape): a uint8 or float32 array, or whatever is read batch by batch."""
        # whatever else has a shape is read batch by batch, such as images in files
        plain = hasattr(X, "__array__") or hasattr(X, "__dataframe__") or issparse(X)
        if hasattr(X, "shape") and not plain:
            rows: Rows = X  # type: ignore[assignment]
        elif getattr(X, "ndim", 0) == 4:
            rows = as_images(X)
        else:
            options = {"reset": reset, "dtype": np.float32, "ensure_min_samples": 2 if reset else 0}
            vectors: NDArray[np.float32] = validate_data(self, X, **options)
            return vectors
        if not reset and rows.shape[1:] != self.transform_.mean.shape:
            fitted = tuple(self.transform_.mean.shape)
            raise InputError(f"an input has shape {tuple(rows.shape[1:])}: the model was fitted on {fitted}")
        return rows

    def _append(
        self, rows: Rows, labels: NDArray[np.int64], X_val: ArrayLike, y_val: ArrayLike | None
    ) -> tuple[Rows, NDArray[np.int64]]:
        """Rows and labels with those of the validation set after them."""
        more = self._rows(X_val, reset=False)
        if not (isinstance(rows, np.ndarray) and isinstance(more, np.ndarray)):
            raise InputError("X_val needs X and X_val as arrays: give arrays, or let a share of X be held out")
        given, missing = split_missing(y_val)
        if len(given) != len(more):
            raise InputError(f"y_val has {len(given)} labels and X_val {len(more)} rows: give one for each row")
        codes = encode_as(given[~missing], self.classes_, "y_val")
        return np.concatenate([rows, more[~missing]]), np.r_[labels, codes]


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
