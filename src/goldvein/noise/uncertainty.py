"""How sure the share of wrong labels of each class is, given one reading: the delta method.

The parameters of a reading have the covariance C; the share of wrong labels among those with label j has the gradient
J[j]. So the covariance of the shares is J C J^T. It holds what the labels leave open: how steep the boundaries are, and
how much noise there is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goldvein.noise.class_noise import Floats, Likelihood, Problem, Reading


def share_covariance(reading: Reading, problem: Problem) -> NDArray[np.float64]:
    """Return the covariance (K, K) of the shares of wrong labels among the labels of each class.

    Examples
    --------
    >>> from goldvein.noise.calibration import Inputs, Map
    >>> from goldvein.noise.class_noise import fit_class_noise
    >>> probs = np.repeat([[0.95, 0.05], [0.05, 0.95]], 100, axis=0)
    >>> y = np.r_[np.zeros(90), np.ones(110)].astype(int)
    >>> inputs = Inputs.of(probs)
    >>> problem = Problem(y, Map(inputs.logs(probs), False), inputs, np.full(200, -1))
    >>> C = share_covariance(fit_class_noise(problem, "symmetric"), problem)
    >>> bool((np.sqrt(np.diag(C)) < 0.1).all())
    True
    """
    size, k = problem.map.size, problem.map.k
    rows, y, v = problem.rows, problem.y, reading.parameters
    if reading.ties is None:
        q: Floats = problem.map.clean_probs(problem.map.logits(v[:size]))
        by_noise = np.zeros((len(y), len(v) - size))
    else:
        likelihood = Likelihood(problem, reading.ties)
        _, q, _ = likelihood.posterior(v)
        off, main, _ = reading.ties.rates(v[size:])
        own = np.zeros_like(q)
        own[rows, y] = 1
        # d log P(true = given | x, given) = d log right rate - d log likelihood
        right = -reading.ties.sum(own * off, own * main)
        by_noise = right - likelihood.scores(v)[:, size:]
    p_right = q[rows, y]
    by_logit = -q
    by_logit[rows, y] += 1
    gradient = -p_right[:, None] * np.concatenate([problem.map.scores(by_logit), by_noise], 1)
    gradient[problem.true >= 0] = 0
    J = np.zeros((k, len(v)))
    order = np.argsort(y, kind="stable")
    given, first, n = np.unique(y[order], return_index=True, return_counts=True)
    J[given] = np.add.reduceat(gradient[order], first, axis=0) / n[:, None]
    spread = J * reading.covariance if reading.covariance.ndim == 1 else J @ reading.covariance
    return np.asarray(spread @ J.T)
