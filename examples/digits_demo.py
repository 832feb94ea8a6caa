"""Train on 100 noisy labels of handwritten digits: 10 labels per digit, 30 % of them wrong, all others missing.

    python examples/digits_demo.py [FOLDER]

The digits come with scikit-learn. The labels are drawn ten times. Each time, the script trains scikit-learn's
LabelSpreading and goldvein, compares both on the official test digits, and counts how many of the wrong labels are
found. It writes FOLDER/issues.csv and FOLDER/predictions.csv of the first draw. FOLDER is ``demo`` by default.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from sklearn.semi_supervised import LabelSpreading

from goldvein import NoisyLabelClassifier
from goldvein.data import standard
from goldvein.noise import synthetic as noise

DRAWS = 10
SECONDS = 0.5  # a draw; without the limit, two forests are trained, too


def main(folder: Path) -> None:
    digits = standard.load_dataset("digits")
    x, x_test = (images.reshape(len(images), -1).astype(np.float32) for images in (digits.x, digits.x_test))
    folder.mkdir(exist_ok=True)
    accuracy: dict[str, list[float]] = {"LabelSpreading": [], "goldvein": []}
    n_listed = n_found = n_wrong = 0
    start = time.perf_counter()
    for draw in range(DRAWS):
        few = noise.keep_labels(digits.y, per_class=10, random_state=draw)
        y = noise.corrupt(few, noise.transition("symmetric", 10, 0.3), random_state=draw, how="exact")
        given = np.flatnonzero(y >= 0)
        wrong = given[y[given] != digits.y[given]]
        peer = LabelSpreading(kernel="knn", n_neighbors=10, alpha=0.9, max_iter=100).fit(x, y)
        model = NoisyLabelClassifier(time_limit=SECONDS, random_state=0).fit(x, y)
        for name, fitted in (("LabelSpreading", peer), ("goldvein", model)):
            accuracy[name].append(fitted.score(x_test, digits.y_test))
        issues = model.label_issues()
        listed = issues[issues.is_issue].id
        n_listed, n_found, n_wrong = (
            n_listed + len(listed),
            n_found + np.isin(wrong, listed).sum(),
            n_wrong + len(wrong),
        )
        if draw == 0:
            print(
                f"{len(y)} digits, {len(given)} with a label, {len(wrong)} of those wrong; {DRAWS} draws of the labels"
            )
            print(model.choice_)
            issues.to_csv(folder / "issues.csv", index=False)
            np.savetxt(folder / "predictions.csv", model.predict(x), fmt="%d", header="predicted", comments="")
    for name, values in accuracy.items():
        print(f"{name:14} test accuracy {np.mean(values):.1%} ({np.min(values):.1%} to {np.max(values):.1%})")
    print(f"{n_listed} labels are listed as wrong; {n_found} of the {n_wrong} wrong labels are among them")
    print(f"{time.perf_counter() - start:.0f} s; written: {folder / 'issues.csv'}, {folder / 'predictions.csv'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
