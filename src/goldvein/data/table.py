"""CSV and Parquet files: from columns to inputs and labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from goldvein.data.check import check_ids, check_labels, check_trusted
from goldvein.data.columns import Columns, as_text, read_columns
from goldvein.data.dataset import Dataset
from goldvein.data.images import SUFFIXES, Decoding, read_images
from goldvein.data.labels import Classes, encode_labels
from goldvein.data.roles import LABEL_NAMES, PATH_NAMES, TEXT_NAMES, find_inputs, find_named, find_others, read_ids
from goldvein.data.spec import Spec, TableSpec
from goldvein.data.tabular import apply_plan, plan_columns
from goldvein.data.text import apply_text, looks_like_text, plan_text
from goldvein.errors import InputError, unknown
from goldvein.files import resolve_inside
from goldvein.rows import Rows

YES = frozenset(("true", "yes", "1", "1.0"))  # pandas writes 1.0 in a column with empty cells
NO = frozenset(("false", "no", "0", "0.0", ""))


def read_table(
    path: Path, label: str | None, how: Decoding, spec: Spec | None = None, missing: Sequence[str] = ()
) -> Dataset:
    """Return the inputs and labels of a CSV or Parquet file.

    The label column is ``label``, or the first one named ``label``, ``y``, ``target`` or ``class``. The columns ``id``,
    ``trusted`` and ``y_true`` hold row names, trusted labels and true labels. Case does not matter. The inputs are the
    first of these that the table has:

    - the image files named in a column ``path`` (or ``file``, ``filename``, ``image``), relative to the table's folder
    - the texts of a column ``text``, or of the only remaining column if it looks like text
    - all other columns as numbers and categories, except the row numbers that pandas writes

    Parameters
    ----------
    path : Path
    label : str, optional
        Name of the label column. Only an empty cell is a missing label.
    how : Decoding
    spec : Spec, optional
        Spec of the training data; then the label column may be absent.
    missing : sequence of str
        Labels that mean that there is none.

    Raises
    ------
    InputError
        If there is no label column (without ``spec``), there are no inputs, it is not clear which columns are the
        inputs, a path leads out of the table's folder, an image cannot be read (unless ``how.skip_bad``), an id is
        blank or repeated, a cell of ``trusted`` is not yes or no, a trusted row has no label, or
        :func:`check_labels` refuses the labels.
    """
    columns = read_columns(path)
    label = _find_label(path, columns, label, spec)
    ids = read_ids(columns, label)
    written = [""] * len(ids) if label is None else as_text(columns[label])
    marks = list(missing) if spec is None else spec.get("missing", [])
    written = ["" if cell.strip() in marks else cell for cell in written]
    y, classes = encode_labels(written, None if spec is None else tuple(spec["classes"]))
    if spec is None:
        check_labels(y, classes)
    y_true, trusted = _read_known(columns, label, y, classes)
    check_ids(np.array(ids))
    x, kept, found, skipped = _read_inputs(path, columns, find_inputs(columns, label), how, spec)
    y = y[kept]
    if spec is None:
        check_labels(y, classes)  # again, because images that cannot be read are gone
        found["label"], found["classes"] = label, list(classes)
        if marks:
            found["missing"] = marks
    return Dataset(
        name=str(path),
        kind="image" if found["reader"] == "images" else "vector",
        x=x,
        y=y,
        classes=classes,
        ids=np.array(ids)[kept],
        y_true=None if y_true is None else y_true[kept],
        trusted=None if trusted is None else trusted[kept],
        spec=found,
        skipped=skipped,
    )


def _find_label(path: Path, columns: Columns, label: str | None, spec: Spec | None) -> str | None:
    if label is not None:
        if label not in columns:
            raise unknown("column", label, columns)
        return label
    trained = None if spec is None else spec.get("label")
    if trained is not None:
        return trained if trained in columns else None
    usual = find_named(columns, LABEL_NAMES)
    if usual or spec is not None:
        return usual[0] if usual else None
    found = ", ".join(columns)
    raise InputError(f"{path} has the columns {found}; name the one that holds the labels (--label COLUMN)")


def _read_known(
    columns: Columns, label: str | None, y: NDArray[np.int64], classes: Classes
) -> tuple[NDArray[np.int64] | None, NDArray[np.bool_] | None]:
    """Return ``y_true`` and ``trusted``; None for a column that the table does not have."""
    cells = {role: as_text(columns[name]) for role, name in find_others(columns, label).items()}
    y_true = encode_labels(cells["y_true"], classes, what="y_true label")[0] if "y_true" in cells else None
    # new rows may have no labels that could be trusted
    trusted = _read_trusted(cells["trusted"], y) if "trusted" in cells and (y >= 0).any() else None
    return y_true, trusted


def _read_inputs(
    path: Path, columns: Columns, names: list[str], how: Decoding, spec: Spec | None
) -> tuple[Rows, NDArray[np.int64], Spec, tuple[tuple[str, str], ...]]:
    """Return the inputs, the rows that they belong to, the spec and the skipped files."""
    reader, name = _choose_source(path, columns, names) if spec is None else _find_source(path, columns, spec)
    if reader == "images":
        assert spec is None or spec["reader"] == "images"
        images = read_images(_find_files(path, as_text(columns[name])), how, spec)
        return images.x, images.kept, spec or {**images.spec, "path": name}, images.skipped
    if how.image_size is not None:
        raise InputError(f"image_size={how.image_size}: {path} holds no images; leave it out")
    if reader == "text":
        assert spec is None or spec["reader"] == "text"
        texts = as_text(columns[name])
        if spec is None:
            terms = plan_text(texts)
            spec = {"reader": "text", "text": name, "vocabulary": terms["vocabulary"], "idf": terms["idf"]}
        return apply_text(texts, spec), np.arange(len(texts)), spec, ()
    assert spec is None or spec["reader"] == "table"
    of_table: TableSpec = spec or {"reader": "table", "columns": plan_columns(columns, names)}
    if not of_table["columns"]:
        raise InputError(f"{path} has no column to learn from; add numbers, categories or texts")
    x = apply_plan(columns, of_table["columns"])
    return x, np.arange(len(x)), of_table, ()


def _choose_source(path: Path, columns: Columns, names: list[str]) -> tuple[str, str]:
    """Return the reader for these inputs, and the column that it reads ("" for all of them)."""
    paths = _find_image_columns(columns, names)
    if paths:
        return "images", paths[0]
    text = [name for name in find_named(columns, TEXT_NAMES) if name in names]
    if text:
        return "text", text[0]
    texts = [name for name in names if columns[name].dtype == object and looks_like_text(columns[name].tolist())]
    if not texts:
        return "table", ""
    if len(names) > 1:
        raise InputError(
            f"{path} has texts ({', '.join(texts)}) among the columns {', '.join(names)}; "
            "rename the one to learn from to 'text', or leave them out"
        )
    return "text", texts[0]


def _find_source(path: Path, columns: Columns, spec: Spec) -> tuple[str, str]:
    """Return the reader of ``spec``, and the column of this table that it reads ("" for all of them)."""
    reader = spec["reader"]
    if spec["reader"] == "table":
        return reader, ""
    trained = spec.get("path" if reader == "images" else "text")
    if isinstance(trained, str) and trained in columns:
        return reader, trained
    # new images may come from a column of another name; texts may not
    paths = _find_image_columns(columns, list(columns)) if reader == "images" else []
    if not paths:
        what = f"column {trained!r}" if trained else f"a column of image files named {' or '.join(PATH_NAMES)}"
        raise InputError(f"{path} lacks {what}, which the model needs; it has {', '.join(columns)}")
    return reader, paths[0]


def _find_image_columns(columns: Columns, names: list[str]) -> list[str]:
    named = [name for name in find_named(columns, PATH_NAMES) if name in names]
    return [name for name in named if _names_images(as_text(columns[name]))]


def _names_images(cells: Sequence[str]) -> bool:
    first = next((cell for cell in cells if cell.strip()), "")  # a column with such a name may hold something else
    return Path(first.strip()).suffix.lower() in SUFFIXES


def _find_files(path: Path, cells: Sequence[str]) -> list[Path]:
    """Return the image files that a table names; a name that leads out of the table's folder is an error."""
    files = []
    for row, cell in enumerate(cells):
        if not cell.strip() or "\0" in cell:
            raise InputError(f"the path of row {row} is {cell!r}; name an image file below {path.parent}")
        file = resolve_inside(path.parent, cell.strip())  # a table from elsewhere must not read private files
        if file is None:
            raise InputError(
                f"path {cell!r} of row {row} leads out of {path.resolve().parent}; copy the file into that folder"
            )
        files.append(file)
    return files


def _read_trusted(cells: Sequence[str], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    marks = [cell.strip().lower() for cell in cells]
    for row, mark in enumerate(marks):
        if mark not in YES and mark not in NO:
            raise InputError(f"trusted holds {cells[row]!r} in row {row}; write true or false")
    trusted = np.array([mark in YES for mark in marks])
    check_trusted(trusted, y)
    return trusted
