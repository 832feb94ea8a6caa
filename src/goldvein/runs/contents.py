"""Keys and types of ``config.json`` and ``metrics.json``."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from goldvein.data.source import DataRecord
from goldvein.data.spec import Spec

# "class" is a keyword of Python, so the keys cannot be written as attributes
ClassCounts = TypedDict(
    "ClassCounts",
    {"class": str | int, "n_wrong_low": float | None, "n_wrong_high": float | None, "enough": bool},
    total=False,
)


class TrueNoise(TypedDict):
    """The noise of a benchmark whose true labels are known, and how many wrong labels the issues contain."""

    noise_rate: float
    transition: list[list[float]]
    issue_precision: float | None
    issue_recall: float | None


class AgreementRecord(TypedDict):
    """:class:`goldvein.issues.honesty.LabelAgreement` of a run."""

    unseen: float
    n_unseen: int
    most_frequent: float
    trusted: float | None
    n_trusted: int


class Metrics(TypedDict):
    """Content of ``metrics.json``; ``transition`` is T[i, j] = P(given j | true i).

    ``choice`` and ``candidates`` are those of :class:`goldvein.estimators.panel.Panel`; ``n_epochs`` is 0 without a
    network.
    """

    n_rows: int
    n_labeled: int
    n_epochs: int
    noise_rate: float
    transition: list[list[float]]
    n_issues: int
    n_wrong: NotRequired[float]
    n_wrong_interval: NotRequired[list[float]]
    classes: NotRequired[list[ClassCounts]]
    ambiguous: NotRequired[list[str]]
    noise_kind: NotRequired[str]
    too_weak: NotRequired[bool]
    label_agreement: NotRequired[AgreementRecord]
    choice: NotRequired[str]
    candidates: NotRequired[list[dict[str, Any]]]
    n_test: NotRequired[int]
    test_accuracy: NotRequired[float]
    true_noise: NotRequired[TrueNoise]


class Before(TypedDict):
    """Metrics of the run that was reviewed; None if that run does not have them."""

    n_test: int | None
    test_accuracy: float | None
    noise_rate: float | None
    n_issues: int | None


class DecisionSummary(TypedDict):
    """The decisions that a run was trained with: their file or run folder, and the number of each action."""

    source: str
    n: int
    keep: int
    relabel: int
    drop: int
    skip: int
    before: NotRequired[Before]


class Origin(TypedDict, total=False):
    """The part of ``config.json`` that the classifier does not know."""

    data: DataRecord
    decisions: DecisionSummary


class MethodRecord(TypedDict):
    """Name and hyper-parameters of a method."""

    name: str
    params: dict[str, Any]


class NetworkRecord(TypedDict):
    """Name and arguments of a network."""

    model: str
    params: dict[str, Any]


class LearnerRecord(TypedDict):
    """Name of what was trained in place of a network; its file is in the run folder."""

    model: str
    n_features: int


class RunConfig(Origin):
    """Content of ``config.json``: either a network or a learner."""

    format: int
    method: MethodRecord
    estimator: dict[str, Any]
    network: NotRequired[NetworkRecord]
    learner: NotRequired[LearnerRecord]
    classes: list[str | int]
    spec: Spec
