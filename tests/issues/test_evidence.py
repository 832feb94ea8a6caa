"""What a run leaves behind: arrays of the fitted rows alone, and one judgment of them."""

from dataclasses import replace

import numpy as np
import pytest

from goldvein import NoisyLabelClassifier


@pytest.fixture(scope="module")
def evidence():
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(0, 1, (100, 2)), rng.normal(6, 1, (100, 2))].astype(np.float32)
    y = np.repeat([0, 1], 100)
    y[:10] = 1
    held_out = X[::20] + 0.1, y[::20]
    model = NoisyLabelClassifier("cross_entropy", epochs=15, lr=0.01, random_state=0)
    return model.fit(X, y, X_val=held_out[0], y_val=held_out[1]).evidence_


def test_it_speaks_of_the_fitted_rows_and_not_of_a_validation_set_beside_them(evidence):
    assert evidence.probs.shape == (200, 2)
    parts = (evidence.y, evidence.trained_on, evidence.agreement, evidence.held_out, evidence.duplicate)
    assert [len(part) for part in parts] == [200] * 5
    assert evidence.held_out.sum() == 20
    assert evidence.agreement.min() >= 0
    assert evidence.agreement.max() <= 1


def test_wrong_labels_are_counted_with_a_validation_set_beside_them():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 1600)
    X = (np.eye(4, 12)[true] * 2 + rng.normal(0, 1, (1600, 12))).astype(np.float32)
    y = np.where(rng.random(1600) < 0.3, rng.integers(0, 4, 1600), true)  # 22.5 % are wrong
    model = NoisyLabelClassifier("cross_entropy", epochs=60, random_state=0, keep="last")
    audit = model.fit(X[:1300], y[:1300], X_val=X[1300:], y_val=y[1300:]).audit()
    low, high = audit.n_wrong_interval
    assert low <= (y != true)[:1300].sum() <= high


@pytest.mark.parametrize(
    ("options", "n_messages"), [({"validation_fraction": 0}, 1), ({"validation_fraction": 0.3}, 0)]
)
def test_labels_that_may_be_known_by_heart_are_told(options, n_messages):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    X = rng.normal(size=(400, 60)).astype(np.float32)  # nothing to learn
    model = NoisyLabelClassifier("cross_entropy", epochs=60, random_state=0, keep="last", lr=0.01, **options).fit(X, y)
    told = "of the labels that it was trained on, and fewer than 100 labels were held out"
    assert sum(told in message for message in model.ambiguous_) == n_messages


@pytest.mark.parametrize(("method", "epochs"), [("two_stage", 10), ("umn", 10), ("cross_entropy", 1)])
def test_what_did_not_learn_its_labels_knows_none_by_heart(method, epochs):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 5)).astype(np.float32), rng.integers(0, 2, 200)
    model = NoisyLabelClassifier(method, epochs=epochs, random_state=0, validation_fraction=0, lr=1e-5).fit(X, y)
    assert not any("memorized" in message for message in model.ambiguous_)


def test_a_copy_in_the_validation_set_is_no_twin():
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(0, 1, (100, 3)), rng.normal(5, 1, (100, 3))].astype(np.float32)
    y = np.repeat([0, 1], 100)
    model = NoisyLabelClassifier("cross_entropy", epochs=2, random_state=0)
    model.fit(X, y, X_val=X[[0, 150]].copy(), y_val=1 - y[[0, 150]])
    assert "conflict" not in set(model.label_issues()["kind"])


def test_a_list_with_names_and_a_budget_judges_alike(evidence):
    classes = np.array(["cat", "dog"])
    usual = evidence.audit(classes)
    named = evidence.audit(classes, ids=[f"row {k}" for k in range(200)], budget=3)
    assert set(usual.table["id"][:10]) == set(range(10))
    assert named.table["id"].tolist() == [f"row {k}" for k in usual.table["id"]]
    assert named.table["is_issue"].sum() == 3
    assert named.n_wrong_interval == usual.n_wrong_interval
    assert np.array_equal(named.transition, usual.transition)


def test_classes_that_have_exchanged_names_are_told_by_name(evidence):
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1, 2], 300)
    y = truth.copy()
    swapped = (truth < 2) & (rng.random(900) < 0.6)
    y[swapped] = 1 - y[swapped]
    probs = np.full((900, 3), 0.002)
    probs[np.arange(900), truth] = 0.4
    probs[truth < 2, 1 - truth[truth < 2]] = 0.598
    probs[truth == 2, 2] = 0.996
    unseen = np.full(900, -1)
    swapped_names = replace(
        evidence,
        y=y,
        probs=probs,
        trained_on=unseen,
        agreement=np.zeros(900),
        held_out=np.ones(900, bool),
        duplicate=None,
        outlier=None,
    )
    (message,) = (m for m in swapped_names.audit(np.array(["cat", "dog", "fish"])).ambiguous if "swapped" in m)
    assert "cat" in message
    assert "dog" in message
    assert "fish" not in message


def test_a_training_that_ended_too_early_is_told(evidence):
    rising = replace(evidence, curve=[0.1 * k for k in range(1, 9)])
    assert not any("train longer" in message for message in evidence.audit(np.arange(2)).ambiguous)
    assert any("train longer" in message for message in rising.audit(np.arange(2)).ambiguous)


def test_the_curve_is_that_of_the_last_stage(evidence):
    assert len(evidence.curve) == 15
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 5)).astype(np.float32), rng.integers(0, 2, 600)
    model = NoisyLabelClassifier("two_stage", epochs=3, random_state=0).fit(X, y)
    stages = [entry["stage"] for entry in model.history_]
    assert len(model.evidence_.curve) == stages.count(stages[-1]) < len(stages)
