"""What a person's review is worth: train, decide on the labels that the planner puts first, train again.

    OMP_NUM_THREADS=1 GOLDVEIN_DATA=... python perf/review_gain.py --seeds 0 1 2

5,000 MNIST images with labels of which 30 % are wrong (symmetric), the perceptron of Patrini et al. 2017, plain
training and two stages. The person is the true labels. Reviewed are 250, 500 and 1,000 labels, in the order of
``goldvein review`` or drawn at random; decided labels are trusted in the next training. One line of JSON a training:
accuracy before and after, how many labels are still wrong, how many the new run expects, how well it lists them.
"""

from __future__ import annotations

import argparse
import itertools
import json
from typing import Any

import numpy as np
import torch

from goldvein import NoisyLabelClassifier
from goldvein.data import standard
from goldvein.data.dataset import Dataset
from goldvein.noise import synthetic as noise
from goldvein.review.planner import plan

ROWS, RATE, BUDGETS = 5000, 0.3, (250, 500, 1000)
NET: dict[str, Any] = {"model": "mlp", "optimizer": "adam", "lr": 0.001, "epochs": 20, "augment": "none"}


def train(method: str, seed: int, data: Dataset, x: Any, y: np.ndarray, **beside: Any) -> tuple[Any, float]:
    model = NoisyLabelClassifier(method, random_state=seed, **NET).fit(x, y, **beside)
    return model, float((model.predict(data.x_test) == data.y_test).mean())


def left(model: NoisyLabelClassifier, wrong: np.ndarray) -> dict[str, Any]:
    """What the list of the new run says of the labels that are still wrong."""
    found = model.audit()
    listed = np.zeros(len(wrong), dtype=bool)
    listed[found.table["id"][found.table["is_issue"]]] = True
    f1 = 2 * int((listed & wrong).sum()) / max(1, int(listed.sum() + wrong.sum()))
    interval = [round(end) for end in found.n_wrong_interval]
    return {"left": int(wrong.sum()), "expected": round(found.n_wrong), "interval": interval, "f1": round(f1, 3)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    data = standard.load("mnist")
    for seed, method in itertools.product(seeds, ("cross_entropy", "two_stage")):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(data.y))[:ROWS]
        x, true = data.x[rows], data.y[rows]
        given = noise.corrupt(true, noise.transition("symmetric", 10, RATE), seed)
        model, before = train(method, seed, data, x, given)
        orders = {
            "planned": plan(model.label_issues(), max(BUDGETS))["id"].to_numpy(),
            "at random": rng.permutation(ROWS),
        }
        for budget, (order, ids) in itertools.product(BUDGETS, orders.items()):
            reviewed = np.isin(np.arange(ROWS), ids[:budget])
            y = np.where(reviewed, true, given)
            again, after = train(method, seed, data, x, y, trusted=reviewed, y_before=given)
            line = {"seed": seed, "method": method, "order": order, "reviewed": budget}
            wrong = int((reviewed & (given != true)).sum())
            line |= {"wrong": wrong, "before": before, "after": after, **left(again, y != true)}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
