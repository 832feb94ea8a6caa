"""A digest of all that a training run depends on, so that no other run is resumed from its checkpoint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.rows import Rows


def fingerprint(params: Mapping[str, Any], seed: int, rows: Rows, *arrays: NDArray[Any] | None) -> str:
    """A hexadecimal digest of hyper-parameters, seed, inputs and labels.

    Inputs that are not in memory count by their shape.

    Examples
    --------
    >>> x = np.zeros((2, 3))
    >>> fingerprint({"lr": 0.1}, 0, x) == fingerprint({"lr": 0.2}, 0, x)
    False
    """
    digest = hashlib.sha256(json.dumps([seed, dict(params)], default=_name, sort_keys=True).encode())
    for array in arrays:
        digest.update(b"" if array is None else array.tobytes())
    digest.update(np.ascontiguousarray(rows).data if isinstance(rows, np.ndarray) else repr(rows.shape).encode())
    return digest.hexdigest()


def _name(value: object) -> str:
    """A parameter as text; the repr of a function would contain its address."""
    if isinstance(value, np.ndarray):  # the repr of a large array is an excerpt
        return f"{value.dtype} {value.shape} {hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()}"
    return getattr(value, "__qualname__", None) or repr(value)
