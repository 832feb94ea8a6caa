"""Arrays from an ``.npz`` file: ``X``, ``y``, and optionally ``trusted``, ``ids``, ``y_true``."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from goldvein.data.check import check_finite, check_ids, check_labels
from goldvein.data.dataset import Dataset, Kind
from goldvein.data.labels import encode_label_array
from goldvein.data.targets import as_trusted_mask
from goldvein.errors import InputError


def read_npz(path: Path, spec: dict[str, Any] | None = None) -> Dataset:
    """Inputs and labels that ``numpy.savez`` wrote.

    Parameters
    ----------
    path : Path
        ``X``: (N, D) numbers become float32 vectors; uint8 of shape (N, H, W), (N, H, W, C) or (N, C, H, W)
        with C 1 or 3 are images (where both ends fit, channels are last).
        ``y``: (N,) integers, -1 missing, or strings, "" missing.
        ``trusted``: (N,) bool, labels known to be right.
        ``ids``: (N,) distinct, by default the row numbers. ``y_true``: as ``y``, of the same classes.
    spec : dict, optional
        Of an earlier reading; then ``y`` may be absent.

    Raises
    ------
    InputError
        If an array is missing, of another length, shape or type, or holds Python objects; if X holds NaN or
        infinity; if a trusted row has no label; if labels are refused by :func:`check_labels` or unknown to ``spec``.
    """
    arrays = _load(path)
    if "X" not in arrays or (spec is None and "y" not in arrays):
        raise InputError(f"{path} holds {', '.join(arrays) or 'nothing'}; save it by numpy.savez(path, X=X, y=y)")
    x, kind = _inputs(arrays["X"])
    n = len(x)
    for name, array in arrays.items():
        if array.shape[:1] != (n,):
            raise InputError(f"{name} has shape {array.shape} beside {n} rows of X; every array needs one entry a row")
    check_finite(x)
    classes = None if spec is None else tuple(spec["classes"])
    y, classes = encode_label_array(arrays.get("y", np.full(n, -1)), classes)
    if spec is None:
        check_labels(y, classes)
        spec = {**_shape_spec(x), "classes": list(classes)}
    elif any(spec.get(key) != value for key, value in _shape_spec(x).items()):
        trained = (spec["width"],) if spec["reader"] == "vectors" else (spec["channels"], *spec["size"])
        raise InputError(f"X has rows of shape {x.shape[1:]}: the model was trained on rows of shape {trained}")
    y_true = encode_label_array(arrays["y_true"], classes, "y_true")[0] if "y_true" in arrays else None
    trusted = as_trusted_mask(arrays["trusted"], y) if "trusted" in arrays and "y" in arrays else None
    ids = _ids(arrays.get("ids", np.arange(n)))
    return Dataset(str(path), kind, x, y, classes, ids, y_true, trusted, spec=spec)


def _load(path: Path) -> dict[str, np.ndarray]:
    wanted = ("X", "y", "trusted", "ids", "y_true")
    mend = "save it by numpy.savez(path, X=X, y=y)"
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a whole .npz file; {mend}")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in wanted if name in file.files}
    except Exception as error:  # of a broken archive: zipfile, zlib and numpy raise a dozen kinds
        if "allow_pickle" not in str(error):
            raise InputError(f"{path} cannot be read ({error}); {mend}") from error
        raise InputError(
            f"{path} holds Python objects, which could run code when loaded; save X by X.astype('float32') "
            "and y and ids by .astype(str) or .astype('int64')"
        ) from error


def _inputs(x: np.ndarray) -> tuple[np.ndarray, Kind]:
    if x.size == 0 or x.dtype.kind not in "biuf":
        raise InputError(f"X has shape {x.shape} and dtype {x.dtype}; give at least one row of numbers")
    if x.ndim == 2:
        # a float64 beyond float32 becomes infinite here and is told by check_finite
        with np.errstate(over="ignore"):
            return x.astype(np.float32), "vector"
    if x.ndim == 3 and x.dtype == np.uint8:
        return x[:, None], "image"
    if x.ndim == 4 and x.dtype == np.uint8:
        if x.shape[3] in (1, 3):
            return np.ascontiguousarray(x.transpose(0, 3, 1, 2)), "image"
        if x.shape[1] in (1, 3):
            return x, "image"
    raise InputError(
        f"X has shape {x.shape} and dtype {x.dtype}; give (N, D) numbers, or uint8 images of shape "
        "(N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3"
    )


def _shape_spec(x: np.ndarray) -> dict[str, Any]:
    if x.ndim == 2:
        return {"reader": "vectors", "width": x.shape[1]}
    return {"reader": "images", "size": list(x.shape[2:]), "channels": x.shape[1]}


def _ids(ids: np.ndarray) -> np.ndarray:
    if ids.dtype.kind not in "biuU" or ids.ndim != 1:
        raise InputError(f"ids has dtype {ids.dtype} and shape {ids.shape}; give (N,) strings or integers")
    names = ids.astype(str)
    check_ids(names)
    return names
