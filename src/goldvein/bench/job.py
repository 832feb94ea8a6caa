"""One training run of a table: its labels, its result, and what the result was made with."""

from __future__ import annotations

import functools
import math
import platform
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import goldvein
from goldvein.bench.plan import Job
from goldvein.config.build import arguments, build_method
from goldvein.errors import InputError

if TYPE_CHECKING:
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.data.dataset import Dataset
    from goldvein.rows import Rows


def run_job(job: Job, data_dir: str | Path | None = None) -> dict[str, Any]:
    """Train and test once.

    Parameters
    ----------
    job : Job
    data_dir : path, optional
        As for :func:`goldvein.data.standard.load_dataset`.

    Returns
    -------
    dict
        In JSON types.

        - ``key`` and ``job``
        - ``accuracy``, ``balanced_accuracy``: on the official test set, by the weights at the end
        - ``others``: accuracy of the method's other networks, by name; for methods that have some
        - ``noise_rate``: share of wrong labels among the given ones, as it came out; None if not known
        - ``validation_accuracy``: class-balanced, on noisy labels, last epoch; None without held-out rows
        - ``n_iter``, ``seconds``: epochs and time of the fit
        - ``peak_mb``: largest memory of the process, and ``peak_gpu_mb`` where there is a GPU
        - ``versions``: see :func:`versions`
        - ``kept``: see :func:`count_kept`; for methods that drop labels
        - ``corrected``: see :func:`correct_by_transition`; for methods that estimate T
        - ``curve``: test accuracy after each epoch, or every m-th of 200 m or more; for jobs that ask for it
        - ``issues``: see :func:`judge_issues`; for jobs that ask for it

    Raises
    ------
    InputError
        A file of the data set is missing, or something in the job cannot be used.

    Examples
    --------
    >>> job = Job("digits", "cross_entropy", seed=0, noise="symmetric", rate=0.2, estimator={"epochs": 2})
    >>> result = run_job(job)
    >>> 0.15 < result["noise_rate"] < 0.25
    True
    """
    import torch

    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.metrics import balanced_accuracy

    _forget_peak()
    data = _load_data(job.data, data_dir)
    if data.x_test is None or data.y_test is None:
        raise InputError(f"{job.data} has no official test set: choose a data set that has one")
    n = job.n_rows or len(data.y)
    if n > len(data.y):
        raise InputError(f"rows={n}: {job.data} has {len(data.y)}; give fewer, or leave rows out for all")
    y, trusted = given_labels(data, job)
    x = data.x if n == len(data.y) else data.x[:n]  # a slice of images in files would decode them all
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
    result = {
        "key": job.key,
        "job": asdict(job),
        "accuracy": float((predicted == data.y_test).mean()),
        "balanced_accuracy": balanced_accuracy(torch.as_tensor(data.y_test), torch.as_tensor(predicted)),
        "noise_rate": float((y != y_true)[counted].mean()) if counted.any() else None,
        "validation_accuracy": None if math.isnan(validation) else validation,
        "n_iter": model.n_iter_,
        "seconds": round(seconds, 2),
        **_peaks(),
        "versions": versions(),
    }
    if model.method_.other_networks:
        result["others"] = judge_others(model, data.x_test, data.y_test)
    report = model.method_.report()
    if report.kept is not None:
        labels = report.kept.cpu().numpy()
        labels = np.where(labels >= 0, model.classes_[labels], -1)
        rows = ~model.validation_
        result["kept"] = count_kept(y[rows], labels[rows], y_true[rows], len(data.classes))
    T = report.transition
    if T is not None:
        result["corrected"] = correct_by_transition(y[counted], y_true[counted], T.detach().cpu().numpy(), job.seed)
    if job.curve:
        result["curve"] = [round(entry["test_accuracy"], 5) for entry in model.history_ if "test_accuracy" in entry]
    if job.issues:
        result["issues"] = judge_issues(model, y, y_true)
    return result


