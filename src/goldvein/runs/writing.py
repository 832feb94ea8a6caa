"""A fitted classifier and its data set written as a run folder."""

from __future__ import annotations

import copy
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import goldvein
from goldvein.data.spec import spec_of_shape
from goldvein.errors import InputError
from goldvein.files import write_text, write_whole
from goldvein.runs import folder as names
from goldvein.runs.tables import as_json, predictions, write_json, write_table

if TYPE_CHECKING:
    import pandas as pd

    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.data.dataset import Dataset
    from goldvein.issues.audit import Audit

DISTRIBUTIONS = ("torch", "numpy", "scikit-learn")
FIRST_WEIGHTS = ("weights", "pretrained", "pretrained_cfg_overlay", "checkpoint_path")


def save(folder: str | Path, classifier: NoisyLabelClassifier, dataset: Dataset, config: dict[str, Any]) -> None:
    """Write a run folder, and remove the checkpoint once it is complete.

    Parameters
    ----------
    folder : str or Path
        New, empty, or holding the checkpoint of this very training.
    classifier : NoisyLabelClassifier
        Fitted on ``dataset.x`` and ``dataset.y`` as they are, with ``watch=True``.
    dataset : Dataset
    config : dict
        What the classifier cannot tell of itself, in JSON types: ``data``, where the rows and labels came from.

    Raises
    ------
    InputError
        If the folder is taken (see :func:`goldvein.runs.claim`), the disk is full, the classifier was fitted on
        other labels, or its network has no name by which it could be built again.

    Examples
    --------
    >>> import tempfile
    >>> from goldvein import NoisyLabelClassifier, runs
    >>> from goldvein.data import standard
    >>> digits = standard.load_dataset("digits")
    >>> model = NoisyLabelClassifier("cross_entropy", epochs=2, random_state=0).fit(digits.x, digits.y)
    >>> run = tempfile.mkdtemp()
    >>> runs.save(run, model, digits, {"data": {"source": "digits"}})
    >>> runs.load(run).predict_proba(digits).shape
    (1201, 10)
    """
    folder = Path(folder)
    names.claim(folder, resume=True)
    named = _with_names(classifier, dataset)
    classes = tuple(named.classes_.tolist())
    network, weights = _network(classifier), _weights(classifier)
    audit = named.audit(ids=dataset.ids)
    names.make(folder)
    write_whole(folder / names.WEIGHTS, lambda file: file.write(weights))
    write_text(folder / names.HISTORY, "".join(as_json(epoch) + "\n" for epoch in classifier.history_))
    write_table(folder / names.PREDICTIONS, predictions(dataset.ids, classifier.predict_proba(dataset.x), classes))
    write_table(folder / names.ISSUES, audit.table)
    write_json(folder / names.METRICS, _metrics(named, dataset, audit))
    write_json(folder / names.ENVIRONMENT, _environment(classifier))
    if dataset.skipped:
        write_table(folder / names.SKIPPED, _skipped(dataset))
    arguments = classifier.get_params(deep=False)
    full = {
        "format": names.FORMAT,
        **config,
        "method": _method(classifier),
        "estimator": {name: arguments[name] for name in arguments if name not in ("method", "verbose")},
        "network": network,
        "classes": classes,
        "spec": _spec(dataset, classes),
    }
    write_json(folder / names.CONFIG, full)
    (folder / names.CHECKPOINT).unlink(missing_ok=True)


def _with_names(classifier: NoisyLabelClassifier, dataset: Dataset) -> NoisyLabelClassifier:
    """The classifier, fitted on codes, as one that speaks of the labels as the user wrote them."""
    codes = classifier.classes_.tolist()
    known = range(len(dataset.classes))
    if len(classifier.y_) != len(dataset.y) or any(code not in known for code in codes):
        raise InputError("the classifier was fitted on other labels: fit it on dataset.x and dataset.y")
    named = copy.copy(classifier)
    named.classes_ = np.array([dataset.classes[code] for code in codes])
    return named


def _method(classifier: NoisyLabelClassifier) -> dict[str, Any]:
    """Name and all hyper-parameters, as :func:`goldvein.config.build.build_method` takes them."""
    method: Any = classifier.method_
    params = method.get_params(deep=True)
    return {
        "name": _file(method),
        "params": {key: _file(value) if hasattr(value, "get_params") else value for key, value in params.items()},
    }


