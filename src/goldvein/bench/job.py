"""One training run of a table: trains a model, tests it and returns the result."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import goldvein
from goldvein import metrics
from goldvein.bench.code_version import find_code_version
from goldvein.bench.plan import Job
from goldvein.bench.results import IssueQuality, JobResult
from goldvein.config.build import arguments, build_method
from goldvein.errors import InputError

if TYPE_CHECKING:
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.data.dataset import Dataset
    from goldvein.rows import Rows


def run_job(job: Job, data_dir: str | Path | None = None) -> JobResult:
    """Train a model, test it, and return the result.

    Parameters
    ----------
    job : Job
    data_dir : path, optional
        As for :func:`goldvein.data.standard.load_dataset`.

    Returns
    -------
    dict
        JSON values only.

        - ``key`` and ``job``: the digest and the fields of the job
        - ``accuracy``, ``balanced_accuracy``: on the official test set, with the final weights
        - ``noise_rate``: share of wrong labels among the given ones, counted after noise was added; None if unknown
        - ``validation_accuracy``: class-balanced, on noisy labels, last epoch; None without held-out rows
        - ``n_iter``, ``seconds``: epochs and time of the fit
        - ``peak_mb``, ``peak_gpu_mb``: see :func:`goldvein.training.machine.measure_peak_memory`
        - ``versions``: versions of the libraries and names of the processors
        - ``source``: see :func:`goldvein.bench.code_version.find_code_version`
        - ``others``: test accuracy of the other networks of the method, by name; if it has any
        - ``kept``: see :func:`goldvein.metrics.count_kept`; for methods that drop labels
        - ``corrected``: see :func:`goldvein.metrics.correct_by_transition`; for methods that estimate T
        - ``curve``: test accuracy after each epoch, or after every m-th of 200 m or more; if ``job.curve`` is set
        - ``issues``: see :func:`judge_issues`; if ``job.issues`` is set

    Raises
    ------
    InputError
        If a file of the data set is missing, or a value of the job cannot be used.

    Examples
    --------
    >>> job = Job("digits", "cross_entropy", seed=0, noise="symmetric", rate=0.2, estimator={"epochs": 2})
    >>> result = run_job(job)
    >>> 0.15 < result["noise_rate"] < 0.25
    True
    """
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.training import machine

    source = find_code_version()  # before training: files may be edited while it runs
    machine.reset_peak_memory()
    data = _load_data(job.data, data_dir)
    if data.x_test is None or data.y_test is None:
        raise InputError(f"{job.data} has no official test set: choose a data set that has one")
    n = job.n_rows or len(data.y)
    if n > len(data.y):
        raise InputError(f"rows={n}: {job.data} has {len(data.y)}; give fewer, or leave out rows to use all")
    y, trusted = given_labels(data, job)
    x = data.x if n == len(data.y) else data.x[:n]  # a slice of image files would decode all of them
    y_true = _true_labels(data)[:n]
    test: dict[str, Any] = {"X_test": data.x_test, "y_test": data.y_test} if job.curve else {}
    options = arguments(NoisyLabelClassifier, job.estimator)
    model = NoisyLabelClassifier(build_method(job.method, job.params), random_state=job.seed, **options)
    start = time.perf_counter()
    model.fit(x, y, trusted=trusted if trusted.any() else None, watch=job.issues, **test)
    seconds = time.perf_counter() - start
    predicted = model.predict(data.x_test)
    counted = (y >= 0) & (y_true >= 0)
    validation = model.history_[-1]["validation_accuracy"]
    peak = machine.measure_peak_memory()
    result: JobResult = {
        "key": job.key,
        "job": asdict(job),
        "accuracy": float((predicted == data.y_test).mean()),
        "balanced_accuracy": metrics.balanced_accuracy(data.y_test, predicted),
        "noise_rate": float((y != y_true)[counted].mean()) if counted.any() else None,
        "validation_accuracy": None if math.isnan(validation) else validation,
        "n_iter": model.n_iter_,
        "seconds": round(seconds, 2),
        "peak_mb": peak["peak_mb"],
        "versions": machine.find_versions() | {"goldvein": goldvein.__version__} | machine.find_processors(),
        "source": source,
    }
    if "peak_gpu_mb" in peak:
        result["peak_gpu_mb"] = peak["peak_gpu_mb"]
    if model.method_.other_networks:
        result["others"] = judge_others(model, data.x_test, data.y_test)
    report = model.method_.report()
    if report.kept is not None:
        labels = report.kept.cpu().numpy()
        # the network has no output for a class without labels, so its codes may differ from those of the data
        labels = np.where(labels >= 0, model.classes_[labels], -1)
        rows = ~model.validation_  # held-out labels take no part in the selection
        result["kept"] = metrics.count_kept(y[rows], labels[rows], y_true[rows], len(data.classes))
    T = report.transition
    if T is not None:
        result["corrected"] = metrics.correct_by_transition(
            y[counted], y_true[counted], T.detach().cpu().numpy(), job.seed
        )
    if job.curve:
        result["curve"] = [round(entry["test_accuracy"], 5) for entry in model.history_ if "test_accuracy" in entry]
    if job.issues:
        result["issues"] = judge_issues(model, y, y_true)
    return result


def given_labels(data: Dataset, job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels (N,) that a job trains on, -1 for missing ones, and the mask (N,) of trusted labels.

    N is ``job.n_rows`` or all rows. The seed of the job decides which labels are missing or wrong. Labels that the data
    set trusts stay as they are.
    """
    from goldvein.noise.synthetic import make_noisy

    return make_noisy(
        data.y[: job.n_rows],
        _true_labels(data)[: job.n_rows],
        len(data.classes),
        trusted=None if data.trusted is None else data.trusted[: job.n_rows],
        noise=None if job.noise == "none" else job.noise,
        rate=job.rate,
        how="exact" if job.draw == "exact" else "independent",
        labels_per_class=job.labels_per_class,
        trusted_per_class=job.trusted_per_class,
        random_state=job.seed,
    )