def given_labels(data: Dataset, job: Job) -> tuple[np.ndarray, np.ndarray]:
    """The labels (N,) that a job trains on, -1 where missing, and which of them are trusted (N,), by the job's seed.

    Labels are lost and flipped among the first ``job.n_rows`` alone; those that the data trusts stay as they are.
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


def judge_others(model: NoisyLabelClassifier, x: Rows, y: np.ndarray) -> dict[str, float]:
    """Accuracy of the further networks of a fitted model's method, on rows x with true labels y (n,)."""
    from goldvein.training.inputs import Inputs
    from goldvein.training.predict import predict

    inputs = Inputs(x, model.transform_, next(model.net_.parameters()).device)
    best = {
        name: predict(getattr(model.method_, name), inputs).argmax(1).cpu() for name in model.method_.other_networks
    }
    return {name: float((model.classes_[found.numpy()] == y).mean()) for name, found in best.items()}


def correct_by_transition(y: np.ndarray, y_true: np.ndarray, T: np.ndarray, seed: int) -> dict[str, float]:
    """Share of labels that are right after T has corrected them (Ding et al. 2018, Table 2).

    A label j becomes the class k that T makes likeliest, argmax_k T[k, j] P(k), or one drawn from that
    distribution; P(k), the shares of the true classes, solve P T = the shares of the given ones.

    Parameters
    ----------
    y, y_true : ndarray of shape (n,), integer
        Given and true labels, none missing.
    T : ndarray of shape (K, K)
        T[i, j] = P(given j | true i).

    Returns
    -------
    dict
        ``given``, ``argmax`` and ``sampled``, in [0, 1]; ``transition_error``, the mean absolute difference between T
        and the one that came out, over the classes that have rows.

    Examples
    --------
    >>> y, y_true = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])
    >>> correct_by_transition(y, y_true, np.array([[1.0, 0.0], [0.5, 0.5]]), seed=0)["given"]
    0.5
    """
    K = len(T)
    counts = np.bincount(y_true * K + y, minlength=K * K).reshape(K, K)
    n = counts.sum(1, keepdims=True)
    given = counts.sum(0) / len(y)
    prior = np.clip(np.linalg.lstsq(T.T, given, rcond=None)[0], 1e-6, None)
    of_label = prior[:, None] * T  # (K, K), column j ~ P(true | given j)
    of_label /= np.maximum(of_label.sum(0), 1e-12)
    drawn = (np.random.default_rng(seed).random(len(y)) > of_label.cumsum(0)[:, y]).sum(0)
    return {
        "given": float((y == y_true).mean()),
        "argmax": float((of_label.argmax(0)[y] == y_true).mean()),
        "sampled": float((np.minimum(drawn, K - 1) == y_true).mean()),
        "transition_error": float(np.abs(T - counts / np.maximum(n, 1))[n[:, 0] > 0].mean()),
    }


def count_kept(y: np.ndarray, labels: np.ndarray, y_true: np.ndarray, n_classes: int) -> dict[str, Any]:
    """How many labels a method trained on, and how many of them were right.

    Parameters
    ----------
    y, labels, y_true : ndarray of shape (N,), integer
        Given labels, labels trained on, true labels of the training rows; -1 is none.
    n_classes : int
        K.

    Returns
    -------
    dict
        ``rows``, which is N, and lists of length K, by class as labeled: ``given``, ``kept``, ``right``,
        ``wrong``. A kept label whose true one is not known is neither right nor wrong.

    Examples
    --------
    >>> count_kept(np.array([0, 0, 1]), np.array([0, -1, 1]), np.array([0, 0, 0]), 2)
    {'rows': 3, 'given': [2, 1], 'kept': [1, 1], 'right': [1, 0], 'wrong': [0, 1]}
    """

    def count(values: np.ndarray) -> list[int]:
        return np.bincount(values[values >= 0], minlength=n_classes).tolist()

    return {
        "rows": len(y),
        "given": count(y),
        "kept": count(labels),
        "right": count(labels[labels == y_true]),
        "wrong": count(labels[(labels != y_true) & (y_true >= 0)]),
    }


