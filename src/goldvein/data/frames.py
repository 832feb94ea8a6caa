"""What a person holds in Python - frames, texts, lists of images - to vectors or images.

A frame of numbers, an array and a sparse matrix stay as they are. Everything else is read as the command line reads a
file: columns become numbers and categories (:mod:`goldvein.data.tabular`), texts become TF-IDF vectors
(:mod:`goldvein.data.text`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.data.check import CHANNELS, are_vectors
from goldvein.data.columns import Column, Columns
from goldvein.data.spec import TableSpec, TextSpec
from goldvein.data.tabular import apply_plan, plan_columns
from goldvein.data.text import apply_text, looks_like_text, plan_text
from goldvein.errors import InputError

InputSpec = TableSpec | TextSpec


def read_inputs(X: Any, spec: InputSpec | None = None, *, reset: bool = True) -> tuple[Any, InputSpec | None]:
    """Return rows that a classifier takes, and how they were read.

    Parameters
    ----------
    X : frame, series, list, array, sparse matrix or data set
        A pandas, polars or pyarrow frame; a list or a column of texts; a list of images (arrays or PIL, all of one
        size); an array (N, H, W) or (N, H, W, channels) of images; or a data set of torch, whose items are rows or
        pairs of row and label. Anything else is returned as it is.
    spec : dict or None
        How the training rows were read.
    reset : bool
        Whether these are the training rows.

    Returns
    -------
    rows : array, sparse matrix, frame or Rows
    spec : dict or None
        None for rows that are taken as they are.

    Raises
    ------
    InputError
        If a frame has texts beside other columns, no column can be learned from, a column of the training rows is
        missing, or images have several sizes.

    Examples
    --------
    >>> import pandas as pd
    >>> rows, spec = read_inputs(pd.DataFrame({"size": [1.0, None, 3.0], "color": ["red", "blue", "red"]}))
    >>> rows.tolist()                                                   # size, "was empty", red
    [[1.0, 0.0, 1.0], [2.0, 1.0, 0.0], [3.0, 0.0, 1.0]]
    >>> read_inputs(pd.DataFrame({"color": ["red"], "size": [5]}), spec, reset=False)[0].tolist()
    [[5.0, 0.0, 1.0]]
    """
    if _is_frame(X):
        if spec is None and (not reset or _has_numbers_only(X)):
            return X, None
        return _read_frame(_to_columns(X), spec)
    texts = _as_texts(X)
    if texts is not None:
        if spec is None and not reset:
            raise InputError("X has texts, and the model was fitted on numbers: give rows of the same kind")
        return _read_texts(texts, spec)
    if spec is not None:
        kind = "texts" if spec["reader"] == "text" else f"the columns {', '.join(c['name'] for c in spec['columns'])}"
        raise InputError(f"X has no names of columns, and the model was fitted on {kind}: give rows of the same kind")
    return _as_arrays(X), None


def holds_vectors(X: Any) -> bool:
    """Return whether :func:`read_inputs` returns vectors, and not images or what is read batch by batch."""
    if _is_frame(X) or _as_texts(X) is not None:
        return True
    if _is_dataset(X):
        X = [_row(X[0])]
    # the first row tells, and the other images need not be copied
    return are_vectors(_as_arrays(X[:1] if isinstance(X, list | tuple | np.ndarray) else X))


def labels_of(X: Any) -> list[Any] | None:
    """Return the labels of a data set of torch whose items are pairs; None for anything else."""
    if not _is_dataset(X) or not isinstance(X[0], tuple):
        return None
    return [_plain(X[i][1]) for i in range(len(X))]


def index_of(X: Any) -> NDArray[Any] | None:
    """Return the index of a pandas frame or series (N,), if it is not just 0 to N - 1 and names each row once.

    Examples
    --------
    >>> import pandas as pd
    >>> index_of(pd.DataFrame({"a": [1, 2]}, index=["x", "y"])).tolist(), index_of(pd.DataFrame({"a": [1, 2]}))
    (['x', 'y'], None)
    """
    index = getattr(X, "index", None)
    if index is None or callable(index) or not hasattr(X, "iloc"):
        return None
    if not index.is_unique or index.nlevels > 1:
        return None
    names = index.to_numpy()
    return None if np.array_equal(names, np.arange(len(names))) else names


def _read_frame(columns: Columns, spec: InputSpec | None) -> tuple[NDArray[np.float32], InputSpec]:
    if spec is None:
        names = list(columns)
        texts = [n for n in names if columns[n].dtype == object and looks_like_text(columns[n].tolist())]
        if texts and len(names) > 1:
            raise InputError(
                f"X has texts ({', '.join(texts)}) among the columns {', '.join(names)}: "
                "give only the column of texts, or leave texts out"
            )
        if texts:
            return _read_texts(columns[texts[0]].tolist(), None, texts[0])
        spec = {"reader": "table", "columns": plan_columns(columns, names)}
        if not spec["columns"]:
            raise InputError(f"X has no column to learn from ({', '.join(names)}): add numbers, categories or texts")
    if spec["reader"] == "text":
        if spec["text"] not in columns:
            raise InputError(f"column {spec['text']!r} is missing: the model was trained on the texts of that column")
        return _read_texts(columns[spec["text"]].tolist(), spec)
    return apply_plan(columns, spec["columns"]), spec


def _read_texts(texts: Sequence[str], spec: InputSpec | None, name: str = "") -> tuple[NDArray[np.float32], InputSpec]:
    if spec is None:
        terms = plan_text(texts)
        spec = {"reader": "text", "text": name, "vocabulary": terms["vocabulary"], "idf": terms["idf"]}
    if spec["reader"] != "text":
        wanted = ", ".join(column["name"] for column in spec["columns"])
        raise InputError(f"X has texts, and the model was fitted on the columns {wanted}: give rows of the same kind")
    return apply_text(texts, spec), spec


def _is_frame(X: Any) -> bool:
    """Return whether X has named columns: pandas, polars or pyarrow."""
    return hasattr(X, "columns") and (hasattr(X, "__dataframe__") or hasattr(X, "__arrow_c_stream__"))


def _names(X: Any) -> list[Any]:
    return list(getattr(X, "column_names", None) or X.columns)


def _has_numbers_only(X: Any) -> bool:
    """Return whether a pandas frame has numbers, or True and False, in each cell, so that it is an array."""
    kinds = [getattr(kind, "kind", None) for kind in getattr(X, "dtypes", ())]
    return hasattr(X, "iloc") and all(kind in tuple("iufb") for kind in kinds) and not bool(X.isna().to_numpy().any())


def _to_columns(X: Any) -> Columns:
    names = _names(X)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"X has {names.count(twice)} columns named {twice!r}: rename all but one")
    return {str(name): _to_column(X[name]) for name in names}


def _to_column(series: Any) -> Column:
    """Return a column as float64 (NaN is empty), or as text ("" is empty)."""
    import pandas as pd

    values = pd.Series(series.to_pylist() if hasattr(series, "to_pylist") else series.to_numpy())
    if hasattr(series, "iloc"):
        values = series
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    empty = values.isna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(values):
        cells = values.dt.strftime("%Y-%m-%dT%H:%M:%S").to_numpy(dtype=object)
    else:
        cells = values.astype(object).to_numpy()
        filled = [cell for cell, missing in zip(cells, empty, strict=True) if not missing]
        if filled and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in filled):
            return np.array([np.nan if m else float(c) for c, m in zip(cells, empty, strict=True)])
    return np.array(["" if m else str(c) for c, m in zip(cells, empty, strict=True)], dtype=object)


def _as_texts(X: Any) -> list[str] | None:
    """Return the texts of a list, an array or a column; None for anything else."""
    if hasattr(X, "shape") and len(X.shape) == 1 and hasattr(X, "dtype"):
        cells: list[Any] = X.to_list() if hasattr(X, "to_list") else np.asarray(X).tolist()
    elif isinstance(X, list | tuple):
        cells = list(X)
    else:
        return None
    if not any(isinstance(cell, str) for cell in cells):
        return None
    odd = next(
        (i for i, cell in enumerate(cells) if not isinstance(cell, str) and cell is not None and cell == cell), None
    )
    if odd is not None:
        raise InputError(f"row {odd} of X is {cells[odd]!r}, and others are texts: give texts only")
    return [cell if isinstance(cell, str) else "" for cell in cells]


def _as_arrays(X: Any) -> Any:
    """Return images as an array (N, channels, H, W); anything else as it is."""
    if _is_dataset(X):
        X = [_row(X[i]) for i in range(len(X))]
    if isinstance(X, list | tuple) and len(X) and (np.ndim(X[0]) > 1 or hasattr(X[0], "getbands")):
        arrays = [np.asarray(image) for image in X]
        sizes = list(dict.fromkeys(array.shape for array in arrays))
        if len(sizes) > 1:
            raise InputError(
                f"images have the shapes {sizes[0]} and {sizes[1]}: give all of them the same size and mode"
            )
        X = np.stack(arrays)
    elif isinstance(X, list | tuple) and len(X) and hasattr(X[0], "shape"):
        X = np.stack([np.asarray(row) for row in X])
    if not isinstance(X, np.ndarray) or X.ndim not in (3, 4):
        return X
    if X.ndim == 3:
        return X[:, None]
    if X.shape[3] in CHANNELS and X.shape[1] not in CHANNELS:
        return np.ascontiguousarray(X.transpose(0, 3, 1, 2))
    return X


def _is_dataset(X: Any) -> bool:
    """Return whether X is a map-style data set of torch: items by number, and nothing of an array."""
    own = type(X).__module__.partition(".")[0]
    if own == "builtins" or hasattr(X, "shape") or hasattr(X, "columns") or hasattr(X, "__array__"):
        return False
    return hasattr(X, "__getitem__") and hasattr(X, "__len__") and len(X) > 0


def _row(item: Any) -> Any:
    """Return the inputs of an item of a data set, which may be a pair of inputs and label."""
    return item[0] if isinstance(item, tuple) else item


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
