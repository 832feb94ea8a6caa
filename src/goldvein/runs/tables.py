"""The CSV and JSON files of a run folder, written and read."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from goldvein.files import write_text, write_whole
from goldvein.runs.folder import check_new_file, damaged

if TYPE_CHECKING:
    import pandas as pd


def as_json(value: Any) -> str:
    """Return a value as strict JSON.

    Numbers and arrays of numpy become numbers and lists, NaN and infinity become null, any other object its ``repr``.

    Examples
    --------
    >>> as_json({"rate": float("nan"), "T": np.eye(2)})
    '{"rate": null, "T": [[1.0, 0.0], [0.0, 1.0]]}'
    """
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)  # NaN is not JSON


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write an object as strict JSON with one line per key: the whole file, or no file."""
    lines = [f"  {as_json(key)}: {as_json(item)}" for key, item in value.items()]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read an object that :func:`write_json` wrote.

    Raises
    ------
    InputError
        If the file is missing or contains anything else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    if not isinstance(value, dict):
        raise damaged(path, "it is not a JSON object")
    return value


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV in UTF-8, numbers with six digits: the whole file, or no file."""
    texts = table.select_dtypes(exclude="number")
    # the csv module does not quote a carriage return by itself, but most readers end the line there
    has_return = any(texts[name].astype(str).str.contains("\r", regex=False).any() for name in texts)
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL
    # the same line ends on every system
    write_whole(
        path, lambda file: table.to_csv(file, index=False, float_format="%.6g", lineterminator="\n", quoting=quoting)
    )


def write_new_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV to a file that does not exist yet.

    Raises
    ------
    InputError
        If the file exists or cannot be written.
    """
    check_new_file(path)
    write_table(Path(path), table)


def tabulate_predictions(
    ids: NDArray[np.str_], probs: NDArray[np.float32], classes: Sequence[str | int]
) -> pd.DataFrame:
    """Return the table id, predicted, confidence, prob_CLASS.

    Parameters
    ----------
    ids : ndarray of shape (N,), str
    probs : ndarray of shape (N, K), float32
        N may be 0.
    classes : sequence of length K

    Examples
    --------
    >>> table = tabulate_predictions(np.array(["a.png"]), np.float32([[0.25, 0.75]]), ("cat", "dog"))
    >>> print(table.to_csv(index=False))
    id,predicted,confidence,prob_cat,prob_dog
    a.png,dog,0.75,0.25,0.75
    <BLANKLINE>
    """
    import pandas as pd

    first = {
        "id": ids,
        "predicted": [classes[k] for k in probs.argmax(1)],
        "confidence": probs.max(1, initial=0.0),
    }
    columns = pd.DataFrame(probs, columns=[f"prob_{label}" for label in classes])
    return pd.concat([pd.DataFrame(first), columns], axis=1)


def read_table(
    path: Path,
    labels: Sequence[str],
    types: dict[str, type],
    classes: Sequence[str | int],
    *,
    optional: dict[str, type] | None = None,
) -> pd.DataFrame:
    """Read a table that :func:`write_table` wrote; ``NA`` and similar words stay text.

    Parameters
    ----------
    path : Path
    labels : sequence of str
        Columns of labels. Their values are those of ``classes``; an empty cell is "".
    types : dict of str to type
        Types of the other columns, except ``id``, which is text.
    classes : sequence of str or int
    optional : dict of str to type, optional
        Columns that may be missing. With it, the table may have further columns, which contain numbers.

    Raises
    ------
    InputError
        If the file is missing, or has other columns or values.
    """
    import pandas as pd

    dtypes: dict[str, Any] = {"id": str, **dict.fromkeys(labels, str), **types}
    written = {str(label): label for label in classes} | {"": ""}
    try:
        if optional is not None:
            found = [str(name) for name in pd.read_csv(path, nrows=0)]
            dtypes |= {name: optional.get(name, float) for name in found if name not in dtypes}
        numbers = [name for name, dtype in dtypes.items() if dtype is float]  # only there, an empty cell is NaN
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
