"""NoisyLabelClassifier: one estimator for all methods, with scikit-learn's manners."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from goldvein import distributed, models
from goldvein.byname import find
from goldvein.data.check import as_images
from goldvein.data.dataset import Rows
from goldvein.data.given import encode, encode_as, hold_out, known_labels, split_missing, trusted_rows
from goldvein.data.inputs import Augment, Inputs, Transform
from goldvein.engine import Run, predict
from goldvein.errors import InputError
from goldvein.evidence import Evidence
from goldvein.fingerprint import fingerprint
from goldvein.method import Method
from goldvein.network import convolves, few_threads, make_network, pick_device
from goldvein.progress import Progress
from goldvein.ranges import Count, NonNegative, Positive, Range, check
from goldvein.recipe import Recipe, auto_epochs
from goldvein.task import Task

if TYPE_CHECKING:
    import pandas as pd

    from goldvein.issues import Audit


class NoisyLabelClassifier(ClassifierMixin, BaseEstimator):
    """Classifier for labels of which some are wrong and most may be missing.

    Parameters
    ----------
    method : str or Method, default="two_stage"
        How to learn: a name (``goldvein methods`` lists them) or an object with its hyper-parameters.
    model : str or callable, default="auto"
        The network: ``auto`` by the shape of an input, the name of a file in ``goldvein/models``,
        ``"package.module:factory"``, ``"timm:NAME"``, or a callable ``(input_shape, n_classes) -> Module``.
    model_params : dict, optional
        Further arguments of the network. ``weights`` is a file of weights to begin with, as of ImageNet: see
        :func:`goldvein.pretrained.load_weights`.
    epochs : int or "auto", default="auto"
        Passes over the rows that make up an epoch of the method (the labeled ones; the others, with ``umn``, ``m_vae``
        or ``mean_teacher`` on few labels), in each stage. ``auto`` is 40, or more where rows are few: see
        :func:`goldvein.recipe.auto_epochs`.
    batch_size : int, default=128
    optimizer : {"adam", "adamw", "adagrad", "sgd"}, default="adam"
    lr : float, default=0.001
    weight_decay : float, default=0.0
    schedule : {"auto", "plateau", "cosine", "steps", "constant"}, default="auto"
        See :class:`goldvein.recipe.Recipe`; ``auto`` is ``plateau``, but ``constant`` for ``umn`` and ``m_vae``.
    stop_after : int, optional
        Epochs without a better validation accuracy after which a stage ends.
    keep : {"auto", "best", "last"}, default="auto"
        Which weights a stage ends with, by the accuracy on the (noisy) validation labels; ``auto`` is ``best``, but
        ``last`` for ``umn`` and ``m_vae``.
    validation_fraction : float or "auto", default="auto"
        Share of the labels held out, with the share of each class kept, to steer rate and stopping. ``auto`` is
        0.1, or 0 where that leaves fewer than 10 a class on average.
    augment : str or callable, default="auto"
        Random views: see :class:`goldvein.data.inputs.Transform`.
    normalize : str, default="auto"
        See :meth:`goldvein.data.inputs.Transform.fit`.
    device : str, default="auto"
        ``cuda`` where there is one, else ``cpu``.
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
    evidence_ : Evidence or None
        What the run leaves behind to judge each given label by; None with ``watch=False``.

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
        method: str | Method = "two_stage",
        *,
        model: str | models.Factory = "auto",
        model_params: dict[str, Any] | None = None,
        epochs: int | str = "auto",
        batch_size: Count = 128,
        optimizer: str = "adam",
        lr: Positive = 1e-3,
        weight_decay: NonNegative = 0.0,
        schedule: Literal["auto", "plateau", "cosine", "steps", "constant"] = "auto",
        stop_after: Count | None = None,
        keep: Literal["auto", "best", "last"] = "auto",
        validation_fraction: float | str = "auto",
        augment: str | Augment = "auto",
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
        self.weight_decay = weight_decay
        self.schedule = schedule
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
        """Train, and watch the labels meanwhile.

        Parameters
        ----------
        X : array of shape (n_samples, D), or uint8 (n_samples, C, H, W)
            No NaN, no infinity.
        y : array of shape (n_samples,)
            int (-1 is missing) or str ("" , None and NaN are missing). Any label may be wrong.
        trusted : array of shape (n_samples,), bool, optional
            Labels known to be right: they are never dropped.
        y_before : array of shape (n_samples,), optional
            ``y`` before a person decided on the trusted labels. Nothing is trained on it: how often the label of a
            reviewed row was wrong tells what to think of the others.
        X_val, y_val : arrays, optional
            Rows that steer rate and stopping as well; their labels may be noisy too. A share of ``X`` is held out all
            the same: it tells how far the network can be believed about labels that it learned. Without one
            (``validation_fraction=0``) most wrong labels are overlooked.
        X_test, y_test : arrays, optional
            Rows with true labels whose accuracy is written into ``history_`` after each epoch. No choice sees it.
        checkpoint : path, optional
            File that keeps the state of training.
        resume : bool, default=False
            Go on from ``checkpoint`` if it exists. The result is the same as without the interruption.
        watch : bool, default=True
            Gather the signals behind :meth:`label_issues`; costs one pass without gradients an epoch.

        Returns
        -------
        self

        Raises
        ------
        InputError
            For labels or inputs that cannot be trained on.
        """
        check(self)
        rows = self._rows(X, reset=True)
        self.classes_, labels = encode(y, len(rows))
        n = len(rows)
        before = None if y_before is None else known_labels(y_before, n, self.classes_, "y_before")
        device = pick_device(self.device)
        if checkpoint is not None and self.random_state is None:
            raise InputError("a checkpoint needs random_state, or a resumed run is another one: give an integer")
        seed = distributed.first(int(check_random_state(self.random_state).randint(2**31 - 1)), device)
        self.transform_ = Transform(tuple(rows.shape[1:]), self.augment).fit(rows, self.normalize)
        if (X_val is None) != (y_val is None):
            raise InputError("X_val and y_val belong together: give both or neither")
        trust = None if trusted is None else trusted_rows(trusted, labels)
        validation = hold_out(labels, len(self.classes_), self.validation_fraction, seed, trust)
        if X_val is not None:
            rows, labels = self._append(rows, labels, X_val, y_val)
            validation = np.r_[validation, np.ones(len(labels) - n, dtype=bool)]
            trust = None if trust is None else np.r_[trust, np.zeros(len(labels) - n, dtype=bool)]
        if (X_test is None) != (y_test is None):
            raise InputError("X_test and y_test belong together: give both or neither")
        test = None if X_test is None else self._test(X_test, y_test, device)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            run = self._start(rows, labels, validation, trust, device, seed, checkpoint, resume, watch, test)
            try:
                with few_threads(run.module):
                    run.module.train_on(run)
            finally:
                run.progress.close()
            self.evidence_ = Evidence.of(run, rows, n, before) if watch else None
        self.method_ = run.module.eval()
        self.net_ = self.method_.net
        self.history_ = run.at.history
        self.n_iter_ = len(self.history_)
        self.validation_ = validation[:n]
        self.y_ = labels[:n]
        self.__dict__.pop("audit_", None)  # of an earlier fit
        return self

    def predict_proba(self, X: ArrayLike | Rows) -> NDArray[np.float32]:
        """Class probabilities (n, K), columns as ``classes_``; n may be 0."""
        check_is_fitted(self, "net_")
        rows = self._rows(X, reset=False)
        probs = predict(self.net_, Inputs(rows, self.transform_, next(self.net_.parameters()).device))
        return probs.cpu().numpy().reshape(len(rows), len(self.classes_))

    def predict(self, X: ArrayLike | Rows) -> NDArray:
        """The likeliest class of each row (n,), as the user wrote the labels."""
        check_is_fitted(self, "net_")
        return self.classes_[self.predict_proba(X).argmax(1)]

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
            What the list is for, and what names a row: see :func:`goldvein.issues.find_label_issues`, which has the
            columns too.
        """
        return self.audit(precision=precision, budget=budget, ids=ids).table

    def audit(self, *, precision: float = 0.5, budget: int | None = None, ids: ArrayLike | None = None) -> Audit:
        """The table of :meth:`label_issues`, and how many labels are wrong, by class, and how they are mixed up.

        Parameters
        ----------
        precision, budget, ids
            As for :meth:`label_issues`; nothing else depends on them.
        """
        check_is_fitted(self, "net_")
        if self.evidence_ is None:
            raise InputError("this model was fitted with watch=False: fit it again with watch=True for its issues")
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
        """What cannot be told of the labels, such as classes that may have exchanged names, in words."""
        return self.audit().ambiguous

    @property
    def transition_(self) -> NDArray[np.float64]:
        """Estimated T (K, K): T[i, j] = P(given class j | true class i)."""
        return self.audit().transition

    def _start(
        self,
        rows: Rows,
        labels: NDArray[np.int64],
        validation: NDArray[np.bool_],
        trusted: NDArray[np.bool_] | None,
        device: torch.device,
        seed: int,
        checkpoint: str | Path | None,
        resume: bool,
        watch: bool,
        test: tuple[Inputs, torch.Tensor] | None,
    ) -> Run:
        shape, K = self.transform_.seen_shape, len(self.classes_)
        task = Task(
            n_samples=len(rows),
            n_classes=K,
            input_shape=shape,
            y=torch.as_tensor(labels).to(device),
            trusted=None if trusted is None else torch.as_tensor(trusted).to(device),
            validation=torch.as_tensor(validation).to(device),
            build_model=partial(make_network, self.model, self.model_params, shape, K, self.precision, device),
            classes=tuple(map(str, self.classes_)),
        )
        method = resolve_method(self.method)
        method.setup(task)
        params = {"watch": watch, **self.get_params(), "verbose": None, "random_state": None}
        return Run(
            method.to(device),
            task,
            Inputs(rows, self.transform_, device),
            self._recipe(int((labels[~validation] >= 0).sum()), int((~validation).sum()), method),
            views=method.views,
            stages=method.stages,
            seed=seed,
            watch=watch,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            resume=resume,
            fingerprint="" if checkpoint is None else fingerprint(params, seed, rows, labels, validation, trusted),
            progress=Progress(quiet=not self.verbose),
            test=test,
        )

    def _recipe(self, n_labeled: int, n_training: int, method: Method) -> Recipe:
        if self.epochs != "auto" and self.epochs not in Range(1, whole=True):
            raise InputError(f"epochs={self.epochs!r}: it must be a whole number above 0, or auto")
        rows = (n_labeled, n_training, self.batch_size)
        n = auto_epochs(*rows, updates=method.updates, convolves=convolves(method), over=method.over)
        schedule, keep = ("plateau", "best") if method.steered else ("constant", "last")
        auto: dict[str, Any] = {"epochs": n, "schedule": schedule, "keep": keep}
        given = {field.name: getattr(self, field.name) for field in fields(Recipe) if hasattr(self, field.name)}
        return Recipe(**{name: auto.get(name, value) if value == "auto" else value for name, value in given.items()})

    def _rows(self, X: ArrayLike | Rows, *, reset: bool) -> Rows:
        """Inputs as (n, *input_shape): a uint8 or float32 array, or whatever is read batch by batch."""
        plain = hasattr(X, "__array__") or hasattr(X, "__dataframe__") or issparse(X)
        if hasattr(X, "shape") and not plain:
            rows: Rows = X  # type: ignore[assignment]
        elif getattr(X, "ndim", 0) == 4:
            rows = as_images(X)
        else:
            return validate_data(self, X, reset=reset, dtype=np.float32, ensure_min_samples=2 if reset else 0)
        if not reset and rows.shape[1:] != self.transform_.mean.shape:
            fitted = tuple(self.transform_.mean.shape)
            raise InputError(f"an input has shape {tuple(rows.shape[1:])}: the model was fitted on {fitted}")
        return rows

    def _test(self, X: ArrayLike, y: ArrayLike | None, device: torch.device) -> tuple[Inputs, torch.Tensor]:
        """Test rows, and their labels as indices into ``classes_``; -1 for a class that training does not have."""
        rows = self._rows(X, reset=False)
        codes = known_labels(y, len(rows), self.classes_, "y_test")
        return Inputs(rows, self.transform_, device), torch.as_tensor(codes).to(device)

    def _append(
        self, rows: Rows, labels: NDArray[np.int64], X_val: ArrayLike, y_val: ArrayLike | None
    ) -> tuple[Rows, NDArray[np.int64]]:
        """Validation rows behind the rows that are given to train on."""
        more = self._rows(X_val, reset=False)
        if not (isinstance(rows, np.ndarray) and isinstance(more, np.ndarray)):
            raise InputError("X_val needs X and X_val as arrays: give arrays, or let a share of X be held out")
        given, missing = split_missing(y_val)
        if len(given) != len(more):
            raise InputError(f"y_val has {len(given)} labels and X_val {len(more)} rows: give one for each row")
        codes = encode_as(given[~missing], self.classes_, "y_val")
        return np.concatenate([rows, more[~missing]]), np.r_[labels, codes]


def resolve_method(method: str | Method) -> Method:
    """An unfitted method of its own: a copy of the given one, or one with default hyper-parameters.

    Raises
    ------
    InputError
        For an unknown name.
    """
    return find("methods", method)() if isinstance(method, str) else clone(method)
