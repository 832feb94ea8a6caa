"""Train on 100 noisy labels of handwritten digits: 10 labels per digit, 30 % of them wrong, all others missing.

    python examples/digits_demo.py [FOLDER]

The digits come with scikit-learn. The script trains on the labels as given and then in two stages, compares both on
the official test digits, and counts how many of the wrong labels are found. It writes FOLDER/issues.csv and
FOLDER/predictions.csv. FOLDER is ``demo`` by default.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from goldvein import NoisyLabelClassifier
from goldvein.data import standard
from goldvein.noise import synthetic as noise


def main(folder: Path) -> None:
    digits = standard.load_dataset("digits")
    y_true = digits.y
    few = noise.keep_labels(y_true, per_class=10, random_state=0)
    y = noise.corrupt(few, noise.transition("symmetric", 10, 0.3), random_state=0, how="exact")
    given = np.flatnonzero(y >= 0)
    wrong = y[given] != y_true[given]
    print(f"{len(y)} digits, {len(given)} with a label, {wrong.sum()} of those wrong")
    for method in ("cross_entropy", "two_stage"):
        start = time.perf_counter()
        model = NoisyLabelClassifier(method, random_state=0).fit(digits.x, y)
        accuracy = model.score(digits.x_test, digits.y_test)
        print(f"{method:14} test accuracy {accuracy:.1%}  ({time.perf_counter() - start:.0f} s)")
    issues = model.label_issues()
    flagged = issues[issues.is_issue].id.to_numpy()
    found = np.isin(given[wrong], flagged).sum()
    print(f"{len(flagged)} labels are listed as wrong; {found} of the {wrong.sum()} wrong labels are among them")
    folder.mkdir(exist_ok=True)
    issues.to_csv(folder / "issues.csv", index=False)
    np.savetxt(folder / "predictions.csv", model.predict(digits.x), fmt="%d", header="predicted", comments="")
    print(f"written: {folder / 'issues.csv'}, {folder / 'predictions.csv'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
