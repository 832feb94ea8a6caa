"""A run folder read back: its tables without torch, its network when it is to predict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from goldvein.errors import InputError
from goldvein.progress import Progress
from goldvein.runs.folder import CHECKPOINT, CONFIG, FORMAT, ISSUES, METRICS, PREDICTIONS, WEIGHTS, damaged
from goldvein.runs.tables import read_json, read_table

if TYPE_CHECKING:
    import pandas as pd

    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.data.dataset import Dataset

PREDICT_ROWS = 8192  # rows between two steps of the bar; images in files are decoded that many at a time
PREDICT_VALUES = 2**28  # or fewer, if they are large: 256 MiB of pixels


def load(folder: str | Path) -> Run:
    """Open a run folder; tables and weights are read when they are asked for.

    A network given as ``package.module:factory`` is imported by that name: open only runs of people you trust with
    that. Everything else in the folder is plain text and numbers.

    Raises
    ------
    InputError
        If the folder holds no complete run, one of another format, or a damaged ``config.json``.
    """
    folder = Path(folder)
    path = folder / CONFIG
    if (folder / CHECKPOINT).exists() and not path.exists():
        raise InputError(f"{folder} holds an interrupted run: end it with goldvein train and --resume")
    if not path.exists():
        raise InputError(f"{folder} holds no run: give a folder that goldvein train wrote")
    config = read_json(path)
    if config.get("format") != FORMAT:
        raise InputError(
            f"{folder} has format {config.get('format')!r}: this goldvein reads format {FORMAT}; "
            "train again, or use the version that wrote it"
        )
    for key, kind in (("network", dict), ("method", dict), ("classes", list), ("spec", dict), ("estimator", dict)):
        if not isinstance(config.get(key), kind):
            raise damaged(path, f"it lacks {key}")
    return Run(folder, config)


@dataclass(frozen=True)
class Run:
    """A complete run.

    Attributes
    ----------
    folder : Path
    config : dict
        The content of ``config.json``.
    """

    folder: Path
    config: dict[str, Any]

    @property
    def classes(self) -> tuple[str | int, ...]:
        """The labels as the user wrote them, in the order of the columns of :meth:`predict_proba`."""
        return tuple(self.config["classes"])

    @property
    def source(self) -> str | None:
        """Where the data lies: the name of a standard data set, or a path, from here or from the run folder."""
        data = self.config.get("data")
        given, from_run = (data.get("source"), data.get("from_run")) if isinstance(data, dict) else (None, None)
        if not given or not isinstance(given, str):
            return None
        if isinstance(from_run, str) and not Path(given).expanduser().exists():
            return str(self.folder / from_run)
        return given

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of ``metrics.json``."""
        return read_json(self.folder / METRICS)

    @cached_property
    def issues(self) -> pd.DataFrame:
        """The given labels, worst first: the columns of ``issues.csv``, labels as the user wrote them."""
        kinds = {"label_quality": float, "p_wrong": float, "is_issue": bool, "rank": int, "reason": str}
        path = self.folder / ISSUES
        table = read_table(path, ("given_label", "suggested_label"), kinds, self.classes, more={"kind": str})
        wanted = self.metrics.get("n_labeled", len(table)) if (self.folder / METRICS).exists() else len(table)
        if len(table) != wanted:
            raise damaged(path, f"it has {len(table):,} of {wanted:,} rows")
        return table

    def listed(self, precision: float = 0.5, budget: int | None = None) -> pd.DataFrame:
        """:attr:`issues`, with ``is_issue`` for another target: see :func:`goldvein.issues.audit.find_label_issues`.

        Labels that were not listed in training have no reason and no suggestion.
        """
        from goldvein.issues.checks import check_target
        from goldvein.issues.table import listed

        check_target(precision, budget)
        position = {label: k for k, label in enumerate(self.classes)}
        y = np.array([position[label] for label in self.issues["given_label"]], dtype=np.int64)
        chosen = listed(self.issues["p_wrong"].to_numpy(), y, precision, budget, len(self.classes))
        return self.issues.assign(is_issue=chosen)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Every training row in the order of the data: the columns of ``predictions.csv``."""
        kinds: dict[str, type] = {"confidence": float, **{f"prob_{label}": float for label in self.classes}}
        return read_table(self.folder / PREDICTIONS, ("predicted",), kinds, self.classes)

    @cached_property
    def classifier(self) -> NoisyLabelClassifier:
        """The trained model; its ``classes_`` are positions in :attr:`classes`."""
        return _rebuild(self)

    def predict_proba(self, dataset: Dataset, *, progress: bool = False) -> NDArray[np.float32]:
        """Class probabilities of new rows.

        Parameters
        ----------
        dataset : Dataset
            Read with ``config["spec"]``; its labels are not looked at.
        progress : bool, default=False
            Show a bar, if standard error is a terminal.

        Returns
        -------
        ndarray of shape (N, K), float32
            Columns as :attr:`classes`; N may be 0.

        Raises
        ------
        InputError
            If rows have another shape than those of training, or the weights are damaged.
        """
        rows = dataset.x
        each = max(1, min(PREDICT_ROWS, PREDICT_VALUES // math.prod(rows.shape[1:])))
        parts = [np.empty((0, len(self.classes)), dtype=np.float32)]
        bar = Progress(quiet=not progress)
        bar.stage("predicting", math.ceil(len(rows) / each))
        try:
            for start in range(0, len(rows), each):
                parts.append(self.classifier.predict_proba(rows[start : start + each]))
                bar.step()
        finally:
            bar.close()
        return np.concatenate(parts)

    def cleaned(
        self, relabel_above: float = 0.9, drop_above: float = 0.5, decided: Mapping[str, str | None] | None = None
    ) -> pd.DataFrame:
        """A label for every training row, with the wrong ones mended or taken out.

        Only a label that is marked as an issue is touched: it is replaced by the suggested one if that has a
        probability (``p_suggested``) above ``relabel_above``, else dropped if ``p_wrong`` is above ``drop_above``, else
        kept. A threshold of 1 switches its action off. A class with too few labels to judge by keeps them all.

        Parameters
        ----------
        relabel_above, drop_above : float in [0, 1]
        decided : mapping of id to label, optional
            What a person decided, which outranks the model; None as the label drops it.

        Returns
        -------
        DataFrame
            Columns id, given_label, cleaned_label, action (keep, relabel or drop), in the order of the data. A
            label that was missing stays blank and kept; a dropped one becomes blank, so the row can still serve
            without a label.

        Raises
        ------
        InputError
            If a threshold is not in [0, 1], or a table is damaged.
        """
        import pandas as pd

        for name, value in (("relabel_above", relabel_above), ("drop_above", drop_above)):
            if not 0 <= value <= 1:
                raise InputError(f"{name}={value}: it must lie in 0..1; 1 switches the action off")
        table = self.predictions.merge(self.issues, on="id", how="left")
        given = table["given_label"].where(table["given_label"].notna(), "")
        suggested = table["suggested_label"].where(table["suggested_label"].notna(), "")
        judged_by_enough = table.get("kind", pd.Series("", table.index)) != "too_little_evidence"
        issue = table["is_issue"].eq(True) & judged_by_enough
        relabel = (
            issue & (suggested != given) & (table.get("p_suggested", pd.Series(np.nan, table.index)) > relabel_above)
        )
        drop = issue & ~relabel & (table["p_wrong"] > drop_above)
        out = table[["id"]].copy()
        out["given_label"] = given
        out["cleaned_label"] = given.mask(relabel, suggested).mask(drop, "")
        if decided:
            name_of: dict[str | None, str | int] = {None: "", **{str(label): label for label in self.classes}}
            judged = out["id"].isin(decided.keys())
            out.loc[judged, "cleaned_label"] = [name_of[decided[row]] for row in out.loc[judged, "id"]]
        same, blank = out["cleaned_label"] == out["given_label"], out["cleaned_label"] == ""
        out["action"] = np.select([same, blank], ["keep", "drop"], "relabel")
        return out


def _rebuild(run: Run) -> NoisyLabelClassifier:
    """The estimator around the network and the normalization of the folder."""
    from goldvein.classifier import NoisyLabelClassifier
    from goldvein.config.build import build_method
    from goldvein.training.network import NetworkOptions
    from goldvein.training.saved import rebuild

    path, network, estimator = run.folder / WEIGHTS, run.config["network"], run.config["estimator"]
    try:
        options = NetworkOptions(network["model"], network["params"], estimator.get("precision", "auto"))
        method = build_method(run.config["method"]["name"], run.config["method"]["params"])
        model = NoisyLabelClassifier(model=options.model, model_params=options.params, precision=options.precision)
        model.net_, model.transform_ = rebuild(path, method, options, len(run.classes), estimator.get("augment"))
    except InputError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from error
    model.classes_ = np.arange(len(run.classes))
    model.n_features_in_ = model.transform_.mean.shape[0]
    return model
