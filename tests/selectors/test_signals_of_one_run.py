"""Selectors of one array each: what they keep of labels whose wrong ones are known."""

from __future__ import annotations

import numpy as np
import pytest

from goldvein.config.names import find, names
from goldvein.selectors.confident_learning import ConfidentLearning
from goldvein.selectors.neighbors import vote

rng = np.random.default_rng(0)
Y_TRUE = np.arange(300) % 3
WRONG = rng.random(300) < 0.2
Y = np.where(WRONG, (Y_TRUE + 1) % 3, Y_TRUE)
Y[-9:] = -1
SURE = 0.9 * np.eye(3)[Y_TRUE] + 0.1 * rng.dirichlet(np.ones(3), 300)
GIVEN = SURE[np.arange(300), np.maximum(Y, 0)]
SIGNALS = {
    "probs": SURE,
    "margins": 2 * GIVEN - 1,
    "agreement": np.rint(10 * GIVEN) / 10,
    "features": np.eye(3, 16)[Y_TRUE] + 0.1 * rng.normal(0, 1, (300, 16)),
}


@pytest.mark.parametrize("name", ["agreement", "margin", "neighbors", "confident_learning"])
def test_it_drops_the_wrong_labels(name: str) -> None:
    assert name in names("selectors")
    selector = find("selectors", name)()
    quality, keep = selector.select(Y, **{need: SIGNALS[need] for need in selector.needs})
    given = Y >= 0
    assert np.isnan(quality[~given]).all()
    assert not keep[~given].any()
    assert (keep == ~WRONG)[given].mean() > 0.95
    assert quality[given & WRONG].mean() < 0.3 < quality[given & ~WRONG].mean()


def test_confident_learning_by_hand() -> None:
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.1, 0.9], [0.2, 0.8]])
    y = np.array([0, 0, 0, 1, 1, 1])
    # mean self-confidence: 0.8 and 0.7; confident are rows 0, 1 for class 0, rows 4, 5 for class 1: no pair is mixed up
    assert ConfidentLearning().select(y, probs=probs)[1].all()
    probs[3] = [0.95, 0.05]  # means 0.8, 0.583; row 3 is confident for class 0: one of the three labels 1
    assert np.flatnonzero(~ConfidentLearning().select(y, probs=probs)[1]).tolist() == [3]


def test_votes_do_not_count_the_row_itself() -> None:
    features = np.eye(10)[[0, 0, 1, 1]]
    features[[1, 3]] = [[0.9, 0.1] + [0] * 8, [0.1, 0.9] + [0] * 8]
    votes, distance, twin = vote(np.array([0, 0, 1, 0]), features, k=1)
    np.testing.assert_allclose(votes, [[0.75, 0.25], [0.75, 0.25], [0.75, 0.25], [0.25, 0.75]])
    assert (twin == -1).all()
    assert distance[0] == pytest.approx(1 - 0.9 / np.hypot(0.9, 0.1), abs=1e-6)


@pytest.mark.parametrize("n_features", [1, 2, 3, 5])
def test_where_features_are_few_rows_are_near_by_chance(n_features: int) -> None:
    rng = np.random.default_rng(n_features)
    y = np.repeat([0, 1], 300)
    features = np.where(y == 0, 9.0, 27.0)[:, None] + rng.normal(0, 1, (600, n_features))  # one direction
    votes, _, twin = vote(y, features)
    assert (twin == -1).all()
    assert (votes.argmax(1) == y).mean() > 0.99


def test_one_copy_among_many_features_is_a_twin() -> None:
    features = np.random.default_rng(0).normal(size=(300, 12))
    features[7] = 1.001 * features[200]
    y = np.arange(300) % 2
    y[7] = 1
    assert np.flatnonzero(vote(y, features)[2] >= 0).tolist() == [7, 200]


def test_neighbors_are_looked_for_among_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldvein.selectors.neighbors.MOST", 60)
    given = Y >= 0
    votes, _, _ = vote(Y[given], SIGNALS["features"][given], k=5)
    assert (votes.argmax(1) == Y_TRUE[given]).mean() > 0.9


def test_rows_that_are_equal_by_chance_are_no_conflict_and_their_order_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    features = rng.integers(0, 3, (600, 4)).astype(float)  # 81 different rows
    y = (features.sum(1) > 4).astype(int) ^ (rng.random(600) < 0.1)
    votes, distance, conflict = vote(y, features)
    assert (conflict < 0).all()
    np.testing.assert_allclose(votes.sum(1), 1, rtol=1e-6)
    order = rng.permutation(600)
    moved, away, _ = vote(y[order], features[order])
    np.testing.assert_allclose(moved, votes[order], atol=1e-5)
    np.testing.assert_allclose(away, distance[order], atol=1e-5)


def test_equally_near_rows_share_the_votes() -> None:
    features = np.eye(3)[[0, 0, 0, 0, 1, 2]]
    votes, _, _ = vote(np.array([0, 0, 1, 1, 1, 1]), features, k=2)
    # of the three others at distance 0, one has label 0 and two have label 1; 0.5 votes more for each class
    np.testing.assert_allclose(votes[0], [(2 / 3 + 0.5) / 3, (4 / 3 + 0.5) / 3], rtol=1e-6)
