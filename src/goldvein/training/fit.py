"""One training from arrays to arrays: set a method up for a data set, train it, and collect what it learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goldvein.progress import Progress
from goldvein.rows import Rows
from goldvein.training import distributed
from goldvein.training.device import convolves, few_threads, pick_device
from goldvein.training.fingerprint import fingerprint
from goldvein.training.inputs import Inputs, Transform
from goldvein.training.method import Method
from goldvein.training.network import NetworkOptions
from goldvein.training.outliers import Outliers, measure
from goldvein.training.recipe import Recipe, auto_epochs
from goldvein.training.run import Run
from goldvein.training.task import Task


@dataclass(frozen=True)
class TrainingSet:
    """The N rows of a training, of which the first n are the user's and the rest a validation set beside them.

    Attributes
    ----------
    x : Rows
        (N, *input_shape).
    y : ndarray of shape (N,), int64
        Given labels as indices of ``classes``; -1 is a missing one.
    validation : ndarray of shape (N,), bool
        Rows held out of training.
    trusted : ndarray of shape (N,), bool, or None
        Labels known to be right.
    classes : tuple of str
        Names of the classes, for messages.
    n : int
        Rows whose labels are judged afterwards.
    test : (Rows, ndarray of int64) or None
        Rows and true labels whose accuracy goes into the history.
    """

    x: Rows
    y: NDArray[np.int64]
    validation: NDArray[np.bool_]
    trusted: NDArray[np.bool_] | None
    classes: tuple[str, ...]
    n: int
    test: tuple[Rows, NDArray[np.int64]] | None = None


@dataclass(frozen=True)
class Fitted:
    """What a training leaves behind.

    Attributes
    ----------
    method : Method
        Trained, in evaluation mode.
    history : list of dict
        One entry an epoch.
    probs : ndarray of shape (n, K), float32
        Class probabilities that labels are judged by.
    trained_on : ndarray of shape (n,), int64
        Labels that these were learned from; -1 for none.
    agreement : ndarray of shape (n,), float
        Share of the epochs after which the network predicted the given label.
    outliers : Outliers or None
        How far rows lie from the others.
    scores : dict of ndarray, each (n,)
        The method's own, by name: see :meth:`goldvein.training.method.Method.scores`.
    """

    method: Method
    history: list[dict[str, Any]]
    probs: NDArray[np.floating]
    trained_on: NDArray[np.int64]
    agreement: NDArray[np.floating]
    outliers: Outliers | None
    scores: dict[str, NDArray[np.floating]]


def shared_seed(seed: int, device: str) -> int:
    """The seed that all processes take: that of the first."""
    return distributed.first(seed, pick_device(device))


def fit(
    method: Method,
    data: TrainingSet,
    *,
    transform: Transform,
    network: NetworkOptions,
    recipe: Mapping[str, Any],
    seed: int,
    watch: bool = True,
    checkpoint: Path | None = None,
    resume: bool = False,
    params: Mapping[str, Any] | None = None,
    verbose: bool = False,
) -> Fitted:
    """Train a method.

    Parameters
    ----------
    method : Method
        Not set up.
    data : TrainingSet
    transform : Transform
        Normalization and views, fitted on the rows.
    network : NetworkOptions
    recipe : mapping of str to values
        Fields of :class:`goldvein.training.recipe.Recipe`; epochs, schedule and keep may be ``auto``.
    seed : int
        Random seed for weights, views, dropout and the order of rows. The caller's random state is left alone.
    watch : bool
        Gather what labels are judged by; without it all arrays of the result are empty.
    checkpoint, resume
        See :class:`goldvein.training.run.Run`.
    params : mapping of str to values
        What a resumed run must have in common with the interrupted one, besides the data and the seed.
    verbose : bool
        Show progress on a terminal.

    Raises
    ------
    InputError
        If the method cannot train on such data, or training diverges.
    """
    device = pick_device(network.device)
    training = ~data.validation
    task = _task(data, transform.seen_shape, network, device)
    progress = Progress(quiet=not verbose)
    # the seed decides the training, and the caller's random numbers are as they were afterwards
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        method.setup(task)
        run = Run(
            method.to(device),
            task,
            Inputs(data.x, transform, device),
            choose_recipe(recipe, int((data.y[training] >= 0).sum()), int(training.sum()), method),
            views=method.views,
            stages=method.n_stages,
            seed=seed,
            watch=watch,
            checkpoint=checkpoint,
            resume=resume,
            fingerprint="" if checkpoint is None else _fingerprint(params or {}, seed, data),
            progress=progress,
            test=None if data.test is None else _test(data.test, transform, device),
        )
        try:
            with few_threads(method):
                method.train_on(run)
        finally:
            progress.close()
        return _fitted(method, run, data.n, watch)


def _task(data: TrainingSet, shape: tuple[int, ...], network: NetworkOptions, device: torch.device) -> Task:
    def there(values: NDArray[Any]) -> Tensor:
        return torch.as_tensor(values).to(device)

    n_classes = len(data.classes)
    return Task(
        n_samples=len(data.x),
        n_classes=n_classes,
        input_shape=shape,
        y=there(data.y),
        trusted=None if data.trusted is None else there(data.trusted),
        validation=there(data.validation),
        build_model=partial(network.make, shape, n_classes, device),
        classes=data.classes,
    )


def choose_recipe(given: Mapping[str, Any], n_labeled: int, n_training: int, method: Method) -> Recipe:
    """The recipe with ``auto`` replaced by what suits the method and the number of rows."""
    rows = (n_labeled, n_training, given["batch_size"])
    epochs = auto_epochs(*rows, updates=method.min_updates, convolves=convolves(method), over=method.over)
    schedule, keep = ("plateau", "best") if method.uses_validation else ("constant", "last")
    auto: dict[str, Any] = {"epochs": epochs, "schedule": schedule, "keep": keep}
    values: dict[str, Any] = {name: auto[name] if value == "auto" else value for name, value in given.items()}
    return Recipe(**values)


def _fingerprint(params: Mapping[str, Any], seed: int, data: TrainingSet) -> str:
    return fingerprint(params, seed, data.x, data.y, data.validation, data.trusted)


def _test(test: tuple[Rows, NDArray[np.int64]], transform: Transform, device: torch.device) -> tuple[Inputs, Tensor]:
    x, y = test
    return Inputs(x, transform, device), torch.as_tensor(y).to(device)


def _fitted(method: Method, run: Run, n: int, watch: bool) -> Fitted:
    """The arrays of the first n rows of a run that is over."""
    history = run.at.history
    if not watch:
        none = np.empty(0, dtype=np.float32)
        return Fitted(method.eval(), history, none[:, None], none.astype(np.int64), none, None, {})
    probs, trained_on = (values.cpu() for values in method.evidence(run))
    if (trained_on >= 0).any():  # a network that was trained on the labels memorizes them
        probs = run.signals.conclude(probs)
    agreement = run.signals.agreement[:n].numpy() / max(run.signals.n_epochs, 1)
    outliers = measure(run, method.net, run.task.y[:n].cpu(), probs[:n])
    scores = {name: values[:n].cpu().numpy() for name, values in method.scores(run).items()}
    return Fitted(method.eval(), history, probs[:n].numpy(), trained_on[:n].numpy(), agreement, outliers, scores)
