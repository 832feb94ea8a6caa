"""The list of doubtful labels: what it finds, how sure it is of it, how it is sorted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from goldvein import find_label_issues
from goldvein.issues.audit import COLUMNS, KINDS, audit
from goldvein.issues.table import isolate
from goldvein.metrics import calibration_error
from goldvein.noise import synthetic as noise


def separable(seed: int, n_wrong: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of three classes, ``n_wrong`` of them flipped, and a network that is nearly sure of the true ones."""
    rng = np.random.default_rng(seed)
    y_true = rng.permutation(np.arange(90) % 3)
    probs = 0.98 * np.eye(3)[y_true] + 0.02 * rng.dirichlet(np.ones(3), 90)
    y = y_true.copy()
    wrong = rng.choice(90, n_wrong, replace=False)
    y[wrong] = (y[wrong] + rng.integers(1, 3, n_wrong)) % 3
    return y, y_true, probs


def uncertain(T: np.ndarray, seed: int, n: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that belong to their classes by chance, as their clean probabilities say; noise by T; a perfect network."""
    rng = np.random.default_rng(seed)
    logits = 2.0 * rng.standard_normal((n, len(T))) + 5.0 * np.eye(len(T))[rng.integers(0, len(T), n)]
    clean = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y_true = (rng.random((n, 1)) > clean.cumsum(1)).sum(1).clip(max=len(T) - 1)
    y = noise.corrupt(y_true, T, seed)
    return y, y_true, clean


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_the_flipped_labels_are_the_worst_and_no_other_is_listed(seed: int, n_wrong: int) -> None:
    y, y_true, probs = separable(seed, n_wrong)
    judged = audit(y, [0, 1, 2], probs)
    table = judged.table
    assert set(table["id"][:n_wrong]) == set(np.flatnonzero(y != y_true))
    found = table[table["is_issue"]]
    assert len(found) <= n_wrong
    # up to six wrong labels of ninety may still be chance; and with the same confidence in every row, twelve may be
    # mistakes of the network
    assert len(found) >= n_wrong // 2 - 3 or judged.noise_evidence["none"] > 0.25
    clear = found[found["p_wrong"] > 0.6]  # near 0.5 the given label may still be the likeliest
    assert (clear["suggested_label"].to_numpy() == y_true[clear["id"]]).all()
    assert (clear["p_suggested"] > 0.5).all()
    others = table[~table["is_issue"]]
    assert (others["suggested_label"] == others["given_label"]).all()


def test_sets_of_ninety_labels_have_a_list() -> None:
    sets = [separable(seed, 10) for seed in range(20)]
    lengths = [find_label_issues(y, probs=probs)["is_issue"].sum() for y, _, probs in sets]
    assert np.mean(np.array(lengths) >= 8) >= 0.85


def test_the_table() -> None:
    y, _, probs = separable(0, 9)
    y[:6] = -1
    table = find_label_issues(y, probs=probs)
    assert tuple(table.columns) == COLUMNS
    assert sorted(table["id"]) == list(range(6, 90))
    assert (table["given_label"].to_numpy() == y[table["id"]]).all()
    assert table["p_wrong"].is_monotonic_decreasing
    assert table["p_wrong"].between(0, 1).all()
    assert table["rank"].tolist() == list(range(1, 85))
    np.testing.assert_allclose(table["label_quality"], 1 - table["p_wrong"])
    assert (table["is_issue"] == (table["p_wrong"] > 0.5)).all()
    assert ((table["reason"] != "") == table["is_issue"]).all()
    assert set(table["kind"]) <= set(KINDS)
    fine = table[~table["is_issue"]]
    np.testing.assert_allclose(fine["p_suggested"], 1 - fine["p_wrong"])


NOISES = {
    "none": np.eye(5),
    "symmetric": noise.transition("symmetric", 5, 0.2),
    "pair": noise.transition("pair", 5, 0.3),
    "one class": np.vstack([[0.6, 0.1, 0.1, 0.1, 0.1], np.eye(5)[1:]]),
}


@pytest.mark.parametrize("kind", NOISES)
def test_p_wrong_is_calibrated_and_the_count_lies_in_its_interval(kind: str) -> None:
    T = NOISES[kind]
    y, y_true, probs = uncertain(T, seed=1)
    found = audit(y, np.arange(5), probs)
    p_wrong = found.table.set_index("id")["p_wrong"].sort_index().to_numpy()
    wrong = y != y_true
    assert calibration_error(p_wrong, wrong) < 0.03
    low, high = found.n_wrong_interval
    assert low <= found.n_wrong <= high
    assert low <= wrong.sum() <= high
    assert found.noise_rate == pytest.approx(found.n_wrong / len(y))
    np.testing.assert_allclose(found.transition, T, atol=0.06)
    assert (found.classes["n_wrong_low"] <= found.classes["n_wrong"]).all()
    assert found.classes["n_wrong"].sum() == pytest.approx(found.n_wrong, rel=1e-4)
    if wrong.any():
        assert roc_auc_score(wrong, p_wrong) > 0.9


def test_the_list_keeps_the_precision_that_is_asked_for() -> None:
    y, y_true, probs = uncertain(NOISES["symmetric"], seed=2)
    n_before = len(y)
    for precision in (0.3, 0.5, 0.97):
        table = find_label_issues(y, probs=probs, precision=precision)
        found = table[table["is_issue"]]
        assert found["p_wrong"].mean() >= precision
        assert (found["p_wrong"] > min(precision, 0.5)).all()
        assert len(found) < n_before
        n_before = len(found)
        assert (y != y_true)[found["id"]].mean() == pytest.approx(found["p_wrong"].mean(), abs=0.04)


def test_a_budget_is_spent_on_the_worst() -> None:
    y, _, probs = uncertain(NOISES["symmetric"], seed=3, n=500)
    table = find_label_issues(y, probs=probs, budget=17)
    assert table["is_issue"].tolist() == [True] * 17 + [False] * 483


def test_a_rare_class_keeps_a_floor_of_recall_and_too_few_labels_are_told() -> None:
    T = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    y, _, probs = uncertain(T, seed=4, n=3000)
    rare = np.flatnonzero(y == 2)
    y[rare[12:]] = -1  # a dozen is left
    y[np.flatnonzero(y == 0)[:5]] = 2
    found = audit(y, np.array(["a", "b", "c"]), probs)
    row = found.classes.set_index("class").loc["c"]
    assert row["n_labels"] == 17
    assert not row["enough"]
    assert row["expected_recall"] >= 0.2
    assert set(found.table.loc[(found.table["given_label"] == "c") & ~found.table["is_issue"], "kind"]) == {
        "too_little_evidence"
    }
    assert found.classes.set_index("class").loc["a", "enough"]


def test_a_row_that_looks_like_no_class_is_a_kind_of_its_own() -> None:
    y_true, probs = np.arange(2000) % 4, 0.992 * np.eye(4)[np.arange(2000) % 4] + 0.002
    y = noise.corrupt(y_true, noise.transition("symmetric", 4, 0.1), 0)
    y[0], probs[0] = 3, [0.333, 0.333, 0.332, 0.002]
    y[4], probs[4] = 3, [0.994, 0.002, 0.002, 0.002]
    table = find_label_issues(y, probs=probs).set_index("id")
    assert table.loc[[0, 4], "is_issue"].all()
    assert table.loc[[0, 4], "kind"].tolist() == ["none_of_these", "wrong_label"]
    assert table.loc[[0, 4], "suggested_label"].tolist() == [3, 0]
    assert table.loc[0, "reason"].startswith("looks like no class")
    assert table["kind"].value_counts()["none_of_these"] == 1


def test_rows_like_no_other_are_listed_however_sure_the_network_is() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(400) % 4
    probs = 0.992 * np.eye(4)[y] + 0.002
    features = 10 * np.eye(4)[y] + rng.normal(0, 0.3, (400, 4))
    features[:8] += 40 * rng.normal(0, 1, (8, 4))
    table = find_label_issues(y, probs=probs, features=features).set_index("id")
    assert table.loc[range(8), "is_issue"].all()
    assert set(table.loc[range(8), "kind"]) == {"none_of_these"}
    assert not table.loc[range(8, 400), "is_issue"].any()
    equal = np.repeat(np.eye(4), 100, axis=0)  # nothing is far where nearly all distances are 0
    equal[0] += 0.01
    assert not find_label_issues(np.repeat(np.arange(4), 100), features=equal)["is_issue"].any()


def test_two_labels_of_one_row_are_a_conflict() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    features = np.eye(3, 40)[y] + rng.normal(0, 0.05, (120, 40))
    features[7] = features[100] * 2  # the same direction
    table = find_label_issues(y, features=features).set_index("id")
    assert table["kind"].value_counts()["conflict"] == 2
    assert table.loc[7, "reason"].startswith("nearly the same as row 100, which is labeled 2; ")
    assert table.loc[7, "is_issue"]
    assert table.loc[7, "suggested_label"] == 2
    assert not table.loc[100, "is_issue"]
    both = 1 - table.loc[[7, 100], "p_wrong"]
    assert both.sum() <= 1 + 1e-6  # they are not both right


def test_two_labels_of_one_row_that_are_both_as_good_as_sure() -> None:
    y = np.arange(80) % 2
    twin = np.full(80, -1)
    twin[[0, 1]] = 1, 0
    probs = np.eye(2)[y]
    for trusted, expected in ((None, [0.5, 0.5]), (np.arange(80) == 0, [0.0, 1.0])):
        table = audit(y, ["a", "b"], probs, duplicate=twin, trusted=trusted, trained_on=np.full(80, -1)).table
        assert table.set_index("id").loc[[0, 1], "p_wrong"].tolist() == pytest.approx(expected, abs=1e-3)


def test_probabilities_that_nobody_may_write_to() -> None:
    y = np.arange(300) % 2
    probs = np.where(np.eye(2)[y] == 1, 0.9, 0.1)
    probs.flags.writeable = False
    for n in (10, 200):
        audit(y, [0, 1], probs, held_out=np.arange(300) < n)


def test_a_conflict_in_a_small_class_is_too_little_evidence() -> None:
    y = np.r_[np.zeros(100, dtype=int), np.ones(8, dtype=int)]
    twin = np.full(108, -1)
    twin[[0, 107]] = 107, 0
    table = audit(y, ["a", "b"], np.eye(2)[y] * 0.98 + 0.01, duplicate=twin).table.set_index("id")
    assert table.loc[[0, 107], "kind"].tolist() == ["conflict", "too_little_evidence"]
    assert "nearly the same as row 0" in table.loc[107, "reason"]


@pytest.mark.parametrize("given", ["margins", "agreement", "both"])
def test_margins_and_agreement_alone_name_the_wrong_ones(given: str) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(600) % 3
    wrong = rng.random(600) < np.array([0.02, 0.1, 0.3])[y]
    margins = np.where(wrong, rng.normal(-0.4, 0.15, 600), rng.normal(0.7, 0.15, 600))
    agreement = np.where(wrong, rng.binomial(10, 0.1, 600), rng.binomial(10, 0.95, 600)) / 10
    signals: dict[str, Any] = {"margins": {"margins": margins}, "agreement": {"agreement": agreement}}.get(
        given, {"margins": margins, "agreement": agreement}
    )
    table = find_label_issues(y, **signals)
    found = np.zeros(600, dtype=bool)
    found[table["id"][table["is_issue"]]] = True
    assert (found == wrong).mean() > 0.99
    assert (table["suggested_label"] == table["given_label"]).all()
    assert table["p_suggested"].isna().all()
    assert audit(y, range(3), **signals).n_wrong == pytest.approx(wrong.sum(), abs=6)


def test_trusted_labels_are_never_listed() -> None:
    y, y_true, probs = separable(0, 9)
    trusted = y != y_true
    table = audit(y, range(3), probs, trusted=trusted).table
    assert not table["is_issue"].any()
    assert (table.set_index("id").loc[np.flatnonzero(trusted), "p_wrong"] == 0).all()


def test_the_reason_names_both_classes_and_their_probabilities() -> None:
    probs = np.repeat([[0.98, 0.02], [0.03, 0.97]], 20, axis=0)
    y = np.repeat([0, 1], 20)
    y[0] = 1
    reason = find_label_issues(y, probs=probs)["reason"][0]
    assert reason == "looks like 0 (probability 0.99), not 1 (0.01)"
    more = find_label_issues(y, probs=probs, agreement=np.full(40, 0.25), margins=np.full(40, -0.5))["reason"][0]
    assert more.endswith("; predicted as 1 in 25 % of the epochs; mean margin -0.50")


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, probs = rng.integers(-1, 4, 40), rng.dirichlet(np.full(4, 0.7), 40)
    y[0] = 0
    order = rng.permutation(40)
    straight = find_label_issues(y, probs=probs).set_index("id")
    moved = find_label_issues(y[order], probs=probs[order])
    moved = moved.assign(id=order[moved["id"]]).set_index("id").loc[straight.index]
    np.testing.assert_allclose(moved["p_wrong"], straight["p_wrong"], atol=1e-4)
    assert moved["given_label"].tolist() == straight["given_label"].tolist()


def test_the_order_of_many_rows_does_not_matter() -> None:
    """Of so many rows, some are drawn; which ones depends on what is in them."""
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 4, 80_000)
    probs = 0.8 * np.eye(4)[y_true] + 0.2 * rng.dirichlet(np.ones(4), 80_000)
    probs[::2] = np.eye(4)[y_true[::2]]  # half of the rows are the same as others
    y = np.where(rng.random(80_000) < 0.1, rng.integers(0, 4, 80_000), y_true)
    order = rng.permutation(80_000)
    straight, moved = audit(y, range(4), probs), audit(y[order], range(4), probs[order])
    assert moved.n_wrong == pytest.approx(straight.n_wrong, rel=1e-4)
    assert moved.n_wrong_interval == pytest.approx(straight.n_wrong_interval, rel=1e-3)


def test_inputs_stay_as_they_are() -> None:
    y, _, probs = separable(1, 5)
    before = y.copy(), probs.copy()
    find_label_issues(y, probs=probs)
    assert np.array_equal(y, before[0])
    assert np.array_equal(probs, before[1])


def test_training_rows_are_judged_as_their_held_out_rows() -> None:
    y, y_true, probs = uncertain(NOISES["symmetric"], seed=6)
    held_out = np.arange(len(y)) % 5 == 0
    wrong = y != y_true
    learned = probs.copy()  # by heart, in part
    learned[~held_out] = 0.6 * learned[~held_out] + 0.4 * np.eye(5)[y[~held_out]]
    apart = audit(y, range(5), learned, trained_on=y, held_out=held_out)
    alone = audit(y, range(5), learned, trained_on=y)
    assert apart.noise_rate == pytest.approx(wrong.mean(), abs=0.03)
    assert alone.noise_rate < 0.7 * wrong.mean()


@pytest.mark.parametrize("better", ["probs", "votes"])
def test_neighbors_speak_where_they_predict_the_labels_better(better: str) -> None:
    """One of both is right in nine of ten rows, the other one guesses: the better one decides, or nearly."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 1500)
    y = np.where(rng.random(1500) < 0.2, (true + rng.integers(1, 3, 1500)) % 3, true)
    wrong = y != true
    guess = rng.dirichlet(np.ones(3), 1500)
    seen = np.where(rng.random(1500) < 0.1, (true + 1) % 3, true)
    good = 0.85 * np.eye(3)[seen] + 0.05
    features = np.eye(3)[true] + rng.normal(0, 0.25, (1500, 3)) if better == "votes" else rng.normal(size=(1500, 3))
    probs = guess if better == "votes" else good

    def auroc(**given: np.ndarray) -> float:
        table = find_label_issues(y, **given).set_index("id").sort_index()
        return float(roc_auc_score(wrong, table["p_wrong"]))

    alone = {"probs": auroc(probs=probs), "votes": auroc(features=features)}
    assert alone[better] > 0.9
    assert min(alone.values()) < 0.6
    assert auroc(probs=probs, features=features) > alone[better] - 0.02


def human(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    folder = os.environ.get("GOLDVEIN_DATA")
    path = Path(folder or "") / "label_errors" / f"{name}.npz"
    if not folder or not path.exists():
        pytest.skip("needs label_errors in GOLDVEIN_DATA")
    data = np.load(path)
    probs = data["pred_probs"].astype(np.float64)
    return data["given_labels"].astype(int), probs / probs.sum(1, keepdims=True), data["checked_idx"], data["is_error"]


@pytest.mark.data
@pytest.mark.parametrize(("name", "self_confidence"), [("mnist", 0.727), ("cifar10", 0.591)])
def test_errors_that_people_found_rank_above_self_confidence(name: str, self_confidence: float) -> None:
    y, probs, checked, is_error = human(name)
    p_wrong = find_label_issues(y, probs=probs).set_index("id")["p_wrong"].sort_index().to_numpy()
    assert round(roc_auc_score(is_error, -probs[checked, y[checked]]), 3) == self_confidence
    assert roc_auc_score(is_error, p_wrong[checked]) > self_confidence


def test_a_trusted_label_settles_its_twin() -> None:
    y, y_true, probs = separable(0, 5)
    first, second = np.flatnonzero(y == y_true)[:2]
    y[second], probs[second] = (y[first] + 1) % 3, probs[first]
    twin = np.full(90, -1)
    twin[[first, second]] = second, first
    free = audit(y, range(3), probs, duplicate=twin).table.set_index("id")
    told = audit(y, range(3), probs, duplicate=twin, trusted=np.arange(90) == first).table.set_index("id")
    assert free.loc[[first, second], "kind"].tolist() == ["conflict", "conflict"]
    assert told.loc[first, "p_wrong"] == 0
    assert told.loc[first, "kind"] == "ok"
    assert told.loc[second, "p_wrong"] == pytest.approx(1)
    assert bool(told.loc[second, "is_issue"])


def test_too_little_evidence_is_told_of_what_is_listed_too() -> None:
    probs = np.repeat([[0.98, 0.01, 0.01], [0.01, 0.98, 0.01]], 40, axis=0)
    y = np.repeat([0, 1], 40)
    y[[0, 1, 2]] = 2
    table = find_label_issues(y, probs=probs).set_index("id")
    assert table.loc[[0, 1, 2], "kind"].tolist() == ["too_little_evidence"] * 3
    assert table.loc[[0, 1, 2], "is_issue"].all()
    assert table.loc[0, "reason"].endswith("; but its class has only 3 labels, too few to judge")


def test_conflicts_name_the_other_row_as_the_user_does() -> None:
    y = np.repeat([0, 1], 40)
    features = np.eye(2)[y] + np.random.default_rng(0).normal(0, 0.05, (80, 2))
    features[7] = features[60]
    names = [f"{k}.png" for k in range(80)]
    table = find_label_issues(y, features=features, ids=names).set_index("id")
    assert "nearly the same as row 60.png," in table.loc["7.png", "reason"]


def test_names_that_are_read_from_right_to_left_do_not_turn_a_reason_around() -> None:
    assert isolate(["cat", 3, "\u202eton"]) == ["cat", 3, "\u2068\u202eton\u2069"]


def test_a_class_without_labels_does_not_hide_the_mistakes_in_the_others() -> None:
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 4, 1000)
    probs = 0.9 * np.eye(4)[y_true] + 0.1 * rng.dirichlet(np.ones(4), 1000)
    y = np.where(y_true == 3, rng.integers(0, 3, 1000), y_true)  # nobody gave label 3
    flipped = (rng.random(1000) < 0.1) & (y_true < 3)
    y[flipped] = (y[flipped] + 1) % 3
    table = find_label_issues(y, probs=probs).sort_values("id")
    listed, strange = table["is_issue"].to_numpy(), y_true == 3
    assert listed[flipped].mean() > 0.95
    assert listed[strange].all()
    assert (table["suggested_label"].to_numpy()[strange] == 3).all()
    assert not listed[~flipped & ~strange].any()
