"""Method: what every way of learning from noisy labels looks like to a run."""

from __future__ import annotations

import inspect
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn

from goldvein.config.names import DEFAULT_METHOD, NETWORK_METHOD, find
from goldvein.errors import InputError
from goldvein.training.run import Run
from goldvein.training.sampling import Over
from goldvein.training.task import Batch, Task, Terms


@dataclass(frozen=True)
class Report:
    """What a method can say of its training beside its predictions; None where it has nothing of the kind.

    Attributes
    ----------
    kept : Tensor of shape (N,), int64, or None
        Labels that it trained on in the end, -1 where dropped or missing.
    transition : Tensor of shape (K, K), or None
        Its T[i, j] = P(given j | true i).
    """

    kept: Tensor | None = None
    transition: Tensor | None = None


class Method(nn.Module, BaseEstimator):
    """A loss, or a loop, over batches; its hyper-parameters are the arguments of its ``__init__``.

    Methods follow scikit-learn's rule: ``__init__`` only stores, :meth:`setup` builds. All state that changes
    in training is a parameter or a buffer, so that checkpoints and resuming need no code here. An ``__init__`` with
    ``**parent`` passes these on to its parent class, whose hyper-parameters it so has, too.

    Attributes
    ----------
    views : tuple of str
        Names of the views of a row, in the order in which :attr:`goldvein.training.task.Batch.views` holds them:
        ``plain`` (as it is) or ``weak`` (randomly changed). Any other name is refused.
    over : {"labeled", "larger"}
        The rows that an epoch passes over once: see :data:`goldvein.training.sampling.Over`. The others are cycled.
    min_updates : int
        Least number of updates of each stage, with ``epochs="auto"``, where the network has no convolutions.
    uses_validation : bool
        Whether a few held-out labels, noisy as they are, decide by default when the rate falls (``schedule`` plateau)
        and which weights are kept (``keep`` best). Otherwise the rate is constant and the last weights are kept.
    suspicious_if_high : tuple of str
        The scores that are high where a label is suspicious; the others are shares of trust, low where it is.
    other_networks : tuple of str
        Attributes that are further networks which can predict; tables show their accuracy beside that of ``net``.
    n_stages : int or None
        How often :meth:`train_on` goes through epochs, where that is known beforehand; progress shows it.
    net : Module
        The network that predicts. A learner's ``net`` may have been trained before its own training begins.
    """

    views: tuple[str, ...] = ("weak",)
    over: Over = "labeled"
    min_updates: int = 1000
    uses_validation: bool = True
    suspicious_if_high: tuple[str, ...] = ()
    other_networks: tuple[str, ...] = ()
    n_stages: int | None = None

    net: nn.Module

    def __init__(self) -> None:
        # nn.Module's own signature, *args, would break get_params
        super().__init__()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__.__signature__ = _with_parent(cls)  # type: ignore[attr-defined]

    __repr__ = BaseEstimator.__repr__

    def setup(self, task: Task) -> None:
        """Build networks and buffers for a task: once, before training or before weights are loaded.

        A saved network is built again by a task without rows, so nothing here may need one.
        """
        self.net = task.build_model()

    def behave_like(self, inner: Method) -> None:
        """Take over the class attributes of a method inside this one."""
        self.views, self.over, self.min_updates = inner.views, inner.over, inner.min_updates
        self.uses_validation, self.suspicious_if_high = inner.uses_validation, inner.suspicious_if_high

    def loss(self, batch: Batch) -> Terms:
        """Named terms, not reduced, whose sum is minimized."""
        raise NotImplementedError

    def train_on(self, run: Run) -> None:
        """The algorithm: an epoch passes over the labeled rows. Override it to follow a paper's own."""
        for _ in run.epochs():
            for batch in run.batches():
                run.update(self.loss(batch))

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """What the given labels are judged by after training.

        Class probabilities (N, K), and the labels (N,) that they were learned from: -1 where a row had none. By
        default the final predictions, learned from all given labels.
        """
        return run.judge(), run.task.y

    def scores(self, run: Run) -> dict[str, Tensor]:
        """What else the method knows of each given label after training: (N,) by name, NaN where there is none.

        The issue table has a column for each. :attr:`suspicious_if_high` tells their direction.
        """
        return {}

    def report(self) -> Report:
        """What the method can say of its training beside its predictions."""
        return Report()

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the network that predicts: (B, *input_shape) -> (B, K)."""
        logits: Tensor = self.net(x)
        return logits


def _with_parent(cls: type) -> inspect.Signature:
    """The signature of ``__init__``, a ``**`` replaced by the parent's arguments: scikit-learn reads it."""
    own = inspect.signature(vars(cls)["__init__"])
    parameters = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
    if len(parameters) < len(own.parameters):
        inherited = inspect.signature(cls.__mro__[1].__init__).parameters  # type: ignore[misc]
        parameters += [p for name, p in inherited.items() if name not in own.parameters]
    return own.replace(parameters=parameters)


def resolve_method(method: str | Method) -> Method:
    """A new method that is not set up: a copy of the given one, or one with default hyper-parameters.

    ``auto`` is two_stage here, where networks are trained.

    Raises
    ------
    InputError
        For an unknown name.
    """
    name = NETWORK_METHOD if isinstance(method, str) and method == DEFAULT_METHOD else method
    own: Method = find("methods", name)() if isinstance(name, str) else clone(name)
    return own


class HasMethod:
    """Adds the hyper-parameters of ``method`` to those of an estimator, also if it was given by its name.

    Examples
    --------
    >>> from goldvein import NoisyLabelClassifier
    >>> NoisyLabelClassifier("mean_teacher").set_params(method__w_max=5.0).get_params()["method__w_max"]
    5.0
    """

    method: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Arguments by name; with ``deep``, those of the method, too, also of one that was given by its name."""
        params: dict[str, Any] = super().get_params(deep=False)  # type: ignore[misc]
        if deep:
            with suppress(InputError):  # an unknown name is refused by fit
                method: Any = resolve_method(self.method) if isinstance(self.method, str) else self.method
                of_method = method.get_params() if hasattr(method, "get_params") else {}
                params |= {f"method__{name}": value for name, value in of_method.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set arguments; a hyper-parameter of the method replaces the name of the method by the method."""
        if any(name.startswith("method__") for name in params):
            self.method = resolve_method(params.pop("method", self.method))
        super().set_params(**params)  # type: ignore[misc]
        return self
