"""What held-out labels say: probabilities of training rows as if unseen, and how two models are best mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.noise.transition import LEAST

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
TINY = 1e-12  # a sum of probabilities below this counts as 0
MIN_HELD_OUT, KNOT_ROWS, MAX_KNOTS = 20, 10, 20  # held-out labels, labels per knot, knots


def likeliest_share(old: Floats, new: Floats) -> float:
    """Return the a in [0, 1] for which ``sum log((1 - a) old + a new)`` is largest, to a millionth.

    Parameters
    ----------
    old, new : ndarray of shape (n,)
        Probabilities of the same n events by two models.

    Examples
    --------
    >>> likeliest_share(np.array([0.2, 0.8]), np.array([0.6, 0.7]))
    1.0
    >>> round(likeliest_share(np.array([0.1, 0.9]), np.array([0.9, 0.1])), 4)
    0.5
    """
    start = old.astype(np.float64)
    step = new.astype(np.float64) - start

    def gains(a: float) -> bool:  # whether more of the new helps
        return bool((step / np.maximum(start + a * step, LEAST)).sum() > 0)

    low, high = 0.0, 1.0
    if gains(high):
        return high
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if gains(middle) else (low, middle)
    return low


def match_held_out(y: Ints, probs: Floats, held_out: NDArray[np.bool_]) -> Floats:
    """Return probabilities (n, K) in which training rows are as confident in their label as held-out rows.

    A network is too confident in labels that it was trained on. So the logits of the given label of the training rows
    are shifted until their quantiles match those of the held-out rows. The shift is a line in the logit. It departs
    from the line only where an error of two standard errors in the quantile level cannot explain the difference;
    otherwise a held-out set with few wrong labels by chance would hide wrong labels in the training rows. The other
    classes keep their proportions.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels, none of them missing.
    probs : ndarray of shape (n, K)
    held_out : ndarray of shape (n,), bool
        With fewer than 20 of these rows, or without training rows, nothing changes.

    Examples
    --------
    >>> probs = np.tile([[0.9, 0.1], [0.6, 0.4]], (300, 1))
    >>> held_out = np.arange(600) % 2 == 1
    >>> match_held_out(np.zeros(600, dtype=int), probs, held_out)[0].round(3).tolist()
    [0.6, 0.4]
    """
    if held_out.sum() < MIN_HELD_OUT or held_out.all():
        return probs
    rows = np.arange(len(y))
    own = np.clip(probs[rows, y].astype(float), LEAST, 1 - LEAST)
    logit = np.log(own) - np.log1p(-own)
    n_knots = int(min(MAX_KNOTS, held_out.sum() // KNOT_ROWS))
    levels = (np.arange(n_knots) + 0.5) / n_knots
    seen, unseen = np.quantile(logit[~held_out], levels), np.quantile(logit[held_out], levels)
    error = 2 * np.sqrt(levels * (1 - levels) * (1 / held_out.sum() + 1 / (~held_out).sum()))  # of each level
    low, high = (np.quantile(logit[~held_out], np.clip(levels + sign * error, 0, 1)) for sign in (-1, 1))
    line = _fit_line(seen, unseen - seen, np.maximum(high - low, LEAST))
    rest = unseen - seen - line
    explained = np.where(rest > 0, high - seen, seen - low) / np.maximum(np.abs(rest), LEAST)
    shift = line + rest * np.maximum(0.0, 1 - explained**2)
    moved = logit + np.where(held_out, 0.0, np.interp(logit, seen, shift))
    matched = 1 / (1 + np.exp(-moved))
    out = np.array(probs)
    out[rows, y] = 0
    memorized = out.sum(1) < TINY
    out[memorized] = 1  # the other classes have no proportions to keep, so all get the same
    out[rows, y] = 0
    out *= ((1 - matched) / np.maximum(out.sum(1), TINY)).astype(out.dtype)[:, None]
    out[rows, y] = matched
    return out


def _fit_line(x: Floats, y: Floats, error: Floats) -> Floats:
    """Return at x (n,) the least-squares line through y (n,), whose standard errors are ``error``."""
    weight = 1 / error**2
    from_mean = x - np.average(x, weights=weight)
    slope = np.average(from_mean * y, weights=weight) / max(np.average(from_mean**2, weights=weight), LEAST)
    line: Floats = np.average(y, weights=weight) + slope * from_mean
    return line
