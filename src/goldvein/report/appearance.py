"""Rows as a person sees them: a picture, a text or values, read from the user's data by the ids of a run.

A row that cannot be shown raises no error. The report and the review page show the reason instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from goldvein.data import standard
from goldvein.data.labels import Classes, encode_labels
from goldvein.data.roles import find_inputs, find_others, read_ids
from goldvein.errors import InputError
from goldvein.files import resolve_inside
from goldvein.report.thumbnails import to_data_url

if TYPE_CHECKING:
    from PIL import Image

    from goldvein.data.columns import Columns
    from goldvein.data.dataset import Dataset
    from goldvein.runs import SavedRun

MOST_NUMBERS = 24  # most values that are shown of a vector without names


@dataclass(frozen=True)
class RowView:
    """The content of one row that can be shown; ``missing`` is the reason if there is none.

    Attributes
    ----------
    file : Path or None
        The image file. It may not exist; :func:`load_picture` then raises an error.
    pixels : ndarray of shape (C, H, W), uint8, or None
    text : str or None
    values : tuple of (name, value)
    missing : str or None
    """

    file: Path | None = None
    pixels: NDArray[np.uint8] | None = None
    text: str | None = None
    values: tuple[tuple[str, str], ...] = ()
    missing: str | None = None

    @property
    def is_picture(self) -> bool:
        return self.file is not None or self.pixels is not None


@dataclass(frozen=True)
class DataView:
    """The data of a run as a person sees it.

    Attributes
    ----------
    row : callable
        ``row(id) -> RowView``. It never raises; if the data is missing, the view says so.
    truth : dict of id to label
        Hidden true labels as text, if the data contains them.
    """

    row: Callable[[str], RowView]
    truth: dict[str, str] = field(default_factory=dict)


def open_data(run: SavedRun, data: str | None = None, data_dir: str | None = None) -> DataView:
    """Open the data of a run for display.

    Parameters
    ----------
    run : SavedRun
    data : str, optional
        Present path of the data; by default its path in the training of the run.
    data_dir : str, optional
        Folder of the standard data sets.

    Returns
    -------
    DataView
        If the data is missing, every row says so.
    """
    source = data or run.source
    if not source:
        return _show_nothing("the run does not contain the path of its data; give it with --data")
    try:
        if source in standard.dataset_names():
            return _view_set(source, data_dir, noisy="noise" in run.config["data"])
        return _view_path(Path(source).expanduser(), run)
    except (InputError, OSError) as error:
        return _show_nothing(str(error))


def load_picture(view: RowView, side: int) -> Image.Image:
    """Return the picture of a row; its longer side has at most ``side`` pixels.

    Raises
    ------
    InputError
        If the file is missing or not an image.
    """
    from PIL import Image

    from goldvein.data import images

    if view.file is not None:
        return images.picture(view.file, side)
    if view.pixels is None:
        raise InputError(view.missing or "this row is not a picture")
    pixels = view.pixels
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((side, side))
    return image


def make_thumbnail(view: RowView, side: int) -> tuple[Markup | None, str | None]:
    """Return the ``data:`` URL of a picture and None, or None and the reason why there is no picture."""
    if not view.is_picture:
        return None, view.missing
    try:
        # base64 needs no escaping
        return Markup(to_data_url(load_picture(view, side))), None
    except InputError as error:
        return None, str(error)


def export_row(view: RowView) -> dict[str, str]:
    """Return the content of a row for another tool: the path of its picture, its text, or its values."""
    if view.file is not None:
        return {"image": str(view.file)}
    return dict(view.values) if view.text is None else {"text": view.text}


def _show_nothing(why: str) -> DataView:
    view = RowView(missing=why)
    return DataView(lambda row: view)


def _by_id(ids: Sequence[str], view: Callable[[int], RowView], truth: Sequence[str] = ()) -> DataView:
    """Return the view of data whose row k has the id ``ids[k]`` and the true label ``truth[k]``, "" if unknown."""
    row_of = {row: k for k, row in enumerate(ids)}
    absent = RowView(missing="the data no longer contains this row")
    # not strict, because there may be no true labels at all
    known = {row: label for row, label in zip(ids, truth, strict=False) if label}
    return DataView(lambda row: view(row_of[row]) if row in row_of else absent, known)


def _view_set(name: str, data_dir: str | None, *, noisy: bool) -> DataView:
    """Return the view of a standard data set. Its labels are the true ones if the run added noise to them."""
    dataset = standard.load_dataset(name, data_dir)
    return _view_dataset(replace(dataset, y_true=dataset.y) if noisy else dataset, standard.shown_as(name))


def _view_dataset(dataset: Dataset, shape: tuple[int, int] | None = None) -> DataView:
    x, truth = dataset.x, [] if dataset.y_true is None else dataset.y_true.tolist()
    names = ["" if code < 0 else str(dataset.classes[code]) for code in truth]

    def view(k: int) -> RowView:
        if dataset.kind == "image":
            return RowView(pixels=x[k])
        if shape is None:
            return RowView(values=_numbers(x[k]))
        # 1 is ink: it is shown dark on white
        return RowView(pixels=(255 * (1 - x[k])).astype(np.uint8).reshape(1, *shape))

    return _by_id(dataset.ids.tolist(), view, names)


def _view_path(source: Path, run: SavedRun) -> DataView:
    if not source.exists():
        return _show_nothing(f"{source} does not exist; give the present path of the data with --data")
    if source.is_dir():
        return DataView(lambda row: _file_below(source, row))
    if source.suffix.lower() == ".npz":
        from goldvein.data.npz import read_npz

        return _view_dataset(read_npz(source))
    return _view_table(source, dict(run.config["spec"]))


def _file_below(folder: Path, row: str) -> RowView:
    # a run folder may come from elsewhere, and its ids may be any text
    file = resolve_inside(folder, row, allow_links=True)
    return RowView(missing="its id is not a path inside the folder of the data") if file is None else RowView(file=file)


def _numbers(vector: NDArray[np.float32]) -> tuple[tuple[str, str], ...]:
    shown = [(str(i), f"{value:.4g}") for i, value in enumerate(vector[:MOST_NUMBERS].tolist())]
    rest = len(vector) - len(shown)
    return (*shown, ("…", f"{rest} more")) if rest > 0 else tuple(shown)


def _view_table(source: Path, spec: dict[str, Any]) -> DataView:
    from goldvein.data.columns import as_text, read_columns

    columns = read_columns(source)
    cells = {name: as_text(column) for name, column in columns.items()}
    true_labels = find_others(columns, spec.get("label")).get("y_true")
    truth = [] if true_labels is None else _as_written(cells[true_labels], tuple(spec.get("classes", ())))
    reader, inputs = spec.get("reader"), _inputs(columns, spec)

    def view(k: int) -> RowView:
        if reader == "text" and spec.get("text") in cells:
            return RowView(text=cells[spec["text"]][k])
        if reader == "images" and spec.get("path") in cells:
            return _inside(source.parent, cells[spec["path"]][k].strip())
        return RowView(values=tuple((name, cells[name][k]) for name in inputs))

    return _by_id(read_ids(columns, spec.get("label")), view, truth)


def _as_written(cells: list[str], classes: Classes) -> list[str]:
    """Return labels as the run writes them; unchanged if one of them is not a class of the run."""
    # in a column with empty cells, the table may have 3.0 for the label 3
    try:
        codes, _ = encode_labels(cells, classes)
    except InputError:
        return [cell.strip() for cell in cells]
    return [str(classes[code]) if code >= 0 else "" for code in codes]


def _inside(home: Path, cell: str) -> RowView:
    """Return the file that a table names, unless it is outside the folder of the table."""
    # a table from elsewhere must not show private files
    if resolve_inside(home, cell) is None:
        return RowView(missing="its path leads out of the folder of the table")
    return RowView(file=home / cell)


def _inputs(columns: Columns, spec: dict[str, Any]) -> list[str]:
    """Return the columns that the model was trained on and that still exist, in the order of the table."""
    learned = {step.get("name") for step in spec.get("columns", ()) if isinstance(step, dict)}
    if learned:
        return [name for name in columns if name in learned]
    return find_inputs(columns, spec.get("label"))
