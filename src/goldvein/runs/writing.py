"""Writes the run folder of a fitted classifier and its data set."""

from __future__ import annotations

import copy
import importlib.metadata
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

import goldvein
from goldvein.config.names import DEFAULT_METHOD
from goldvein.data.spec import Spec, spec_of_shape
from goldvein.errors import InputError
from goldvein.files import write_text, write_whole
from goldvein.runs import folder as names
from goldvein.runs.contents import (
    AgreementRecord,
    ClassCounts,
    MethodRecord,
    Metrics,
    NetworkRecord,
    Origin,
    TrueNoise,
)
from goldvein.runs.tables import as_json, tabulate_predictions, write_json, write_table

if TYPE_CHECKING:
    import pandas as pd

    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.data.dataset import Dataset
    from goldvein.issues.audit import Audit

DISTRIBUTIONS = ("torch", "numpy", "scikit-learn")  # results depend on their versions
# Arguments of networks that load weights before the training. The weights in the folder replace them, so the file that
# they name is not needed to predict.
FIRST_WEIGHTS = ("weights", "pretrained", "pretrained_cfg_overlay", "checkpoint_path")


def save(folder: str | Path, classifier: NoisyLabelClassifier, dataset: Dataset, origin: Origin) -> None:
    """Write a run folder, then remove its checkpoint.

    Parameters
    ----------
    folder : str or Path
        A folder that is new, empty, or contains the checkpoint of this training.
    classifier : NoisyLabelClassifier
        Fitted on exactly ``dataset.x`` and ``dataset.y``, with ``watch=True``.
    dataset : Dataset
    origin : dict
        ``data``: where the rows and labels came from. ``decisions``: the reviewed labels that the run was trained with.

    Raises
    ------
    InputError
        If the folder contains other files (see :func:`goldvein.runs.check_folder`), the disk is full, the classifier
        was fitted on other labels, its network was not given by name and so cannot be built again, or its classifier
        cannot be written without a pickle.

    Examples
    --------
    >>> import tempfile
    >>> from goldvein import NoisyLabelClassifier, runs
    >>> from goldvein.data import standard
    >>> digits = standard.load_dataset("digits")
    >>> model = NoisyLabelClassifier("cross_entropy", epochs=2, random_state=0).fit(digits.x, digits.y)
    >>> run = tempfile.mkdtemp()
    >>> runs.save(run, model, digits, {"data": {"source": "digits"}})
    >>> runs.open_run(run).predict_proba(digits).shape
    (1201, 10)
    """
    folder = Path(folder)
    names.check_folder(folder, resume=True)
    named = _with_labels(classifier, dataset)
    classes: list[str | int] = named.classes_.tolist()
    file, content, record = _model(classifier)
    audit = named.audit(ids=dataset.ids)
    # everything that can fail on wrong input is done above, so an error leaves no folder behind
    names.make_folder(folder)
    write_whole(folder / file, lambda stream: stream.write(content))
    if classifier.learner_ is None:
        write_text(folder / names.HISTORY, "".join(as_json(epoch) + "\n" for epoch in classifier.history_))
    probs = classifier.predict_proba(dataset.x)
    write_table(folder / names.PREDICTIONS, tabulate_predictions(dataset.ids, probs, classes))
    write_table(folder / names.ISSUES, audit.table)
    write_json(folder / names.METRICS, _metrics(named, dataset, audit))
    write_json(folder / names.ENVIRONMENT, _environment(classifier))
    if dataset.skipped:
        write_table(folder / names.SKIPPED, _skipped(dataset))
    arguments = classifier.get_params(deep=False)
    config: dict[str, Any] = {
        "format": names.FORMAT,
        **origin,
        "method": _method(classifier),
        "estimator": {name: arguments[name] for name in arguments if name not in ("method", "verbose")},
        **record,
        "classes": classes,
        "spec": _spec(dataset, classes),
    }
    config["estimator"]["model"] = _model_name(classifier)  # JSON has no objects
    write_json(folder / names.CONFIG, config)  # last: it marks the run as complete
    (folder / names.CHECKPOINT).unlink(missing_ok=True)


def _with_labels(classifier: NoisyLabelClassifier, dataset: Dataset) -> NoisyLabelClassifier:
    """Return a copy of the classifier whose ``classes_`` are the labels as the user wrote them, not their codes."""
    codes = classifier.classes_.tolist()
    known = range(len(dataset.classes))
    if len(classifier.y_) != len(dataset.y) or any(code not in known for code in codes):
        raise InputError("the classifier was fitted on other labels: fit it on dataset.x and dataset.y")
    # shallow: the copy shares the network, and the classifier of the caller keeps its codes
    named = copy.copy(classifier)
    named.classes_ = np.array([dataset.classes[code] for code in codes])
    return named


def _model(classifier: NoisyLabelClassifier) -> tuple[str, bytes, Any]:
    """Return the name of the file of what predicts, its content, and the part of ``config.json`` that describes it."""
    if classifier.learner_ is None:
        from goldvein.training.saved import to_bytes

        content = to_bytes(classifier.net_, classifier.transform_)
        return names.WEIGHTS, content, {"network": _network(classifier)}
    from goldvein.estimators import _saved

    model = _model_name(classifier)
    try:
        content = _saved.to_bytes(classifier.learner_.predictor_)
    except ValueError as error:
        raise InputError(f"model={model!r} cannot be saved ({error}): choose another model") from error
    return names.MODEL, content, {"learner": {"model": model, "n_features": classifier.n_features_in_}}


