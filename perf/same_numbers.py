"""Digests of a short training of every method, to see whether a change of the code moves a number.

    python perf/same_numbers.py before.json     # at the old commit
    python perf/same_numbers.py after.json      # at the new commit
    python perf/same_numbers.py before.json after.json

Each method trains for three epochs on 600 digits with 300 labels, of which a fifth are wrong and some are trusted.
The comparison is bit by bit: the weights of the network that predicts, its probabilities, and the numbers in the
issue table (its sentences may change). Both files must come from one machine, because processors round differently.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np

# method, options of the classifier, parameters of the method
MORE: list[tuple[str, dict, dict]] = [
    ("cross_entropy", {"model": "resnet14"}, {}),
    ("umn", {"model": "resnet14", "epochs": 2}, {}),
    ("umn", {}, {"labeled": "marginal", "metric": "dlog"}),
    ("m_vae", {}, {"noise_rate": 0.3}),
    ("two_stage", {}, {"folds": 0, "rounds": 2}),
    ("two_stage_clean", {}, {"separate": True, "finetune_epochs": 2}),
    ("mentor_net", {}, {"curriculum": "learned", "percentile": 0.5}),
    ("mentor_net", {}, {"curriculum": "self_paced"}),
    ("adaptation_layer", {}, {"complex": True}),
    ("mean_teacher", {}, {"optimizer": "adam"}),
    ("temporal_ensembling", {}, {"optimizer": "adam"}),
    ("joint_optimization", {}, {"unlabeled": True, "optimizer": "sgd"}),
    ("learning_to_reweight", {}, {"optimizer": "sgd"}),
    ("pi_model", {"schedule": "cosine", "keep": "last"}, {"ramp": 0.5}),
    ("pseudo_label", {}, {"sizes": (8, 32)}),
    ("cross_entropy", {"precision": "bfloat16", "model": "conv13", "epochs": 1}, {}),
]


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 600 images (N, 1, 12, 12), noisy and missing labels, and which of them are trusted."""
    from sklearn.datasets import load_digits

    images, y = load_digits(return_X_y=True)
    x = np.pad((images[:600] * 15).astype(np.uint8).reshape(-1, 1, 8, 8), ((0, 0), (0, 0), (2, 2), (2, 2)))
    y_true = y[:600].astype(np.int64)
    rng = np.random.default_rng(0)
    y, trusted = y_true.copy(), np.zeros(600, dtype=bool)
    for k in range(10):
        trusted[np.flatnonzero(y_true == k)[:5]] = True
    wrong = rng.permutation(np.flatnonzero(~trusted))[:110]
    y[wrong] = (y[wrong] + rng.integers(1, 10, len(wrong))) % 10
    y[rng.permutation(np.flatnonzero(~trusted))[:300]] = -1
    return x, y, trusted


def digest(*arrays: np.ndarray) -> str:
    """Return a short hexadecimal digest of arrays."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def train(name: str, options: dict, params: dict) -> dict[str, str]:
    """Return the digests of one training."""
    from goldvein import NoisyLabelClassifier

    model = NoisyLabelClassifier(name, random_state=0, **{"epochs": 3, "device": "cpu", **options})
    if params:
        model.set_params(method=type(model_of(name))(**params))
    x, y, trusted = digits()
    model.fit(x, y, trusted=trusted)
    table = model.label_issues()
    numbers = [table[column].to_numpy(dtype=float) for column in table.select_dtypes(["number", "bool"])]
    state = model.net_.state_dict()
    return {
        "weights": digest(*(state[key].detach().float().numpy() for key in sorted(state))),
        "probs": digest(model.predict_proba(x)),
        "issues": digest(*numbers, table["suggested_label"].to_numpy(dtype=float)),
        "kinds": digest(np.array([str(kind) for kind in table["kind"]])),
        "noise": digest(model.transition_, np.float64(model.noise_rate_), np.array(model.audit().n_wrong_interval)),
    }


def model_of(name: str) -> object:
    """Return a method with default parameters."""
    import importlib

    module = importlib.import_module(f"goldvein.methods.{name}")
    return getattr(module, next(key for key in vars(module) if key.lower() == name.replace("_", "")))()


def names() -> list[str]:
    """Return the names of all methods."""
    import goldvein.methods

    return sorted(path.stem for path in Path(goldvein.methods.__path__[0]).glob("[a-z]*.py"))


def record(path: Path) -> None:
    """Train all methods and write the digests."""
    warnings.simplefilter("ignore")
    found = {}
    for name, options, params in [*((name, {}, {}) for name in names()), *MORE]:
        key = " ".join([name, *(f"{k}={v}" for k, v in {**options, **params}.items())])
        found[key] = train(name, options, params)
        print(key, *found[key].values(), flush=True)
    path.write_text(json.dumps(found, indent=1))


def compare(before: Path, after: Path) -> int:
    """Print what differs, and return 1 if anything does."""
    old, new = json.loads(before.read_text()), json.loads(after.read_text())
    changed = [
        f"{key}: {', '.join(k for k in old[key] if old[key][k] != new.get(key, {}).get(k))}"
        for key in old
        if old[key] != new.get(key)
    ]
    print("\n".join(changed) or f"the same numbers in {len(old)} trainings")
    return bool(changed)


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]]
    sys.exit(record(paths[0]) if len(paths) == 1 else compare(*paths))