def judge_issues(model: NoisyLabelClassifier, y: np.ndarray, y_true: np.ndarray) -> dict[str, Any]:
    """How well the wrong labels are found, over the given labels whose true one is known.

    Parameters
    ----------
    model : NoisyLabelClassifier
        Fitted on ``y`` with ``watch=True``.
    y, y_true : ndarray of shape (N,), integer
        Given and true labels; -1 is none.

    Returns
    -------
    dict
        What :func:`judge_score` finds of ``p_wrong`` and ``is_issue``;
        ``calibration_error`` of ``p_wrong``; ``noise_rate``, estimated; ``transition_error``, the mean absolute
        difference between the estimated T and the one that came out; ``scores``, for methods that have some: the same
        of each, and of the rules "wrong if above 0" (Sun et al. 2021, Table 3) and, where a score is a share of trust,
        "wrong if below 1/2".
    """
    from goldvein.issues.audit import COLUMNS
    from goldvein.metrics import calibration_error
    from goldvein.noise.synthetic import describe

    audit = model.audit()
    table = audit.table
    rows = table["id"].to_numpy()
    known = y_true[rows] >= 0
    wrong = (y != y_true)[rows][known]
    p_wrong, listed = table["p_wrong"].to_numpy()[known], table["is_issue"].to_numpy()[known]
    T = describe(y_true, y).transition
    scores = {}
    for name in (column for column in table if column not in COLUMNS):
        score = table[name].to_numpy(dtype=float)[known]
        there, doubts = np.isfinite(score), name in model.method_.suspicious_if_high
        listed_by = score > 0 if doubts else score < 0.5
        scores[name] = judge_score((score if doubts else -score)[there], listed_by[there], wrong[there])
    return {
        **judge_score(p_wrong, listed, wrong),
        "calibration_error": calibration_error(p_wrong, wrong),
        "noise_rate": audit.noise_rate,
        "transition_error": float(np.nanmean(np.abs(audit.transition[: len(T), : len(T)] - T))),
        **({"scores": scores} if scores else {}),
    }


def judge_score(score: np.ndarray, listed: np.ndarray, wrong: np.ndarray) -> dict[str, float | None]:
    """How well a score tells wrong labels, and a list of them by it.

    Parameters
    ----------
    score : ndarray of shape (n,), float
        Of given labels, none NaN.
    listed, wrong : ndarray of shape (n,), bool

    Returns
    -------
    dict
        ``auroc`` and ``average_precision`` of the score, None unless there are right and wrong labels;
        ``precision``, ``recall`` and ``f1`` of the list, 0 where nothing is listed or nothing is wrong.

    Examples
    --------
    >>> score = np.array([0.2, 0.1, 0.0])
    >>> judge_score(score, score > 0, np.array([True, False, False]))["precision"]
    0.5
    """
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

    precision, recall, f1, _ = precision_recall_fscore_support(wrong, listed, average="binary", zero_division=0.0)
    mixed = 0 < wrong.sum() < len(wrong)
    return {
        "auroc": float(roc_auc_score(wrong, score)) if mixed else None,
        "average_precision": float(average_precision_score(wrong, score)) if mixed else None,
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
    }


@functools.cache
def versions() -> dict[str, str]:
    """Versions of what a result is made with here, and the names of the processor and the GPU."""
    import sklearn
    import torch

    found = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "sklearn": sklearn.__version__,
        "goldvein": goldvein.__version__,
        "cpu": _cpu(),
    }
    return found | ({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


@functools.lru_cache(maxsize=1)
def _load_data(name: str, data_dir: str | Path | None) -> Dataset:
    """A data set, read once for all jobs of a process."""
    from goldvein.data import standard

    return standard.load_dataset(name, data_dir)


def _true_labels(data: Dataset) -> np.ndarray:
    """True labels (N,); -1 where the data set does not know them."""
    if data.y_true is not None:
        return data.y_true
    return data.y if data.trusted is None else np.where(data.trusted, data.y, -1)


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _forget_peak() -> None:
    """Let the peak memory be that of this job alone, where the system can (Linux)."""
    import torch

    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def _peaks() -> dict[str, int | None]:
    import torch

    try:
        import resource
    except ImportError:  # Windows
        return {"peak_mb": None}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peaks: dict[str, int | None] = {"peak_mb": round(peak / (2**20 if sys.platform == "darwin" else 2**10))}
    if torch.cuda.is_available():
        peaks["peak_gpu_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return peaks
