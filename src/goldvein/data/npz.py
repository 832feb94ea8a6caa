"""Arrays from an ``.npz`` file: ``X``, ``y``, and optionally ``trusted``, ``ids``, ``y_true``."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.data.check import check_finite, check_ids, check_labels
from goldvein.data.dataset import Dataset
from goldvein.data.labels import encode_label_array
from goldvein.data.spec import ImagesSpec, VectorsSpec, spec_of_shape
from goldvein.data.targets import as_trusted_mask
from goldvein.errors import InputError


def read_npz(path: Path, spec: ImagesSpec | VectorsSpec | None = None, missing: Sequence[str] = ()) -> Dataset:
    """Return the inputs and labels that ``numpy.savez`` wrote.

    Parameters
    ----------
    path : Path
        ``X``: (N, D) numbers become float32 vectors. uint8 arrays of shape (N, H, W), (N, H, W, C) or (N, C, H, W)
        with C 1 or 3 are images; if both ends fit, the channels are last.
        ``y``: (N,) integers with -1 for missing, or strings with "" for missing.
        ``trusted``: (N,) bool, labels known to be right.
        ``ids``: (N,) distinct; by default the row numbers.
        ``y_true``: like ``y``, with the same classes.
    spec : ImagesSpec or VectorsSpec, optional
        Spec of the training data; then ``y`` may be absent.
    missing : sequence of str
        Labels of ``y`` that mean that there is none, beside -1 and "".

    Raises
    ------
    InputError
        If an array is missing, has another length, shape or type, or holds Python objects; if X holds NaN or
        infinity; if a trusted row has no label; if :func:`check_labels` refuses the labels or ``spec`` does not have
        them.
    """
    arrays = _read_arrays(path)
    if "X" not in arrays or (spec is None and "y" not in arrays):
        raise InputError(f"{path} holds {', '.join(arrays) or 'nothing'}; save it with numpy.savez(path, X=X, y=y)")
    x = _as_inputs(arrays["X"])
    n = len(x)
    for name, array in arrays.items():
        if array.shape[:1] != (n,):
            raise InputError(f"{name} has shape {array.shape}, but X has {n} rows; every array needs one entry per row")
    check_finite(x)
    own = spec_of_shape(x.shape)
    marks = list(missing) if spec is None else spec.get("missing", [])
    given = arrays.get("y", np.full(n, -1))
    if marks:
        given = np.where(np.isin(given.astype(str), marks), "" if given.dtype.kind == "U" else -1, given)
    y, classes = encode_label_array(given, None if spec is None else tuple(spec["classes"]))
    if spec is None:
        check_labels(y, classes)
        own["classes"] = list(classes)
        if marks:
            own["missing"] = marks
    elif any(spec.get(key) != value for key, value in own.items()):
        trained = (spec["width"],) if spec["reader"] == "vectors" else (spec["channels"], *spec["size"])
        raise InputError(f"X has rows of shape {x.shape[1:]}: the model was trained on rows of shape {trained}")
    return Dataset(
        name=str(path),
        kind="image" if x.ndim == 4 else "vector",
        x=x,
        y=y,
        classes=classes,
        ids=_as_ids(arrays.get("ids", np.arange(n))),
        y_true=encode_label_array(arrays["y_true"], classes, "y_true")[0] if "y_true" in arrays else None,
        # without labels, no label can be trusted
        trusted=as_trusted_mask(arrays["trusted"], y) if "trusted" in arrays and "y" in arrays else None,
        spec=spec or own,
    )


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    wanted = ("X", "y", "trusted", "ids", "y_true")
    fix = "save it with numpy.savez(path, X=X, y=y)"
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a complete .npz file; {fix}")
    try:
        with np.load(path, allow_pickle=False) as file:  # a pickle can run any code
            return {name: file[name] for name in wanted if name in file.files}
    except Exception as error:  # for a broken archive, zipfile, zlib and numpy raise a dozen types
        if "allow_pickle" not in str(error):
            raise InputError(f"{path} cannot be read ({error}); {fix}") from error
        raise InputError(
            f"{path} holds Python objects, which could run code when loaded; save X as X.astype('float32'), "
            "and y and ids with .astype(str) or .astype('int64')"
        ) from error


def _as_inputs(x: NDArray[Any]) -> NDArray[Any]:
    """Return images (N, C, H, W) uint8 or vectors (N, D) float32."""
    if x.size == 0 or x.dtype.kind not in "biuf":
        raise InputError(f"X has shape {x.shape} and dtype {x.dtype}; give at least one row of numbers")
    if x.ndim == 2:
        # a float64 beyond the float32 range becomes infinite here, and check_finite reports it
        with np.errstate(over="ignore"):
            return x.astype(np.float32)
    if x.ndim == 3 and x.dtype == np.uint8:
        return x[:, None]  # (N, 1, H, W)
    if x.ndim == 4 and x.dtype == np.uint8:
        if x.shape[3] in (1, 3):  # tested first: if both ends fit, the channels are last
            return np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        if x.shape[1] in (1, 3):
            return x
    raise InputError(
        f"X has shape {x.shape} and dtype {x.dtype}; give (N, D) numbers, or uint8 images of shape "
        "(N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3"
    )


def _as_ids(ids: NDArray[Any]) -> NDArray[np.str_]:
    if ids.dtype.kind not in "biuU" or ids.ndim != 1:
        raise InputError(f"ids has dtype {ids.dtype} and shape {ids.shape}; give (N,) strings or integers")
    names = ids.astype(str)
    check_ids(names)
    return names
