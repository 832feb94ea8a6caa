"""CSV and JSON as a run folder holds them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from goldvein.files import write_text, write_whole
from goldvein.runs.folder import check_new, damaged

if TYPE_CHECKING:
    import pandas as pd


def as_json(value: Any) -> str:
    """Strict JSON: numpy's numbers and arrays as plain ones, NaN and infinity as null, anything else as its repr.

    Examples
    --------
    >>> as_json({"rate": float("nan"), "T": np.eye(2)})
    '{"rate": null, "T": [[1.0, 0.0], [0.0, 1.0]]}'
    """
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """An object as strict JSON, a line a key, whole or not at all."""
    lines = [f"  {as_json(key)}: {as_json(item)}" for key, item in value.items()]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read_json(path: Path) -> dict[str, Any]:
    """An object that :func:`write_json` wrote.

    Raises
    ------
    InputError
        If the file is missing or holds anything else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    if not isinstance(value, dict):
        raise damaged(path, "it holds no object")
    return value


def write_table(path: Path, table: pd.DataFrame) -> None:
    """A table as CSV in UTF-8, numbers with six digits, whole or not at all."""
    texts = table.select_dtypes(exclude="number")
    # a carriage return that is not quoted is the end of a line to most readers, and the csv module leaves it bare
    bare = any(texts[name].astype(str).str.contains("\r", regex=False).any() for name in texts)
    form: dict[str, Any] = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
    form["quoting"] = csv.QUOTE_NONNUMERIC if bare else csv.QUOTE_MINIMAL
    write_whole(path, lambda file: table.to_csv(file, **form))


def write_new(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV to a file that does not exist yet.

    Raises
    ------
    InputError
        If it exists, or cannot be written.
    """
    check_new(path)
    write_table(Path(path), table)


def predictions(ids: NDArray[np.str_], probs: NDArray[np.float32], classes: Sequence[str | int]) -> pd.DataFrame:
    """The table id, predicted, confidence, prob_CLASS.

    Parameters
    ----------
    ids : ndarray of shape (N,), str
    probs : ndarray of shape (N, K), float32
        N may be 0.
    classes : sequence of length K

    Examples
    --------
    >>> print(predictions(np.array(["a.png"]), np.float32([[0.25, 0.75]]), ("cat", "dog")).to_csv(index=False))
    id,predicted,confidence,prob_cat,prob_dog
    a.png,dog,0.75,0.25,0.75
    <BLANKLINE>
    """
    import pandas as pd

    beside = {
        "id": ids,
        "predicted": [classes[k] for k in probs.argmax(1)],
        "confidence": probs.max(1, initial=0.0),
    }
    columns = pd.DataFrame(probs, columns=[f"prob_{label}" for label in classes])
    return pd.concat([pd.DataFrame(beside), columns], axis=1)


def read_table(
    path: Path,
    labels: Sequence[str],
    kinds: dict[str, type],
    classes: Sequence[str | int],
    *,
    more: dict[str, type] | None = None,
) -> pd.DataFrame:
    """A table that :func:`write_table` wrote; ``NA`` and the like stay the text that they are.

    Parameters
    ----------
    path : Path
    labels : sequence of str
        Columns of labels: they come back as the ``classes`` are, blank as "".
    kinds : dict of str to type
        Every other column but ``id``, which is text.
    classes : sequence of str or int
    more : dict of str to type, optional
        Columns that may be missing; then any further ones may come too, and hold numbers.

    Raises
    ------
    InputError
        If the file is missing, or its columns or values are others.
    """
    import pandas as pd

    dtypes: dict[str, Any] = {"id": str, **dict.fromkeys(labels, str), **kinds}
    written = {str(label): label for label in classes} | {"": ""}
    try:
        if more is not None:
            found = [str(name) for name in pd.read_csv(path, nrows=0)]
            dtypes |= {name: more.get(name, float) for name in found if name not in dtypes}
        numbers = [name for name, kind in dtypes.items() if kind is float]
        table = pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values={name: [""] for name in numbers})
        table = table[list(dtypes)]
        for name in labels:
            table[name] = pd.Series([written[label] for label in table[name]], dtype=object)
    except (OSError, ValueError, KeyError, OverflowError) as error:
        raise damaged(path, error) from error
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else repr(value)