def _file(part: Any) -> str:
    """The name by which goldvein finds a method or a selector, or the full one of a user's own."""
    module = type(part).__module__
    package, _, name = module.rpartition(".")
    own = package in ("goldvein.methods", "goldvein.selectors")
    return name if own else f"{module}:{type(part).__qualname__}"


def _network(classifier: NoisyLabelClassifier) -> dict[str, Any]:
    """By what name and with what arguments the network is built again, to get the weights of the folder."""
    from goldvein import models

    if not isinstance(classifier.model, str):
        raise InputError(
            f"model={classifier.model!r} has no name to be built again by: give it as package.module:factory"
        )
    name = models.auto(classifier.transform_.seen_shape) if classifier.model == "auto" else classifier.model
    params = {key: value for key, value in (classifier.model_params or {}).items() if key not in FIRST_WEIGHTS}
    return {"model": name, "params": params}


def _weights(classifier: NoisyLabelClassifier) -> bytes:
    from safetensors.torch import save as to_bytes

    tensors = {f"net.{name}": value for name, value in classifier.net_.state_dict().items()}
    tensors |= {"transform.mean": classifier.transform_.mean, "transform.scale": classifier.transform_.scale}
    # copies, for safetensors refuses two names of one memory
    return to_bytes({name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()})


def _metrics(named: NoisyLabelClassifier, dataset: Dataset, audit: Audit) -> dict[str, Any]:
    found: dict[str, Any] = {
        "n_rows": len(dataset.y),
        "n_labeled": int((dataset.y >= 0).sum()),
        "n_epochs": named.n_iter_,
        "noise_rate": audit.noise_rate,
        "transition": audit.transition,
        "n_issues": int(audit.table["is_issue"].sum()),
        "n_wrong": audit.n_wrong,
        "n_wrong_interval": audit.n_wrong_interval,
        "classes": audit.classes.to_dict("records"),
        "ambiguous": audit.ambiguous,
    }
    if dataset.x_test is not None and dataset.y_test is not None:
        codes = named.predict_proba(dataset.x_test).argmax(1)
        truth = np.array([dataset.classes[code] for code in dataset.y_test.tolist()])
        found |= {"n_test": len(truth), "test_accuracy": float((named.classes_[codes] == truth).mean())}
    if dataset.y_true is not None:
        found["true_noise"] = _true_noise(dataset, audit.table)
    return found


def _true_noise(dataset: Dataset, issues: pd.DataFrame) -> dict[str, Any]:
    """What a benchmark knows of its labels, and how well the issues hit the wrong ones."""
    from goldvein.noise import synthetic as noise

    assert dataset.y_true is not None
    summary = noise.describe(dataset.y_true, dataset.y)
    known = (dataset.y_true >= 0) & (dataset.y >= 0)
    marked = np.isin(dataset.ids, issues["id"][issues["is_issue"]].to_numpy().astype(str)) & known
    hits = int((marked & (dataset.y_true != dataset.y)).sum())
    return {
        "noise_rate": summary.rate,
        "transition": summary.transition,
        "issue_precision": hits / marked.sum() if marked.any() else None,
        "issue_recall": hits / summary.n_wrong if summary.n_wrong else None,
    }


def _environment(classifier: NoisyLabelClassifier) -> dict[str, Any]:
    import torch

    device = next(classifier.net_.parameters()).device
    return {
        "goldvein": goldvein.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in DISTRIBUTIONS},
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
    }


def _skipped(dataset: Dataset) -> pd.DataFrame:
    """Files that were left out, relative to the folder of the data wherever they lie in it."""
    import pandas as pd

    source = Path(dataset.name)
    home = source if source.is_dir() else source.parent
    tops = (os.path.abspath(home) + os.sep, os.path.realpath(home) + os.sep)
    paths = []
    for path, _ in dataset.skipped:
        full = os.path.abspath(path)
        paths.append(next((full.removeprefix(top) for top in tops if full.startswith(top)), path))
    return pd.DataFrame({"path": paths, "reason": [reason for _, reason in dataset.skipped]})


def _spec(dataset: Dataset, classes: tuple[str | int, ...]) -> dict[str, Any]:
    """What new inputs are read by; for a standard data set, as arrays or images of its shape."""
    return {**(dataset.spec or spec_of_shape(dataset.x.shape)), "classes": classes}
