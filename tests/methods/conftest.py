"""A problem whose noise is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Noisy:
    """Rows (N, 2) of three classes that hardly overlap, whose labels went through T."""

    x: np.ndarray
    y: np.ndarray
    y_true: np.ndarray
    T: np.ndarray


def noisy(T: list[list[float]], n: int = 450) -> Noisy:
    rng = np.random.default_rng(0)
    y_true = np.arange(n) % 3
    centers = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    x = (centers[y_true] + rng.normal(0, 1, (n, 2))).astype(np.float32)
    y = (rng.random(n)[:, None] > np.array(T)[y_true].cumsum(1)).sum(1)
    return Noisy(x, y, y_true, np.array(T))


@pytest.fixture(scope="session")
def chain() -> Noisy:
    """40 % of two classes are labeled as the class before them; the labels of the first are right."""
    return noisy([[1, 0, 0], [0.4, 0.6, 0], [0, 0.4, 0.6]])


@pytest.fixture(scope="session")
def swap() -> Noisy:
    """60 % of two classes are labeled as each other: most of their labels are wrong."""
    return noisy([[0.4, 0.6, 0], [0.6, 0.4, 0], [0, 0, 1]])
