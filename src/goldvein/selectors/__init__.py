"""Selectors, one file each: which given labels to trust.

A selector has a method ``select(y, **signals)``. It gets the labels (N,), with -1 for a missing label, and the arrays
that ``needs`` names. It returns a :data:`Selection`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.config.names import exports, find, names
from goldvein.errors import InputError

Floats = NDArray[np.floating]
Selection = tuple[NDArray[np.floating], NDArray[np.bool_]]
"""``label_quality`` (N,), low for a suspicious label and NaN for a missing one, and the mask (N,) of kept labels."""


__getattr__, __dir__ = exports("selectors")


def check_needs(selector: Any, given: tuple[str, ...], method: str) -> None:
    """Refuse a selector that needs an array that a method does not have.

    Raises
    ------
    InputError
        The message lists the selectors that the method can use.
    """
    lacking = [name for name in selector.needs if name not in given]
    if lacking:
        usable = [name for name in names("selectors") if set(find("selectors", name).needs) <= set(given)]
        raise InputError(
            f"{type(selector).__name__} needs `{lacking[0]}`, which {method} does not provide; "
            f"use one of {', '.join(usable)}"
        )


def select_apart(
    selector: Any, y: NDArray[np.int64], held_out: NDArray[np.bool_], **signals: NDArray[Any]
) -> NDArray[np.bool_]:
    """Return the mask (N,) of labels that a selector trusts, judged separately for held-out rows and other rows.

    Parameters
    ----------
    selector : selector
    y : ndarray of shape (N,), int64
        Given labels; -1 is a missing one.
    held_out : ndarray of shape (N,), bool
    **signals
        Arrays of N rows, by name; the selector gets those that it needs.
    """
    wanted = {name: signals[name] for name in selector.needs}
    keep = np.zeros(len(y), dtype=bool)
    # A network is more confident in rows that it was trained on. In a common ranking, all held-out rows of a hard class
    # would lose their labels.
    for part in (held_out, ~held_out):
        if (part & (y >= 0)).any():
            keep |= selector.select(np.where(part, y, -1), **wanted)[1]
    return keep
