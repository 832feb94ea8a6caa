"""Schedules: numbers that change with the epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable


def rampup(epoch: float, length: float) -> float:
    """Gaussian ramp-up from exp(-5) to 1 over ``length`` epochs (Laine & Aila 2017, section 3.1).

    ``exp(-5 (1 - epoch / length)^2)`` before ``length``, 1 from there on; a length of 0 is no ramp.

    Examples
    --------
    >>> [round(rampup(e, 80), 6) for e in (0, 20, 79, 80)]
    [0.006738, 0.060055, 0.999219, 1.0]
    """
    return math.exp(-5 * (1 - epoch / length) ** 2) if epoch < length else 1.0


def rampdown(epoch: float, n_epochs: float, length: float) -> float:
    """Gaussian ramp-down over the last ``length`` of ``n_epochs`` epochs (Laine & Aila 2017, section 3.1).

    Examples
    --------
    >>> [round(rampdown(e, 300, 50), 6) for e in (249, 250, 275, 299)]
    [1.0, 1.0, 0.043937, 6e-06]
    """
    start = n_epochs - length
    return math.exp(-12.5 * ((epoch - start) / length) ** 2) if length and epoch >= start else 1.0


def staircase(done: float, steps: Iterable[float], factor: float = 0.1) -> float:
    """``factor`` to the number of ``steps`` that lie at or below ``done``: a rate that falls at milestones.

    Examples
    --------
    >>> [round(staircase(share, (0.5, 0.75)), 4) for share in (0.49, 0.5, 0.8)]
    [1.0, 0.1, 0.01]
    """
    return factor ** sum(done >= step for step in steps)
