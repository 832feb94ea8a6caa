"""CSV and Parquet files: which column is what, and the inputs that they give."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from goldvein.data.check import check_ids, check_labels, check_trusted
from goldvein.data.columns import Columns, as_text, read_columns
from goldvein.data.dataset import Dataset, Kind
from goldvein.data.images import SUFFIXES, Decoding, read_images
from goldvein.data.labels import Classes, encode_labels
from goldvein.data.tabular import apply_plan, plan_columns
from goldvein.data.text import apply_text, looks_like_text, plan_text
from goldvein.errors import InputError, unknown
from goldvein.rows import Rows

LABEL_NAMES = ("label", "y", "target", "class")
PATH_NAMES = ("path", "file", "filename", "image")
BESIDE = ("id", "trusted", "y_true")
YES = frozenset(("true", "yes", "1", "1.0"))
NO = frozenset(("false", "no", "0", "0.0", ""))
ROW_NUMBERS = ("", "Unnamed: 0", "__index_level_0__")  # the index that pandas writes beside the columns


def read_table(path: Path, label: str | None, how: Decoding, spec: dict[str, Any] | None = None) -> Dataset:
    """Inputs and labels from a CSV or Parquet file.

    Columns named ``label`` (or ``y``, ``target``, ``class``, or as the argument says), ``id``, ``trusted``
    and ``y_true`` have these meanings; capitals do not matter. The inputs are, in this order: the image files
    that a column ``path`` (``file``, ``filename``, ``image``) names, relative to the folder of the table; the
    texts of a column ``text``, or of the only column left if it looks like text; all other columns as numbers
    and categories. The row numbers that pandas writes are left out.

    Parameters
    ----------
    path : Path
    label : str, optional
        Name of the label column. Only a blank label is a missing one.
    how : Decoding
    spec : dict, optional
        Of an earlier reading; then the label column may be absent.

    Raises
    ------
    InputError
        If there is no label column (without ``spec``), no input, a choice between inputs, a path that leaves
        the folder of the table, a bad image (unless ``how.skip_bad``), a blank or repeated id, a mark in
        ``trusted`` that is not yes or no or stands beside no label, or labels that :func:`check_labels` refuses.
    """
    columns = read_columns(path)
    label = _label_name(path, columns, label, spec)
    y, classes = _labels(columns, label, None if spec is None else tuple(spec["classes"]))
    if spec is None:
        check_labels(y, classes)
    beside = {name.lower(): name for name in _named(columns, BESIDE) if name != label}
    y_true, trusted, ids = _beside({role: as_text(columns[name]) for role, name in beside.items()}, y, classes)
    inputs = [name for name in columns if name not in (label, *ROW_NUMBERS, *beside.values())]
    x, kept, made, skipped = _inputs(path, columns, inputs, how, spec)
    y = y[kept]
    if spec is None:
        check_labels(y, classes)
        made |= {"label": label, "classes": list(classes)}
    kind: Kind = "image" if made["reader"] == "images" else "vector"
    y_true = None if y_true is None else y_true[kept]
    trusted = None if trusted is None else trusted[kept]
    return Dataset(str(path), kind, x, y, classes, ids[kept], y_true, trusted, spec=made, skipped=skipped)


def _labels(columns: Columns, name: str | None, classes: Classes | None) -> tuple[np.ndarray, Classes]:
    n_rows = len(next(iter(columns.values())))
    return encode_labels(as_text(columns[name]) if name is not None else [""] * n_rows, classes)


def _beside(
    cells: dict[str, list[str]], y: np.ndarray, classes: Classes
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray]:
    """``y_true``, ``trusted`` and ``id``, as far as there are such columns."""
    y_true = encode_labels(cells["y_true"], classes, what="y_true label")[0] if "y_true" in cells else None
    trusted = _trusted(cells["trusted"], y) if "trusted" in cells and (y >= 0).any() else None
    ids = np.array([cell.strip() for cell in cells["id"]] if "id" in cells else np.arange(len(y)).astype(str))
    check_ids(ids)
    return y_true, trusted, ids


def _named(columns: Columns, names: Sequence[str]) -> list[str]:
    """Columns of these names in any case, in the order of the names."""
    found = {name.lower(): name for name in reversed(columns)}
    return [found[name] for name in names if name in found]


def _label_name(path: Path, columns: Columns, label: str | None, spec: dict[str, Any] | None) -> str | None:
    if label is not None:
        if label not in columns:
            raise unknown("column", label, columns)
        return label
    if spec is not None and spec.get("label") is not None:
        return spec["label"] if spec["label"] in columns else None
    usual = _named(columns, LABEL_NAMES)
    if usual:
        return usual[0]
    if spec is not None:
        return None
    found = ", ".join(columns)
    raise InputError(f"{path} has the columns {found}; name the one that holds the labels (--label COLUMN)")


def _inputs(
    path: Path, columns: Columns, names: list[str], how: Decoding, spec: dict[str, Any] | None
) -> tuple[Rows, np.ndarray, dict[str, Any], tuple[tuple[str, str], ...]]:
    """Inputs, the rows that they are of, spec, skipped files."""
    reader, name = _source(path, columns, names) if spec is None else _same_source(path, columns, spec)
    if reader == "images":
        images = read_images(_files(path, as_text(columns[name])), how, spec)
        return images.x, images.kept, spec or {**images.spec, "path": name}, images.skipped
    if how.image_size is not None:
        raise InputError(f"image_size={how.image_size}: {path} holds no images; leave it out")
    x: np.ndarray
    if reader == "text":
        texts = as_text(columns[name])
        spec = spec or {"reader": "text", "text": name, **plan_text(texts)}
        x = apply_text(texts, spec)
    else:
        spec = spec or {"reader": "table", "columns": plan_columns(columns, names)}
        if not spec["columns"]:
            raise InputError(f"{path} has no column to learn from; add numbers, categories or texts")
        x = apply_plan(columns, spec["columns"])
    return x, np.arange(len(x)), spec, ()


def _source(path: Path, columns: Columns, names: list[str]) -> tuple[str, str]:
    """Which reader fits, and the column that it reads ("" for all)."""
    paths = _image_columns(columns, names)
    if paths:
        return "images", paths[0]
    text = [name for name in _named(columns, ("text",)) if name in names]
    if text:
        return "text", text[0]
    words = [name for name in names if columns[name].dtype == object and looks_like_text(columns[name].tolist())]
    if not words:
        return "table", ""
    if len(names) > 1:
        raise InputError(
            f"{path} has texts ({', '.join(words)}) among the columns {', '.join(names)}; "
            "rename the one to learn from to 'text', or leave them out"
        )
    return "text", words[0]


def _same_source(path: Path, columns: Columns, spec: dict[str, Any]) -> tuple[str, str]:
    """The column that takes the place of the one in ``spec``."""
    reader = spec["reader"]
    if reader == "table":
        return reader, ""
    trained = spec.get("path" if reader == "images" else "text")
    if trained in columns:
        return reader, trained
    paths = _image_columns(columns, list(columns)) if reader == "images" else []
    if not paths:
        what = f"column {trained!r}" if trained else f"a column of image files named {' or '.join(PATH_NAMES)}"
        raise InputError(f"{path} lacks {what}, which the model needs; it has {', '.join(columns)}")
    return reader, paths[0]


def _image_columns(columns: Columns, names: list[str]) -> list[str]:
    named = [name for name in _named(columns, PATH_NAMES) if name in names]
    return [name for name in named if _names_images(as_text(columns[name]))]


def _names_images(cells: Sequence[str]) -> bool:
    first = next((cell for cell in cells if cell.strip()), "")
    return Path(first.strip()).suffix.lower() in SUFFIXES


def _files(path: Path, cells: Sequence[str]) -> list[Path]:
    """Image files that a table names, none of them outside the table's folder."""
    home = path.parent.resolve()
    files = []
    for row, cell in enumerate(cells):
        if not cell.strip() or "\0" in cell:
            raise InputError(f"the path of row {row} is {cell!r}; name an image file below {path.parent}")
        file = Path(os.path.realpath(home / cell.strip()))
        if not file.is_relative_to(home):
            raise InputError(
                f"path {cell!r} of row {row} leaves {path.resolve().parent}; copy the file into that folder"
            )
        files.append(file)
    return files


def _trusted(cells: Sequence[str], y: np.ndarray) -> np.ndarray:
    marks = [cell.strip().lower() for cell in cells]
    for row, mark in enumerate(marks):
        if mark not in YES and mark not in NO:
            raise InputError(f"trusted holds {cells[row]!r} in row {row}; write true or false")
    trusted = np.array([mark in YES for mark in marks])
    check_trusted(trusted, y)
    return trusted
