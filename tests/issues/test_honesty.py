"""What the labels cannot tell is said, and counted."""

from __future__ import annotations

import numpy as np
import pytest

from goldvein.issues import audit
from goldvein.issues.honesty import LabelAgreement, measure_agreement, still_learning, weakness


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
    agreement = found.label_agreement
    assert agreement is not None
    assert agreement.unseen == pytest.approx((probs.argmax(1) == y).mean())
    assert (agreement.n_unseen, agreement.trusted, agreement.n_trusted) == (1500, None, 0)


def test_agreement_by_hand() -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    probs = np.eye(2)[[0, 0, 1, 1, 0, 0]]
    unseen, trusted = np.arange(6) < 4, np.arange(6) >= 3
    # unseen: 0 0 0 1, of which the third is missed; trusted: 1 1 1, of which one is found
    assert measure_agreement(y, probs, unseen, trusted) == LabelAgreement(0.75, 4, 0.75, pytest.approx(1 / 3), 3)


@pytest.mark.parametrize(
    ("found", "n_classes", "hard", "sentence"),
    [
        (LabelAgreement(0.9, 100, 0.5, 0.69, 20), 2, 0.0, "69 % of your trusted labels right"),
        (LabelAgreement(0.9, 100, 0.5, 0.69, 19), 2, 0.0, ""),  # too few trusted labels to decide
        (LabelAgreement(0.9, 100, 0.5, 0.7, 20), 2, 0.0, ""),
        (LabelAgreement(0.59, 100, 0.5, None, 0), 2, 0.0, "agrees with 59 %"),  # 0.6 is two standard errors above
        (LabelAgreement(0.61, 100, 0.5, None, 0), 2, 0.0, ""),
        (LabelAgreement(1.0, 100, 1.0, None, 0), 1, 0.0, ""),
        (LabelAgreement(0.61, 100, 0.5, None, 0), 2, 0.45, "cannot place 45 % of the rows"),
    ],
)
def test_what_makes_a_model_too_weak(found: LabelAgreement, n_classes: int, hard: float, sentence: str) -> None:
    told = weakness(found, n_classes, hard)
    assert sentence in told
    assert bool(told) == bool(sentence)


@pytest.mark.parametrize(
    ("curve", "n", "told"),
    [
        ([0.3] * 4 + [0.5, 0.5, 0.53, 0.53], 10_000, True),
        ([0.3] * 4 + [0.5, 0.5, 0.53, 0.53], 100, False),  # 3 points are within chance
        ([0.3] * 4 + [0.5, 0.5, 0.51, 0.51], 10**9, False),  # less than 2 points
        ([0.3, 0.9], 10_000, False),  # too few epochs to tell
        ([float("nan")] * 8, 0, False),
        ([float("nan")] * 8, 10_000, False),
    ],
)
def test_a_network_that_still_learns(curve: list[float], n: int, told: bool) -> None:
    assert bool(still_learning(curve, n)) == told
