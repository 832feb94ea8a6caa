"""Label spreading: figures by hand, equivariance, and what doubting the labels finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from goldvein import InputError
from goldvein.estimators.graph import GraphSpreading, build_graph, doubt_labels, spread, to_probs


def two_moons(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    true = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n)
    x = np.c_[np.cos(angle), np.sin(angle)] * np.where(true, -1, 1)[:, None] + np.c_[1.0 * true, 0.3 * true]
    return x + rng.normal(0, 0.05, (n, 2)), true


def test_spreading_is_the_inverse_matrix() -> None:
    rng = np.random.default_rng(1)
    S = build_graph(rng.normal(size=(30, 3)).astype(np.float32), 5)
    B = rng.normal(size=(30, 4))
    for alpha in (0.5, 0.99):
        exact = (1 - alpha) * np.linalg.solve(np.eye(30) - alpha * S.toarray(), B)
        np.testing.assert_allclose(spread(S, B, alpha), exact, atol=2e-3 * np.abs(exact).max())


def test_weights_of_the_graph_by_hand() -> None:
    # neighbors (1 each): 0 -> 1, 1 -> 0, 2 -> 1; every nearest row has weight exp(-1); degrees 1, 2, 1 times that
    S = build_graph(np.array([[0.0], [1.0], [3.0]], dtype=np.float32), 1).toarray()
    root = 1 / np.sqrt(2)
    np.testing.assert_allclose(S, [[0, root, 0], [root, 0, root], [0, root, 0]], atol=1e-6)


def test_two_cliques_with_one_flipped_label() -> None:
    # twenty nodes, unit edges inside two cliques of ten, one edge of .1 between them, label 0 flipped
    A = np.kron(np.eye(2), np.ones((10, 10)) - np.eye(10))
    A[9, 10] = A[10, 9] = 0.1
    root = 1 / np.sqrt(A.sum(1))
    Q = spread(root[:, None] * A * root, np.eye(20), 0.99)
    y = np.repeat([0, 1], 10)
    y[0] = 1
    w, rate, _ = doubt_labels(Q, np.eye(2)[y], 3.0)
    assert w[0] == pytest.approx(0.0175, abs=1e-3)
    assert w[1:].min() >= 0.9976
    assert rate == pytest.approx(0.0492, abs=1e-3)  # the truth is one of twenty


def test_few_labels_of_two_moons() -> None:
    x, true = two_moons()
    y = np.full(400, -1)
    y[:10] = true[:10]
    model = GraphSpreading().fit(x, y)
    assert model.score(x, true) > 0.97
    new, of_new = two_moons(100)
    assert model.score(new, of_new) > 0.97


def test_classes_and_rows_in_another_order() -> None:
    x, true = two_moons(60)
    y = np.where(np.arange(60) < 20, true, -1)
    order = np.random.default_rng(2).permutation(60)
    first, second = GraphSpreading().fit(x, y), GraphSpreading().fit(x[order], np.where(y < 0, -1, 1 - y)[order])
    np.testing.assert_allclose(second.predict_proba(x), first.predict_proba(x)[:, ::-1], atol=1e-3)


def test_soft_labels_are_labels() -> None:
    x, true = two_moons(60)
    y = np.where(np.arange(60) < 20, true, -1)
    soft = (y[:, None] == [0, 1]).astype(float)
    hard, same = GraphSpreading(doubt=False).fit(x, y), GraphSpreading(doubt=False).fit(x, soft)
    np.testing.assert_array_equal(hard.predict_proba(x), same.predict_proba(x))


def test_rows_that_no_label_reaches_have_the_shares_of_the_classes() -> None:
    prior = np.array([0.2, 0.8])
    np.testing.assert_allclose(to_probs(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), prior)[0], prior, rtol=1e-5)


def test_a_sparse_matrix_gives_the_same() -> None:
    x, true = two_moons(60)
    dense, sparse = (GraphSpreading(scale=False).fit(kind(x), true) for kind in (np.asarray, csr_matrix))
    np.testing.assert_allclose(dense.predict_proba(x), sparse.predict_proba(csr_matrix(x)), atol=1e-5)
    assert dense.predict_proba(x[:0]).shape == (0, 2)


def test_a_graph_that_is_known_is_used() -> None:
    x, true = two_moons(60)
    known = GraphSpreading(scale=False, graph=build_graph(x.astype(np.float32))).fit(x, true)
    np.testing.assert_array_equal(known.probs_, GraphSpreading(scale=False).fit(x, true).probs_)


def test_labels_that_cannot_be_used() -> None:
    with pytest.raises(InputError, match="y holds no label"):
        GraphSpreading().fit(np.zeros((3, 1)), [-1, -1, -1])
