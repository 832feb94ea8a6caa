"""A list of wrong labels from a million rows of class probabilities, beside cleanlab where it can be imported.

    OMP_NUM_THREADS=1 python perf/issues_scale.py [--rows 1000000] [--classes 100] [--turns 3]

1,000,000 x 100 float32 (400 MB), a tenth of the labels wrong, one thread. The probabilities are made up twice: of the
true class (``clean``), and with the noise in them as a network trained on the labels has it (``noisy``). Each
measurement is a process of its own; the contestants take turns, printed are the medians of the seconds, the processor
seconds (which a busy machine stretches less) and the peak of the memory above what the inputs take. F1 is of the list
as it is.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import threading
import time

import numpy as np

CONTESTANTS = ("goldvein", "cleanlab default", "cleanlab counts")
RATE = 0.1


def make(kind: str, n: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (n, k) float32, given labels, true labels."""
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, k, n)
    y = np.where(rng.random(n) < RATE, (y_true + rng.integers(1, k, n)) % k, y_true)
    probs = np.empty((n, k), dtype=np.float32)
    for start in range(0, n, 8192):
        part = slice(start, min(start + 8192, n))
        logits = 1.5 * rng.standard_normal((part.stop - part.start, k), dtype=np.float32)
        logits[np.arange(len(logits)), y_true[part]] += 8
        p = np.exp(logits)
        p /= p.sum(1, keepdims=True)
        probs[part] = p if kind == "clean" else (1 - RATE * k / (k - 1)) * p + RATE / (k - 1)
    return probs, y, y_true


def listed(contestant: str, probs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Numbers of the rows that a contestant lists."""
    if contestant == "goldvein":
        from goldvein import find_label_issues

        table = find_label_issues(y, probs=probs)
        return table["id"].to_numpy()[table["is_issue"].to_numpy()]
    from cleanlab.filter import find_label_issues as find

    rule = "prune_by_noise_rate" if contestant == "cleanlab default" else "confident_learning"
    return np.flatnonzero(find(y, probs, filter_by=rule, n_jobs=1))


def resident() -> float:
    """Memory of this process in MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(contestant: str, kind: str, n: int, k: int) -> dict[str, float]:
    probs, y, y_true = make(kind, n, k)
    listed(contestant, probs[: 50 * k], y[: 50 * k])  # imports and first calls
    peak, done = [resident()], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak.append(resident())

    start, watcher = peak[0], threading.Thread(target=watch)
    watcher.start()
    wall, cpu = time.perf_counter(), time.thread_time()
    found = listed(contestant, probs, y)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    done.set()
    watcher.join()
    wrong = y != y_true
    f1 = 2 * wrong[found].sum() / (len(found) + wrong.sum())
    return {"seconds": wall, "cpu": cpu, "extra_mb": max(peak) - start, "f1": float(f1)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--one", nargs=2, help="one measurement, as JSON: contestant and kind")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one, options.rows, options.classes)))
        return
    size = ["--rows", str(options.rows), "--classes", str(options.classes)]
    names = CONTESTANTS if importlib.util.find_spec("cleanlab") else CONTESTANTS[:1]
    for kind in ("clean", "noisy"):
        results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for _ in range(options.turns):
            for name in names:
                command = [sys.executable, __file__, *size, "--one", name, kind]
                results[name].append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
        for name, found in results.items():
            middle = {key: statistics.median(one[key] for one in found) for key in found[0]}
            print(
                f"{kind:6} {name:17} {middle['seconds']:6.2f} s  {middle['cpu']:6.2f} s of processor  "
                f"{middle['extra_mb']:6.0f} MB  F1 {middle['f1']:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
