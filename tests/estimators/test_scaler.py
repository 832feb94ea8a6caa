"""What is scaled, and what is left as it is."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from goldvein.estimators._scaler import NumberScaler, are_frequencies


def test_numbers_are_scaled_and_two_values_are_not() -> None:
    rng = np.random.default_rng(0)
    x = np.c_[rng.normal(5, 100, 50), rng.random(50) < 0.1, np.full(50, 7.0), rng.integers(0, 9, 50)]
    scaled = NumberScaler().fit(x).transform(x)
    np.testing.assert_allclose(scaled[:, [0, 3]].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled[:, [0, 3]].std(0), 1, atol=1e-6)
    np.testing.assert_array_equal(scaled[:, 1:3], x[:, 1:3])


def test_words_and_sparse_rows_stay() -> None:
    rng = np.random.default_rng(0)
    words = rng.random((40, 30)) * (rng.random((40, 30)) < 0.05)
    assert are_frequencies(words)
    assert are_frequencies(csr_matrix(words))
    assert not are_frequencies(-words)
    np.testing.assert_allclose(NumberScaler().fit_transform(words), words, rtol=1e-6)
    dense = csr_matrix(rng.normal(size=(40, 3)))
    assert (NumberScaler().fit_transform(dense) != dense).nnz == 0
