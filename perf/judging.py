"""The judgment of labels on made data of designed groups, beside cleanlab on the same probabilities.

    OMP_NUM_THREADS=1 python perf/judging.py --seeds 100 101 102 --results judging.jsonl
    python perf/judging.py --table judging.jsonl

Classes are Gaussian in 5 to 20 dimensions, with one or two components, and so far apart that the best possible
classifier has a given accuracy. The probabilities are those of five folds of logistic regression, trained on the given
labels. The script prints one line of JSON per run; with ``--table``, a table of such lines. The scores of cleanlab are
added if it is installed.

The rules of ``goldvein.noise`` were made on seeds 0 to 19. Which later seeds had been seen: docs/results/judging.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from goldvein.bench.code_version import find_code_version
from goldvein.issues import audit
from goldvein.metrics import calibration_error
from goldvein.noise import synthetic as noise

SEPARATED, OVERLAPPING = (0.95, 0.99), (0.6, 0.7)  # accuracy of the best possible classifier
NAMES = {
    "separated, symmetric .2": (SEPARATED, "symmetric", 0.2, (5000, 1000)),
    "separated, pair .2": (SEPARATED, "pair", 0.2, (5000, 1000)),
    "separated, no noise": (SEPARATED, "none", 0.0, (2000,)),
    "separated, boundary .15": (SEPARATED, "boundary", 0.15, (2000,)),
    "overlapping, symmetric .2": (OVERLAPPING, "symmetric", 0.2, (5000, 1000)),
    "overlapping, no noise": (OVERLAPPING, "none", 0.0, (5000, 1000)),
    "two components, symmetric .2": ((0.84, 0.93), "symmetric", 0.2, (2000,)),
    "100:1 imbalance, symmetric .1": ((0.97, 0.99), "symmetric", 0.1, (5000,)),
}
GROUPS = [(name, n) for name, (*_, sizes) in NAMES.items() for n in sizes]
NEAR = 0.3  # share of the rows nearest to a boundary whose labels are drawn from the two likeliest classes


def posterior(x: np.ndarray, centers: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return p(class | x) (n, K) for centers (K, components, d) and a prior (K,)."""
    k, components, _ = centers.shape
    log = np.stack(
        [[-0.5 * ((x - centers[i, c]) ** 2).sum(1) for c in range(components)] for i in range(k)]
    )  # (K, components, n)
    joint = logsumexp(log, axis=1).T + np.log(prior)
    return np.asarray(np.exp(joint - logsumexp(joint, axis=1, keepdims=True)))