def judge_others(model: NoisyLabelClassifier, x: Rows, y: NDArray[np.int64]) -> dict[str, float]:
    """Return the accuracy of the other networks of a fitted method on rows x with true labels y (n,), by name."""
    from goldvein.training.predict import predict_rows

    networks = {name: getattr(model.method_, name) for name in model.method_.other_networks}
    predicted = {name: predict_rows(net, model.transform_, x).argmax(1) for name, net in networks.items()}
    return {name: float((model.classes_[classes] == y).mean()) for name, classes in predicted.items()}


def judge_issues(model: NoisyLabelClassifier, y: NDArray[np.int64], y_true: NDArray[np.int64]) -> IssueQuality:
    """Measure how well a model finds the wrong labels, over the given labels whose true label is known.

    Parameters
    ----------
    model : NoisyLabelClassifier
        Fitted on ``y`` with ``watch=True``.
    y, y_true : ndarray of shape (N,), integer
        Given and true labels; -1 is none.

    Returns
    -------
    dict
        - the values of :func:`goldvein.metrics.judge_score` for ``p_wrong`` and ``is_issue``
        - ``calibration_error`` of ``p_wrong``
        - ``noise_rate``: the estimate
        - ``transition_error``: mean absolute difference between the estimated T and the T counted from the labels
        - ``judgment``: see :data:`goldvein.noise.model.JUDGMENT`
        - ``scores``: the values of ``judge_score`` for each score of the method, if it has any. A label is listed if
          a score of suspicion is above 0, or if a score of trust is below 1/2.
    """
    from goldvein.issues.audit import COLUMNS
    from goldvein.noise.model import JUDGMENT
    from goldvein.noise.synthetic import describe

    audit = model.audit()
    table = audit.table
    rows = table["id"].to_numpy()
    known = y_true[rows] >= 0
    wrong = (y != y_true)[rows][known]
    p_wrong, listed = table["p_wrong"].to_numpy()[known], table["is_issue"].to_numpy()[known]
    T = describe(y_true, y).transition
    listing = metrics.judge_score(p_wrong, listed, wrong)
    quality: IssueQuality = {
        "auroc": listing["auroc"],
        "average_precision": listing["average_precision"],
        "precision": listing["precision"],
        "recall": listing["recall"],
        "f1": listing["f1"],
        "calibration_error": metrics.calibration_error(p_wrong, wrong),
        "noise_rate": audit.noise_rate,
        # T ends at the largest class that occurs, and is NaN for classes without rows
        "transition_error": float(np.nanmean(np.abs(audit.transition[: len(T), : len(T)] - T))),
        "judgment": JUDGMENT,
    }
    scores: dict[str, metrics.ScoreQuality] = {}
    for name in (str(column) for column in table if column not in COLUMNS):
        score = table[name].to_numpy(dtype=float)[known]
        finite = np.isfinite(score)  # a method may have no score for some labels
        suspicion = name in model.method_.suspicious_if_high
        listed_by_score = score > 0 if suspicion else score < 0.5  # above 0: Sun et al. 2021, Table 3
        scores[name] = metrics.judge_score(
            (score if suspicion else -score)[finite], listed_by_score[finite], wrong[finite]
        )
    if scores:
        quality["scores"] = scores
    return quality


@functools.lru_cache(maxsize=1)
def _load_data(name: str, data_dir: str | Path | None) -> Dataset:
    """Load a data set once for all jobs of a process."""
    from goldvein.data import standard

    return standard.load_dataset(name, data_dir)


def _true_labels(data: Dataset) -> NDArray[np.int64]:
    """Return the true labels (N,); -1 where they are unknown."""
    if data.y_true is not None:
        return data.y_true
    return data.y if data.trusted is None else np.where(data.trusted, data.y, -1)
