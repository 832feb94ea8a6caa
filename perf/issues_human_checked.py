"""Ranking of label errors that people confirmed, from class probabilities alone: p_wrong beside self-confidence.

    GOLDVEIN_DATA=... python perf/issues_human_checked.py

The test sets of Northcutt, Athalye & Mueller 2021 with the probabilities that they published. Five people looked at
each suspect; it is an error if fewer than three chose the given label. AUROC is over the rows that were looked at,
which were suspects of a rule to begin with: the easy part of the ranking is not in it. Intervals, 95 %, and the share
of resamples in which p_wrong is ahead, are of 2,000 bootstrap samples of those rows.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from goldvein import find_label_issues

SETS = ("mnist", "cifar10", "20news", "imdb")
SAMPLES = 2000


def main() -> None:
    folder = Path(os.environ["GOLDVEIN_DATA"]) / "label_errors"
    rng = np.random.default_rng(0)
    print("| set | checked | errors | p_wrong | self-confidence | ahead in |\n| --- | --- | --- | --- | --- | --- |")
    for name in SETS:
        with np.load(folder / f"{name}.npz") as file:
            y, probs = file["given_labels"].astype(np.int64), file["pred_probs"].astype(np.float32)
            rows, error = file["checked_idx"], file["is_error"].astype(bool)
        probs /= probs.sum(1, keepdims=True)
        ranks = {
            "p_wrong": find_label_issues(y, probs=probs).set_index("id").loc[rows, "p_wrong"].to_numpy(),
            "self-confidence": -probs[rows, y[rows]],
        }
        drawn = [rng.integers(0, len(rows), len(rows)) for _ in range(SAMPLES)]
        drawn = [some for some in drawn if 0 < error[some].sum() < len(some)]
        found = {kind: np.array([roc_auc_score(error[s], rank[s]) for s in drawn]) for kind, rank in ranks.items()}
        cells = []
        for kind, rank in ranks.items():
            low, high = np.quantile(found[kind], (0.025, 0.975))
            cells.append(f"{roc_auc_score(error, rank):.3f} ({low:.3f} to {high:.3f})")
        ahead = (found["p_wrong"] > found["self-confidence"]).mean()
        print(f"| {name} | {len(rows)} | {error.sum()} | {cells[0]} | {cells[1]} | {ahead:.0%} |", flush=True)


if __name__ == "__main__":
    main()