def draw(rng: np.random.Generator, centers: np.ndarray, prior: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (n, d) and classes (n,)."""
    k, components, d = centers.shape
    true = rng.choice(k, n, p=prior)
    return centers[true, rng.integers(0, components, n)] + rng.normal(size=(n, d)), true


def make(name: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return inputs (n, d), given and true labels (n,), and the number of classes."""
    (least, most), kind, rate, _ = NAMES[name]
    rng = np.random.default_rng([seed, GROUPS.index((name, n))])
    k = int(rng.choice([3, 4, 5, 6, 8, 10] if least < SEPARATED[0] - 0.2 else [3, 4, 5, 6, 8, 10, 15, 20]))
    prior = np.full(k, 1 / k)
    if name.startswith("100:1"):
        k = int(rng.choice([3, 5, 10]))
        prior = 100 ** (-np.arange(k) / (k - 1))
        prior /= prior.sum()
    components = 2 if name.startswith("two") else 1
    directions = rng.normal(size=(k, components, int(rng.integers(5, 21))))
    target, low, high = rng.uniform(least, most), 0.02, 20.0
    for _ in range(22):  # how far apart the classes are
        scale = np.sqrt(low * high)
        x, true = draw(np.random.default_rng(seed), scale * directions, prior, 10_000)
        accuracy = (posterior(x, scale * directions, prior).argmax(1) == true).mean()
        low, high = (scale, high) if accuracy < target else (low, scale)
    x, true = draw(rng, scale * directions, prior, n)
    if kind == "boundary":
        p = posterior(x, scale * directions, prior)
        order = p.argsort(1)
        second = np.where(order[:, -1] == true, order[:, -2], order[:, -1])
        ranked = np.sort(np.log(np.maximum(p, 1e-300)), axis=1)
        margin = ranked[:, -1] - ranked[:, -2]
        near = margin.argsort().argsort() < NEAR * n
        return x, np.where(near & (rng.random(n) < 0.5), second, true), true, k
    T = np.eye(k) if kind == "none" else noise.transition(kind, k, rate)
    return x, noise.corrupt(true, T, seed), true, k


def fold_probs(x: np.ndarray, y: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return the probabilities (n, K) of five folds of logistic regression."""
    probs = np.zeros((len(y), k))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(x, y):
        model = LogisticRegression(max_iter=500).fit(x[train], y[train])
        probs[np.ix_(test, model.classes_)] = model.predict_proba(x[test])
    return probs


def f1(wrong: np.ndarray, found: np.ndarray) -> float:
    return float(2 * (wrong & found).sum() / max(1, wrong.sum() + found.sum()))


def measure(name: str, n: int, seed: int) -> dict[str, Any]:
    """Return one line of results."""
    x, y, true, k = make(name, n, seed)
    probs, wrong = fold_probs(x, y, k, seed), y != true
    found = audit(y, np.arange(k), probs)
    table = found.table.sort_values("id")
    p_wrong, listed = table["p_wrong"].to_numpy(), table["is_issue"].to_numpy()
    sure = audit(y, np.arange(k), probs, precision=0.8).table.sort_values("id")["is_issue"].to_numpy()
    low, high = found.n_wrong_interval
    line: dict[str, Any] = {
        "group": name,
        "n": n,
        "seed": seed,
        "n_classes": k,
        "accuracy": float((probs.argmax(1) == true).mean()),
        "n_wrong": int(wrong.sum()),
        "estimate": found.n_wrong,
        "interval": [low, high],
        "inside": bool(low <= wrong.sum() <= high),
        "kind": found.noise_kind,
        "cannot_tell": any("cannot tell" in message for message in found.ambiguous),
        "ece": calibration_error(p_wrong, wrong),
        "n_listed": int(listed.sum()),
        "n_listed_8": int(sure.sum()),
        "n_right_8": int((sure & wrong).sum()),
        "code": find_code_version(),
    }
    if wrong.any():
        line |= {"auroc": float(roc_auc_score(wrong, p_wrong)), "f1": f1(wrong, listed)}
    if importlib.util.find_spec("cleanlab"):
        line |= _peer(y, probs, wrong)
    return line


def _peer(y: np.ndarray, probs: np.ndarray, wrong: np.ndarray) -> dict[str, Any]:
    """Return the best score and the default list of cleanlab."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    listed = find_label_issues(y, probs, n_jobs=1)
    line: dict[str, Any] = {"peer_listed": int(listed.sum())}
    if wrong.any():
        ways = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
        scores = [roc_auc_score(wrong, -get_label_quality_scores(y, probs, method=way)) for way in ways]
        line |= {"peer_auroc": float(max(scores)), "peer_f1": f1(wrong, listed)}
    return line


def print_table(path: Path) -> None:
    """Print the table of the lines in a file."""
    lines = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    print(
        "| group | n | runs | accuracy | interval holds | cannot tell | estimate / truth | ECE, median (largest) | "
        "listed | precision of list .8 | AUROC / cleanlab | F1 / cleanlab |"
    )
    print("| --- " * 12 + "|")
    for name, n in GROUPS:
        runs = [line for line in lines if (line["group"], line["n"]) == (name, n)]
        if not runs:
            continue

        def mean(key: str, runs: list[dict[str, Any]] = runs) -> str:
            return f"{np.mean([run[key] for run in runs]):.3f}" if all(key in run for run in runs) else ""

        total = {key: sum(run[key] for run in runs) for key in ("n_wrong", "estimate", "n_listed_8", "n_right_8")}
        ratio = f"{total['estimate'] / total['n_wrong']:.2f}" if total["n_wrong"] else f"{total['estimate']:.0f} of 0"
        precision = f"{total['n_right_8'] / total['n_listed_8']:.2f}" if total["n_listed_8"] else "none listed"
        ece = [run["ece"] for run in runs]
        listed = sum(run["n_listed"] for run in runs) / sum(run["n"] for run in runs)
        print(
            f"| {name} | {n:,} | {len(runs)} | {mean('accuracy')} | {sum(run['inside'] for run in runs)} | "
            f"{sum(run['cannot_tell'] for run in runs)} | {ratio} | {np.median(ece):.3f} ({max(ece):.3f}) | "
            f"{100 * listed:.2f} % | {precision} | {mean('auroc')} / {mean('peer_auroc')} | {mean('f1')} / "
            f"{mean('peer_f1')} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100], help="random seeds, one run of each group each")
    parser.add_argument("--results", type=Path, help="file that lines are added to; runs in it are not run again")
    parser.add_argument("--table", type=Path, help="print the table of a file of results")
    options = parser.parse_args()
    if options.table:
        print_table(options.table)
        return
    warnings.simplefilter("ignore")
    old = (
        options.results.read_text(encoding="utf-8").splitlines() if options.results and options.results.exists() else []
    )
    done = {(line["group"], line["n"], line["seed"]) for line in map(json.loads, old)}
    for seed in options.seeds:
        for name, n in GROUPS:
            if (name, n, seed) in done:
                continue
            text = json.dumps(measure(name, n, seed))
            print(text, flush=True)
            if options.results:
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")


if __name__ == "__main__":
    main()
