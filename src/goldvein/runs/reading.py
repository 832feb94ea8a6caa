"""A saved run: its tables, which need no torch, and its network, which is only loaded for predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from goldvein.errors import InputError
from goldvein.progress import Progress
from goldvein.runs.contents import LearnerRecord, Metrics, RunConfig
from goldvein.runs.folder import CHECKPOINT, CONFIG, FORMAT, ISSUES, METRICS, MODEL, PREDICTIONS, WEIGHTS, damaged
from goldvein.runs.tables import read_json, read_table

if TYPE_CHECKING:
    import pandas as pd

    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.data.dataset import Dataset

PREDICT_ROWS = 8192  # rows per step of the progress bar; that many images are decoded at a time
PREDICT_VALUES = 2**28  # most values per step: 256 MiB of pixels


def open_run(folder: str | Path) -> SavedRun:
    """Open a run folder. Its tables and weights are read at their first use.

    Open only runs from people you trust: a network whose name is ``package.module:factory`` is imported by that name.
    A classifier whose name has another package is imported, too. All other content of the folder is plain text and
    numbers.

    Raises
    ------
    InputError
        If the folder contains no complete run, a run of another format, or a damaged ``config.json``.
    """
    folder = Path(folder)
    path = folder / CONFIG
    if (folder / CHECKPOINT).exists() and not path.exists():
        raise InputError(f"{folder} contains an interrupted run: continue it with goldvein train --resume")
    if not path.exists():
        raise InputError(f"{folder} contains no run: give a folder that goldvein train wrote")
    config = read_json(path)
    if config.get("format") != FORMAT:
        raise InputError(
            f"{folder} has format {config.get('format')!r}: this goldvein reads format {FORMAT}; "
            "train again, or use the goldvein that wrote it"
        )
    model = "learner" if "learner" in config else "network"
    for key, kind in ((model, dict), ("method", dict), ("classes", list), ("spec", dict), ("estimator", dict)):
        if not isinstance(config.get(key), kind):
            raise damaged(path, f"{key} is missing or has another type")
    for key in ("data", "decisions"):
        config[key] = value if isinstance(value := config.get(key), dict) else {}
    return SavedRun(folder, cast(RunConfig, config))


@dataclass(frozen=True)
class SavedRun:
    """A complete run in a run folder.

    Attributes
    ----------
    folder : Path
    config : dict
        Content of ``config.json``; ``data`` and ``decisions`` are empty if the file does not contain them.
    """

    folder: Path
    config: RunConfig

    @property
    def classes(self) -> tuple[str | int, ...]:
        """The labels as the user wrote them, in the order of the columns of :meth:`predict_proba`."""
        return tuple(self.config["classes"])

    @property
    def source(self) -> str | None:
        """The name of a standard data set or the path of the data; None if the run contains neither."""
        source, from_run = self.config["data"].get("source"), self.config["data"].get("from_run")
        if not source or not isinstance(source, str):
            return None
        # the source is relative to the directory of the training, which may not be the present one
        if isinstance(from_run, str) and not Path(source).expanduser().exists():
            return str(self.folder / from_run)
        return source

    @cached_property
    def metrics(self) -> Metrics:
        """The content of ``metrics.json``.

        Raises
        ------
        InputError
            If the file is missing or damaged.
        """
        path = self.folder / METRICS
        metrics = cast(Metrics, read_json(path))
        try:
            for value in (metrics["n_rows"], metrics["n_labeled"], metrics["n_issues"], metrics["n_epochs"]):
                int(value)
            float(metrics["noise_rate"])
            shape, n_classes = np.shape(np.array(metrics["transition"], dtype=float)), len(self.classes)
            if shape != (n_classes, n_classes):
                raise ValueError(f"transition has shape {shape}, but there are {n_classes} classes")
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, error) from error
        return metrics

    @cached_property
    def issues(self) -> pd.DataFrame:
        """The given labels, worst first: the columns of ``issues.csv``, labels as the user wrote them."""
        types = {"label_quality": float, "p_wrong": float, "is_issue": bool, "rank": int, "reason": str}
        path = self.folder / ISSUES
        table = read_table(path, ("given_label", "suggested_label"), types, self.classes, optional={"kind": str})
        # a table that is cut at the end of a line can still be read, but has too few rows
        n_rows = self.metrics["n_labeled"] if (self.folder / METRICS).exists() else len(table)
        if len(table) != n_rows:
            raise damaged(path, f"it has {len(table):,} of {n_rows:,} rows")
        return table

    def list_issues(self, precision: float = 0.5, budget: int | None = None) -> pd.DataFrame:
        """Return :attr:`issues` with ``is_issue`` for another precision or budget.

        :func:`goldvein.issues.audit.find_label_issues` explains both. A label that was not an issue in training has no
        reason and no suggestion.
        """
        from goldvein.issues.checks import check_target
        from goldvein.issues.counts import lowest_share
        from goldvein.issues.table import listed

        check_target(precision, budget)
        position = {label: k for k, label in enumerate(self.classes)}
        y = np.array([position[label] for label in self.issues["given_label"]], dtype=np.int64)
        p_wrong, interval = self.issues["p_wrong"].to_numpy(), self.metrics.get("n_wrong_interval")
        least = 1.0 if interval is None else lowest_share(self.metrics.get("n_wrong", 0.0), interval)
        chosen = listed(p_wrong, y, precision, budget, len(self.classes), least=least)
        return self.issues.assign(is_issue=chosen)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Every training row in the order of the data: the columns of ``predictions.csv``."""
        types: dict[str, type] = {"confidence": float, **{f"prob_{label}": float for label in self.classes}}
        return read_table(self.folder / PREDICTIONS, ("predicted",), types, self.classes)

    @cached_property
    def classifier(self) -> NoisyLabelClassifier:
        """The trained model; its ``classes_`` are positions in :attr:`classes`."""
        return _rebuild(self)

    def predict_proba(self, dataset: Dataset, *, progress: bool = False) -> NDArray[np.float32]:
        """Return the class probabilities of new rows.

        Parameters
        ----------
        dataset : Dataset
            Read with ``config["spec"]``; its labels are not used.
        progress : bool, default=False
            Show a progress bar if standard error is a terminal.

        Returns
        -------
        ndarray of shape (N, K), float32
            Columns in the order of :attr:`classes`; N may be 0.

        Raises
        ------
        InputError
            If the rows have another shape than the training rows, or the weights are damaged.
        """
        rows = dataset.x
        # in parts, because images in files may not all fit into memory
        each = max(1, min(PREDICT_ROWS, PREDICT_VALUES // math.prod(rows.shape[1:])))
        parts = [np.empty((0, len(self.classes)), dtype=np.float32)]  # the result if there are no rows
        bar = Progress(quiet=not progress)
        bar.stage("predicting", math.ceil(len(rows) / each))
        try:
            for start in range(0, len(rows), each):
                parts.append(self.classifier.predict_proba(rows[start : start + each]))
                bar.step()
        finally:
            bar.close()
        return np.concatenate(parts)

    def clean_labels(
        self, relabel_above: float = 0.9, drop_above: float = 0.5, decided: Mapping[str, str | None] | None = None
    ) -> pd.DataFrame:
        """Return a label for every training row; wrong labels are replaced or dropped.

        Only labels that are issues change. An issue gets the suggested label if the probability of that label
        (``p_suggested``) is above ``relabel_above``. Otherwise it is dropped if ``p_wrong`` is above ``drop_above``,
        and kept if not. A threshold of 1 disables its action. A class with too few labels to judge keeps all of them.

        Parameters
        ----------
        relabel_above, drop_above : float in [0, 1]
        decided : mapping of id to label, optional
            Labels that a person decided, which override the model; None drops the label.

        Returns
        -------
        DataFrame
            Columns id, given_label, cleaned_label, action (keep, relabel or drop), in the order of the data. A missing
            label stays empty, with the action keep. A dropped label becomes empty: the row remains as a row without a
            label.

        Raises
        ------
        InputError
            If a threshold is not in [0, 1], or a table is damaged.
        """
        import pandas as pd

        for name, value in (("relabel_above", relabel_above), ("drop_above", drop_above)):
            if not 0 <= value <= 1:
                raise InputError(f"{name}={value}: it must be from 0 to 1; 1 disables the action")
        table = self.predictions.merge(self.issues, on="id", how="left")
        given = table["given_label"].where(table["given_label"].notna(), "")
        suggested = table["suggested_label"].where(table["suggested_label"].notna(), "")
        issue = table["is_issue"].eq(True) & ~too_few_to_judge(table)  # NaN for a row without a label
        p_suggested = table.get("p_suggested", pd.Series(np.nan, table.index))
        relabel = issue & (suggested != given) & (p_suggested > relabel_above)
        drop = issue & ~relabel & (table["p_wrong"] > drop_above)
        out = table[["id"]].copy()
        out["given_label"] = given
        out["cleaned_label"] = given.mask(relabel, suggested).mask(drop, "")
        if decided:
            name_of: dict[str | None, str | int] = {None: "", **{str(label): label for label in self.classes}}
            rows = out["id"].isin(decided.keys())
            out.loc[rows, "cleaned_label"] = [name_of[decided[row]] for row in out.loc[rows, "id"]]
        same, empty = out["cleaned_label"] == out["given_label"], out["cleaned_label"] == ""
        out["action"] = np.select([same, empty], ["keep", "drop"], "relabel")
        return out


def too_few_to_judge(table: pd.DataFrame) -> pd.Series:
    """Return the mask of the labels in a table of issues whose class has too few labels to judge them."""
    import pandas as pd

    return table.get("kind", pd.Series("", table.index)) == "too_little_evidence"  # the column is optional


def _rebuild(run: SavedRun) -> NoisyLabelClassifier:
    """Return a classifier with the network and the normalization of the run folder."""
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.config.build import build_method
    from goldvein.training.network import NetworkOptions
    from goldvein.training.saved import rebuild

    if "learner" in run.config:
        return _restore(run, run.config["learner"])
    path, network, estimator = run.folder / WEIGHTS, run.config["network"], run.config["estimator"]
    try:
        options = NetworkOptions(network["model"], network["params"], estimator.get("precision", "auto"))
        method = build_method(run.config["method"]["name"], run.config["method"]["params"])
        model = NoisyLabelClassifier(model=options.model, model_params=options.params, precision=options.precision)
        model.predictor_ = model.spec_ = None
        model.net_, model.transform_ = rebuild(path, method, options, len(run.classes), estimator.get("augment"))
    except InputError:  # it is a ValueError, too
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from error
    model.classes_ = np.arange(len(run.classes))
    model.n_features_in_ = model.transform_.mean.shape[0]
    return model


def _restore(run: SavedRun, learner: LearnerRecord) -> NoisyLabelClassifier:
    """Return a classifier with the learner of the run folder in place of a network."""
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.estimators import _saved

    path = run.folder / MODEL
    try:
        model = NoisyLabelClassifier(model=learner["model"])
        model.n_features_in_ = int(learner["n_features"])
        model.spec_ = None  # the run folder has the spec, by which rows are read before
        model.predictor_ = _saved.from_file(path, learner["model"])
    except InputError:  # it is a ValueError, too
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from error
    model.classes_ = np.arange(len(run.classes))
    return model
