"""Shared by the text examples: the methods that they compare, and what they print about each one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from goldvein import NoisyLabelClassifier
from goldvein.data.dataset import Dataset
from goldvein.methods.cross_entropy import CrossEntropy
from goldvein.methods.two_stage import TwoStage
from goldvein.training.method import Method

EPOCHS = 20  # in each stage; after eight epochs a network has memorized all given labels
METHODS: Mapping[str, str | Method] = {
    "cross_entropy": "cross_entropy",
    "two_stage": "two_stage",
    "two_stage, plain learner": TwoStage(learner=CrossEntropy()),
    "the same, one round": TwoStage(learner=CrossEntropy(), rounds=1),
    "temporal_ensembling": "temporal_ensembling",
}


def compare(
    train: Dataset, test: Dataset, methods: Mapping[str, str | Method], seeds: Iterable[int], epochs: int
) -> dict[str, list[dict[str, float]]]:
    """Train each method once per seed, print a line per method, and return the values of :func:`judge` per run."""
    results: dict[str, list[dict[str, float]]] = {}
    for name, method in methods.items():
        start = time.perf_counter()
        runs = results[name] = []
        for seed in seeds:
            model = NoisyLabelClassifier(method, epochs=epochs, keep="last", random_state=seed)
            runs.append(judge(model.fit(train.x, train.y), train, test))
        print(format_line(name, runs, time.perf_counter() - start), flush=True)
    return results


def judge(model: NoisyLabelClassifier, train: Dataset, test: Dataset) -> dict[str, float]:
    """Measure one training run. Only ``noisy``, the accuracy on held-out given labels, may help to choose a method."""
    issues = model.label_issues()
    assert train.y_true is not None
    truth = train.y_true[issues.id]
    given = train.y[issues.id]
    wrong, listed = (truth != given)[truth >= 0], issues.is_issue.to_numpy()[truth >= 0]
    held_out = model.validation_
    return {
        "test": model.score(test.x, test.y),
        "noisy": model.score(train.x[held_out], train.y[held_out]) if held_out.any() else np.nan,
        "auroc": roc_auc_score(wrong, issues.p_wrong.to_numpy()[truth >= 0]),
        "listed": listed.sum(),
        "hits": (listed & wrong).sum(),
        "wrong": wrong.sum(),
    }


def format_line(name: str, runs: Sequence[Mapping[str, float]], seconds: float) -> str:
    mean = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
    spread = np.std([run["test"] for run in runs], ddof=1) if len(runs) > 1 else 0.0
    found = f"{mean['hits']:.1f} of {mean['wrong']:.0f} wrong labels among {mean['listed']:.1f} listed"
    return (
        f"{name:24} test {mean['test']:.2%} ± {spread:.2%}  held-out given labels {mean['noisy']:.2%}  "
        f"AUROC of p_wrong {mean['auroc']:.3f}  {found}  ({seconds:.0f} s)"
    )