def _model_name(classifier: NoisyLabelClassifier) -> str:
    """Return the name of the model; for an object, ``package.module:Class``."""
    model: Any = classifier.model
    kind = model if isinstance(model, type) else type(model)
    return model if isinstance(model, str) else f"{kind.__module__}:{kind.__qualname__}"


def _method(classifier: NoisyLabelClassifier) -> MethodRecord:
    """Return name and hyper-parameters of the method for :func:`goldvein.config.build.build_method`."""
    if classifier.learner_ is not None:
        return {"name": DEFAULT_METHOD, "params": {}}
    method: Any = classifier.method_
    params = method.get_params(deep=True)
    return {
        "name": _file(method),
        "params": {key: _file(value) if hasattr(value, "get_params") else value for key, value in params.items()},
    }


def _file(part: Any) -> str:
    """Return the short name of a method or selector of goldvein; for one of a user, ``package.module:Class``."""
    module = type(part).__module__
    package, _, name = module.rpartition(".")
    own = package in ("goldvein.methods", "goldvein.selectors")
    return name if own else f"{module}:{type(part).__qualname__}"


def _network(classifier: NoisyLabelClassifier) -> NetworkRecord:
    """Return name and arguments that build the network for the weights of the folder."""
    from goldvein.training import network

    if not isinstance(classifier.model, str):
        raise InputError(
            f"model={classifier.model!r} has no name to be built again by: give it as package.module:factory"
        )
    name = network.default_model(classifier.transform_.seen_shape) if classifier.model == "auto" else classifier.model
    params = {key: value for key, value in (classifier.model_params or {}).items() if key not in FIRST_WEIGHTS}
    return {"model": name, "params": params}


def _metrics(named: NoisyLabelClassifier, dataset: Dataset, audit: Audit) -> Metrics:
    metrics: Metrics = {
        "n_rows": len(dataset.y),
        "n_labeled": int((dataset.y >= 0).sum()),
        "n_epochs": 0 if named.learner_ is not None else named.n_iter_,
        "noise_rate": audit.noise_rate,
        "transition": audit.transition.tolist(),
        "n_issues": int(audit.table["is_issue"].sum()),
        "n_wrong": audit.n_wrong,
        "n_wrong_interval": list(audit.n_wrong_interval),
        "classes": cast(list[ClassCounts], audit.classes.to_dict("records")),
        "ambiguous": list(audit.ambiguous),
        "noise_kind": audit.noise_kind,
        "too_weak": audit.too_weak,
    }
    if hasattr(named, "choice_"):
        metrics["choice"] = named.choice_
        metrics["candidates"] = named.candidates_.replace({np.nan: None}).to_dict("records")
    if audit.label_agreement is not None:
        metrics["label_agreement"] = cast(AgreementRecord, asdict(audit.label_agreement))
    if dataset.x_test is not None and dataset.y_test is not None:
        codes = named.predict_proba(dataset.x_test).argmax(1)
        truth = np.array([dataset.classes[code] for code in dataset.y_test.tolist()])
        metrics["n_test"] = len(truth)
        metrics["test_accuracy"] = float((named.classes_[codes] == truth).mean())
    if dataset.y_true is not None:
        metrics["true_noise"] = _true_noise(dataset, audit.table)
    return metrics


def _true_noise(dataset: Dataset, issues: pd.DataFrame) -> TrueNoise:
    """Return the noise of a benchmark, and precision and recall of the issues."""
    from goldvein.noise import synthetic as noise

    assert dataset.y_true is not None
    summary = noise.describe(dataset.y_true, dataset.y)
    known = (dataset.y_true >= 0) & (dataset.y >= 0)
    issue = np.isin(dataset.ids, issues["id"][issues["is_issue"]].to_numpy().astype(str)) & known
    hits = int((issue & (dataset.y_true != dataset.y)).sum())
    return {
        "noise_rate": summary.rate,
        "transition": summary.transition.tolist(),
        "issue_precision": hits / issue.sum() if issue.any() else None,
        "issue_recall": hits / summary.n_wrong if summary.n_wrong else None,
    }


def _environment(classifier: NoisyLabelClassifier) -> dict[str, Any]:
    device: dict[str, Any] = {"device": "cpu"}
    if classifier.learner_ is None:
        from goldvein.training.machine import find_device

        device = find_device(classifier.net_)
    return {
        "goldvein": goldvein.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in DISTRIBUTIONS},
        "platform": platform.platform(),
        **device,
    }


def _skipped(dataset: Dataset) -> pd.DataFrame:
    """Return the table of skipped files; a path inside the folder of the data is relative to that folder."""
    import pandas as pd

    source = Path(dataset.name)
    home = source if source.is_dir() else source.parent
    tops = (os.path.abspath(home) + os.sep, os.path.realpath(home) + os.sep)  # the folder may be a link
    paths = []
    for path, _ in dataset.skipped:
        full = os.path.abspath(path)
        paths.append(next((full.removeprefix(top) for top in tops if full.startswith(top)), path))
    return pd.DataFrame({"path": paths, "reason": [reason for _, reason in dataset.skipped]})


def _spec(dataset: Dataset, classes: list[str | int]) -> Spec:
    """Return the spec by which new inputs are read; for a standard data set, arrays or images of its shape."""
    spec: Spec = copy.copy(dataset.spec or spec_of_shape(dataset.x.shape))  # not the one of the data set
    spec["classes"] = classes
    return spec
