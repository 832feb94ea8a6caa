"""The part of an estimator that takes inputs as a person holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from goldvein.data.check import are_vectors, as_images, to_dense
from goldvein.data.frames import InputSpec, read_inputs
from goldvein.errors import InputError
from goldvein.rows import Rows


class TakesInputs:
    """Adds the reading of inputs to an estimator, which has ``model`` and no other inputs than those of ``fit``.

    Attributes
    ----------
    spec_ : dict or None
        How the training rows were read; see :func:`goldvein.data.frames.read_inputs`.
    """

    model: Any
    spec_: InputSpec | None

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = True
        return tags

    def _read(self, X: Any, *, reset: bool) -> Any:
        """Rows that a classifier takes; one that the user gave as an object gets them as they are."""
        if hasattr(self.model, "fit") and hasattr(self.model, "predict"):
            self.spec_ = None
            return X
        rows, self.spec_ = read_inputs(X, None if reset else self.spec_, reset=reset)
        return rows

    def _as_vectors(self, X: Any, *, reset: bool) -> Any:
        """Rows for a classifier that is no network."""
        X = self._read(X, reset=reset)
        if hasattr(self.model, "fit"):
            validate_data(self, X, reset=reset, skip_check_array=True)  # notes the number and the names of the columns
            return X
        return self._checked(X, reset)

    def _as_rows(self, X: Any, *, fitted: tuple[int, ...] | None = None) -> Rows:
        """Rows for a network, (n, *input_shape): a uint8 or float32 array, or whatever is read batch by batch.

        ``fitted`` is the shape of a training row; without it, these are the training rows.
        """
        reset = fitted is None
        X = self._read(X, reset=reset)
        if are_vectors(X):
            return to_dense(self._checked(X, reset))
        rows: Rows = as_images(X) if hasattr(X, "__array__") else X
        if not reset and tuple(rows.shape[1:]) != fitted:
            raise InputError(f"an input has shape {tuple(rows.shape[1:])}: the model was fitted on {fitted}")
        return rows

    def _checked(self, X: Any, reset: bool) -> Any:
        """Vectors (n, D) as float32, sparse ones as CSR, all of them finite."""
        options = {"accept_sparse": "csr", "dtype": np.float32, "ensure_min_samples": 2 if reset else 0}
        rows = validate_data(self, X, reset=reset, ensure_all_finite=False, **options)
        values = rows.data if issparse(rows) else rows
        if not np.isfinite(values).all():
            where = "" if issparse(rows) else f", the first in row {int((~np.isfinite(values)).any(axis=1).argmax())}"
            raise InputError(
                f"X holds NaN or infinity{where}: fill such cells, or give a frame, whose empty cells get the median"
            )
        return rows
