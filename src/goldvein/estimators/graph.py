"""Label spreading on a graph of neighbors, in which each label is judged by the others.

Zhou et al. 2004, *Learning with local and global consistency*; Zhu, Ghahramani & Lafferty 2003 for class mass.

    S  =  D^-1/2 A D^-1/2,   A = max(W, W^T),   W_ij = exp(-d_ij^2 / d_ik^2) for the k nearest rows j of i      (1)
    Q  =  (1 - alpha) (I - alpha S)^-1                                                                          (2)
    F  =  Q H / column sums,   H = soft labels (N, K), 0 for a row without one                                  (3)

Each column of F has the mass of its class, so a class with many labels does not flood the others. With few labels,
each is judged by the others. The field of row i leaves out its own label (the diagonal of Q is 0), and is sharpened:

    f_i  ~  F_i^gamma                                                                                           (4)
    w_i  =  f_iy (1 - r) / (f_iy (1 - r) + (1 - f_iy) r / (K - 1)),   r = mean of 1 - w                         (5)

H is weighted by w, and the steps repeat. alpha and gamma make the given labels likeliest, by the sum of the logarithms
of the denominators of eq. 5. Eq. 4 and 5 are goldvein's own. The prediction for a new row is the mean over its nearest
rows, weighted as in eq. 1.

Differences from scikit-learn's LabelSpreading: class mass, sparse neighbors, alpha near 1 (theirs is .2), and rows that
no label reaches have the shares of the classes, never NaN.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from goldvein.config.ranges import Count
from goldvein.data.targets import encode_targets
from goldvein.estimators._nearest import nearest

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
NEIGHBORS = 15
ALPHAS, GAMMAS = (0.9, 0.99), (1.0, 2.0, 3.0, 5.0)
MOST_DOUBTED = 500  # labels above which each is not judged by the others: Q of all labels takes too long,
DENSE = 0.9  # and alpha is this, since labels are near
RATE, ROUNDS = 0.2, 15  # r of eq. 5 to begin with, and repetitions
LEAST_RATE, MOST_RATE = 0.01, 0.8
TOLERANCE, MOST_STEPS = 1e-4, 500  # of conjugate gradients
TINY = 1e-12


class GraphSpreading(ClassifierMixin, BaseEstimator):
    """Spread labels over a graph of neighbors; rows without a label connect those with one.

    Parameters
    ----------
    neighbors : int, default=15
        k of eq. 1.
    doubt : bool, default=True
        Whether up to 500 labels are judged by the others (eq. 4 and 5).
    scale : bool, default=True
        Whether each column gets deviation 1 first; not for sparse matrices.
    graph : sparse array of shape (N, N), optional
        S of eq. 1 for the rows of ``fit``, if it is known: see :func:`build_graph`.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted; 0 to K - 1 for soft labels.
    probs_ : ndarray of shape (N, K)
        Class probabilities of the training rows.
    weights_ : ndarray of shape (N,)
        w of eq. 5; 1 where it was not asked for, and NaN for rows without a label.
    noise_rate_ : float
        r of eq. 5; NaN where it was not asked for.
    alpha_ : float

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(0, 1, (100, 2)), rng.normal(8, 1, (100, 2))]
    >>> y = np.full(200, -1); y[:10] = 0; y[100:110] = 1; y[0] = 1        # twenty labels, one is wrong
    >>> model = GraphSpreading().fit(X, y)
    >>> model.predict([[0, 0], [8, 8]]).tolist(), bool(model.weights_[0] < 0.1)
    ([0, 1], True)
    """

    takes_soft_labels = True

    def __init__(self, neighbors: Count = NEIGHBORS, doubt: bool = True, scale: bool = True, graph: Any = None) -> None:
        self.neighbors = neighbors
        self.doubt = doubt
        self.scale = scale
        self.graph = graph

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Spread labels (N,), of which -1, NaN, None and "" are missing, or soft labels (N, K) over N rows.

        A soft label of zeros is missing.

        Raises
        ------
        InputError
            If the labels cannot be used.
        """
        if np.ndim(y) == 2:
            H = np.array(y, dtype=np.float32)
            self.classes_ = np.arange(H.shape[1])
        else:
            self.classes_, codes = encode_targets(y, X.shape[0] if hasattr(X, "shape") else len(X))
            H = (codes[:, None] == np.arange(len(self.classes_))).astype(np.float32)
        self._scaler = StandardScaler() if self.scale and not sparse.issparse(X) else None
        self._X = _as_rows(X) if self._scaler is None else self._scaler.fit_transform(_as_rows(X)).astype(np.float32)
        S = build_graph(self._X, self.neighbors) if self.graph is None else self.graph
        given = np.flatnonzero(H.any(axis=1))
        self.weights_ = np.full(len(H), np.nan)
        self.weights_[given] = 1.0
        self.alpha_, self.noise_rate_ = DENSE, np.nan
        prior = (H[given].sum(0) + 1) / (len(given) + H.shape[1])
        if self.doubt and len(given) <= MOST_DOUBTED:
            Q = self._judge(S, H, given)
            F = Q @ mass(self.weights_[given, None] * H[given])
        else:
            F = spread(S, mass(H), self.alpha_)
        self.probs_ = to_probs(F, prior)
        return self

    def _judge(self, S: Any, H: NDArray[np.float32], given: Ints) -> NDArray[np.float32]:
        """Set alpha, the weights and the rate that make the labels likeliest; return the columns of Q of labels."""
        B = np.zeros((len(H), len(given)), dtype=np.float32)
        B[given, np.arange(len(given))] = 1
        best = -np.inf
        for alpha in ALPHAS:
            Q = np.maximum(spread(S, B, alpha), 0)
            for gamma in GAMMAS:
                weights, rate, likelihood = doubt_labels(Q[given], H[given], gamma)
                if likelihood > best:
                    best, found = likelihood, Q
                    self.alpha_, self.noise_rate_, self.weights_[given] = alpha, rate, weights
        return found

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return class probabilities (n, K) of new rows."""
        check_is_fitted(self)
        rows = _as_rows(X) if self._scaler is None else self._scaler.transform(_as_rows(X)).astype(np.float32)
        if not rows.shape[0]:
            return np.zeros((0, len(self.classes_)))
        distance, near = nearest(self._X, rows, min(self.neighbors, self._X.shape[0]))
        weight = np.exp(-(distance**2) / np.maximum(distance[:, -1:] ** 2, TINY))
        out = np.einsum("nk,nkc->nc", weight, self.probs_[near]) / weight.sum(1, keepdims=True)
        return np.asarray(out, dtype=np.float64)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest classes (n,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])


def build_graph(X: Any, k: int = NEIGHBORS) -> Any:
    """Return S of eq. 1, a sparse matrix (N, N), for rows (N, D)."""
    n = X.shape[0]
    k = min(k, n - 1)
    distance, near = nearest(X, None, k)
    weight = np.exp(-(distance**2) / np.maximum(distance[:, -1:] ** 2, TINY)).astype(np.float32)
    W = sparse.csr_array((weight.ravel(), near.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    A = W.maximum(W.T)
    root = 1 / np.sqrt(np.maximum(A.sum(1), TINY))
    return (sparse.diags_array(root) @ A @ sparse.diags_array(root)).tocsr().astype(np.float32)


def spread(S: Any, B: Floats, alpha: float) -> NDArray[np.float32]:
    """Return Q B of eq. 2, by conjugate gradients for all columns of B (N, C) at once.

    Examples
    --------
    >>> path = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / np.sqrt(2)       # three nodes in a row
    >>> spread(path, np.eye(3)[:, [0, 2]], 0.9).astype(float).round(4).tolist()
    [[0.3132, 0.2132], [0.3349, 0.3349], [0.2132, 0.3132]]
    """
    B = np.asarray(B, dtype=np.float32)
    X = B.copy()
    residual = alpha * (S @ B)  # of (I - alpha S) X = B
    P = residual.copy()
    square, enough = (residual**2).sum(0), TOLERANCE**2 * (B**2).sum(0)
    for _ in range(MOST_STEPS):
        if (square <= enough).all():
            break
        AP = P - alpha * (S @ P)
        step = square / np.maximum((P * AP).sum(0), np.finfo(np.float32).tiny)
        X += step * P
        residual -= step * AP
        new = (residual**2).sum(0)
        P = residual + new / np.maximum(square, np.finfo(np.float32).tiny) * P
        square = new
    return np.asarray((1 - alpha) * X, dtype=np.float32)


def mass(H: Floats) -> NDArray[np.float32]:
    """Return soft labels (N, K) whose columns sum to 1; a class without a label stays 0."""
    return np.asarray(H / np.maximum(H.sum(0), TINY), dtype=np.float32)


def to_probs(F: Floats, prior: Floats) -> NDArray[np.float32]:
    """Return probabilities (N, K) of a field whose classes have equal mass over all rows, then the prior (K,).

    A row that no label reaches has the prior.
    """
    F = np.maximum(F, 0)
    F = prior * F / np.maximum(F.sum(0), TINY) + TINY * prior
    return np.asarray(F / F.sum(1, keepdims=True), dtype=np.float32)


def doubt_labels(Q: Floats, H: Floats, gamma: float) -> tuple[NDArray[np.float64], float, float]:
    """Return w (n,) and r of eq. 5, and the mean log-likelihood, for Q (n, n) among the labeled rows.

    Two labels of a class are never below w = 1/2 together: the two best of a class keep at least that much, so that no
    class is lost.

    Examples
    --------
    >>> Q = np.full((4, 4), 0.25)
    >>> w, rate, _ = doubt_labels(Q, np.eye(2)[[0, 0, 1, 1]], 1.0)          # the others say nothing
    >>> bool(np.ptp(w) < 1e-6)
    True
    """
    n, n_classes = H.shape
    y = H.argmax(1)
    rows = np.arange(n)
    others = np.maximum(Q, 0).astype(np.float64)
    np.fill_diagonal(others, 0)
    w, rate, likelihood = np.ones(n), RATE, -np.inf
    for _ in range(ROUNDS):
        field = others @ mass(w[:, None] * H)
        field = field / np.maximum(field.sum(0), TINY) + TINY
        field **= gamma
        agree = (field / field.sum(1, keepdims=True))[rows, y]
        right, wrong = agree * (1 - rate), (1 - agree) * rate / max(1, n_classes - 1)
        likelihood = float(np.log(np.maximum(right + wrong, TINY)).mean())
        w = right / np.maximum(right + wrong, TINY)
        rate = float(np.clip((1 - w).mean(), LEAST_RATE, MOST_RATE))
        for c in range(n_classes):
            of_class = np.flatnonzero(y == c)
            kept = of_class[np.argsort(-w[of_class])[:2]]
            w[kept] = np.maximum(w[kept], 0.5)
    return w, rate, likelihood


def _as_rows(X: Any) -> Any:
    return X.astype(np.float32) if sparse.issparse(X) else np.asarray(X, dtype=np.float32)
