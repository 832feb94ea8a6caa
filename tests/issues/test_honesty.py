"""What the labels cannot tell is said, and counted."""

from __future__ import annotations

import numpy as np

from goldvein.issues import audit


def softmax(z: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(z) / np.exp(z).sum(1, keepdims=True))


def drawn(spread: float, seed: int = 0, n: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Right labels, drawn from the probabilities themselves."""
    rng = np.random.default_rng(seed)
    probs = softmax(spread * rng.normal(size=(n, 3)))
    return (probs.cumsum(1) > rng.random((n, 1))).argmax(1), probs


def test_right_labels_of_a_hard_task_are_not_wrong_labels() -> None:
    for spread in (0.3, 1.0, 2.0):
        y, probs = drawn(spread)
        found = audit(y, np.arange(3), probs)
        assert found.n_wrong_interval[0] == 0
        assert found.table["is_issue"].mean() < 0.01
        assert "cannot tell" in found.ambiguous[0]


def test_a_model_no_better_than_chance_judges_nothing() -> None:
    y, probs = drawn(0.0)
    found = audit(y, np.arange(3), probs)
    assert found.too_weak
    assert not found.table["is_issue"].any()
    assert "use pretrained features or more labels" in found.ambiguous[0]


def test_trusted_labels_that_the_model_gets_wrong_are_told_first() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 900)
    seen = np.where(rng.random(900) < 0.25, (y + 1) % 3, y)  # what the model takes the rows for
    probs = 0.9 * np.eye(3)[seen] + 0.1 / 3
    trusted = np.arange(900) < 60
    seen[:60] = (y[:60] + (np.arange(60) % 2 == 0)) % 3  # half of the trusted ones
    probs[:60] = 0.9 * np.eye(3)[seen[:60]] + 0.1 / 3
    found = audit(y, np.arange(3), probs, trusted=trusted)
    assert found.ambiguous[0].startswith("this model gets 50 % of your trusted labels right: ")
    assert found.too_weak
    assert not found.table["is_issue"].any()


def test_a_good_model_is_not_doubted() -> None:
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 3, 1500)
    probs = softmax(6 * np.eye(3)[y_true] + rng.normal(size=(1500, 3)))
    y = np.where(rng.random(1500) < 0.1, (y_true + rng.integers(1, 3, 1500)) % 3, y_true)
    found = audit(y, np.arange(3), probs)
    assert found.ambiguous == ()
    assert found.noise_kind == "symmetric"
    assert not found.too_weak
