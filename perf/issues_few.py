"""Wrong labels among a few hundred labels: how much 20 to 99 held-out labels help.

    OMP_NUM_THREADS=1 python perf/issues_few.py --seeds 200 201 202 203 204 205 206 207 208 209 210 211

The classes are synthetic: normal distributions around 2 to 4 centers, with 5 to 80 features and 0 to 30 % wrong
labels. Each run is judged twice: with its held-out labels, and as if no label had been held out. The script prints
one line of JSON per run, then a summary.

Two settings of ``goldvein.noise.model`` were chosen on five data sets of this kind with seeds 1 to 5: 20 held-out
labels are enough, and each knot needs 10 of them. The results for seeds 100 to 111 were already known then.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
import torch

from goldvein import NoisyLabelClassifier
from goldvein.bench.code_version import find_code_version
from goldvein.issues.evidence import Evidence

METHODS = ("cross_entropy", "joint_optimization", "mean_teacher")
SIZES = (250, 1000)  # rows


def make_data(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs, given labels and true labels."""
    rng = np.random.default_rng(seed)
    n_classes, n, n_features = (int(rng.integers(*ends)) for ends in ((2, 5), SIZES, (5, 80)))
    spread, rate = rng.uniform(0.4, 1.2), rng.choice([0, 0.05, 0.1, 0.2, 0.3])
    true = rng.integers(0, n_classes, n)
    x = (rng.normal(0, 1, (n_classes, n_features)) * spread)[true] + rng.normal(0, 1, (n, n_features))
    wrong = rng.random(n) < rate
    shift = rng.integers(1, n_classes, n)
    return x.astype(np.float32), np.where(wrong, (true + shift) % n_classes, true), true


def judge(evidence: Evidence, classes: np.ndarray, wrong: np.ndarray) -> dict[str, Any]:
    """Return how many wrong labels are listed, and whether the interval contains their number."""
    audit = evidence.audit(classes)
    listed = np.zeros(len(wrong), dtype=bool)
    listed[audit.table["id"][audit.table["is_issue"]]] = True
    low, high = audit.n_wrong_interval
    return {
        "listed": int(listed.sum()),
        "hits": int((listed & wrong).sum()),
        "n_wrong": [round(low), round(audit.n_wrong), round(high)],
        "inside": bool(low <= wrong.sum() <= high),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[200, 201], help="one data set per seed")
    torch.set_num_threads(1)
    code = find_code_version()  # now, since files may be edited during the runs
    lines = []
    for seed in parser.parse_args().seeds:
        x, y, true = make_data(seed)
        for method in METHODS:
            model = NoisyLabelClassifier(method, random_state=seed).fit(x, y)
            evidence, wrong = model.evidence_, y != true
            assert evidence is not None
            if not 20 <= evidence.held_out.sum() < 100:
                continue
            blind = replace(evidence, held_out=np.zeros_like(evidence.held_out))
            line = {"seed": seed, "method": method, "n": len(y), "held_out": int(evidence.held_out.sum())}
            line |= {"true_n_wrong": int(wrong.sum()), "ours": judge(evidence, model.classes_, wrong)}
            lines.append(line | {"blind": judge(blind, model.classes_, wrong)})
            print(json.dumps({**lines[-1], "code": code}), flush=True)
    for name in ("ours", "blind"):
        inside = sum(line[name]["inside"] for line in lines)
        totals = [line["true_n_wrong"] + line[name]["listed"] for line in lines]
        f1 = fmean(2 * line[name]["hits"] / n if n else 1.0 for line, n in zip(lines, totals, strict=True))
        print(f"{name}: mean F1 {f1:.2f}, the interval is right in {inside} of {len(lines)} runs")


if __name__ == "__main__":
    main()
