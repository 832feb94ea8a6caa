"""What a review is worth: train, decide on the labels that are most suspicious, and train again.

    OMP_NUM_THREADS=1 GOLDVEIN_DATA=... python perf/review_gain.py --seeds 0 1 2

The data are 5,000 MNIST images with 30 % wrong labels (symmetric). The perceptron of Patrini et al. 2017 trains
plainly and in two stages. The true labels play the reviewer. 250, 500 or 1,000 labels are reviewed, in the order of
``goldvein review`` or in random order. Reviewed labels are trusted in the next training. The script prints one line
of JSON per training: the accuracy before and after, the number of labels that are still wrong, the number that the
new run expects, and F1 of its list.
"""

from __future__ import annotations

import argparse
import itertools
import json
from typing import Any

import numpy as np
import torch

from goldvein import NoisyLabelClassifier
from goldvein.bench.code_version import find_code_version
from goldvein.data import standard
from goldvein.data.dataset import Dataset
from goldvein.noise import synthetic as noise

ROWS, RATE, BUDGETS = 5000, 0.3, (250, 500, 1000)
NET: dict[str, Any] = {"model": "mlp", "optimizer": "adam", "lr": 0.001, "epochs": 20, "augment": "none"}


def train(method: str, seed: int, data: Dataset, x: Any, y: np.ndarray, **reviewed: Any) -> tuple[Any, float]:
    """Return the model and its test accuracy."""
    model = NoisyLabelClassifier(method, random_state=seed, **NET).fit(x, y, **reviewed)
    return model, float((model.predict(data.x_test) == data.y_test).mean())


def judge_list(model: NoisyLabelClassifier, wrong: np.ndarray) -> dict[str, Any]:
    """Compare the list of the new run with the labels that are still wrong."""
    found = model.audit()
    listed = np.zeros(len(wrong), dtype=bool)
    listed[found.table["id"][found.table["is_issue"]]] = True
    f1 = 2 * int((listed & wrong).sum()) / max(1, int(listed.sum() + wrong.sum()))
    interval = [round(end) for end in found.n_wrong_interval]
    return {"left": int(wrong.sum()), "expected": round(found.n_wrong), "interval": interval, "f1": round(f1, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="random seeds")
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    code = find_code_version()  # now, since files may be edited during the runs
    data = standard.load_dataset("mnist")
    for seed, method in itertools.product(seeds, ("cross_entropy", "two_stage")):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(data.y))[:ROWS]
        x, true = data.x[rows], data.y[rows]
        given = noise.corrupt(true, noise.transition("symmetric", 10, RATE), seed)
        model, before = train(method, seed, data, x, given)
        orders = {
            "worst first": model.label_issues()["id"].to_numpy(),
            "at random": rng.permutation(ROWS),
        }
        for budget, (order, ids) in itertools.product(BUDGETS, orders.items()):
            reviewed = np.isin(np.arange(ROWS), ids[:budget])
            y = np.where(reviewed, true, given)
            again, after = train(method, seed, data, x, y, trusted=reviewed, y_before=given)
            line = {"seed": seed, "method": method, "order": order, "reviewed": budget}
            wrong = int((reviewed & (given != true)).sum())
            line |= {"wrong": wrong, "before": before, "after": after, **judge_list(again, y != true)}
            print(json.dumps({**line, "code": code}), flush=True)


if __name__ == "__main__":
    main()
