"""What a person can see of a row: its picture, its text or its values, read from the user's own data.

A run folder holds no inputs, only ids. Nothing here fails for a row that cannot be shown: a report or a review goes on
with a placeholder that says why.
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
from goldvein.report.thumbnails import as_url

if TYPE_CHECKING:
    from PIL import Image

    from goldvein.data.columns import Columns
    from goldvein.data.dataset import Dataset
    from goldvein.runs import Run

MOST_NUMBERS = 24  # of a vector without names


@dataclass(frozen=True)
class Look:
    """What there is of one row; ``missing`` says why there is nothing.

    Attributes
    ----------
    file : Path or None
        Its image file, which may be missing all the same: :func:`picture` tells.
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
class Rows:
    """The rows of a run as a person sees them.

    Attributes
    ----------
    look : callable
        ``look(id) -> Look``. It never raises: data that is gone gives looks that say so.
    truth : dict of id to label
        Hidden true labels, where the data has them, as text.
    """

    look: Callable[[str], Look]
    truth: dict[str, str] = field(default_factory=dict)


def open_rows(run: Run, data: str | None = None, data_dir: str | None = None) -> Rows:
    """The rows of a run, wherever they lie.

    Parameters
    ----------
    run : Run
    data : str, optional
        Where the data of the run lies now; by default where it lay when the run was trained.
    data_dir : str, optional
        Folder of the standard data sets.

    Returns
    -------
    Rows
        Where the data is gone, each look says so.
    """
    config = run.config.get("data")
    config = config if isinstance(config, dict) else {}
    source = data or run.source
    if not source:
        return _nothing("the run does not say where its data lies; give --data")
    try:
        if source in standard.names():
            return _of_set(source, data_dir, made_wrong="noise" in config)
        return _of_path(Path(source).expanduser(), run)
    except (InputError, OSError) as error:
        return _nothing(str(error))


def picture(look: Look, side: int) -> Image.Image:
    """The picture of a row, its longer side at most ``side`` pixels.

    Raises
    ------
    InputError
        If the file is missing or no image.
    """
    from PIL import Image

    from goldvein.data import images

    if look.file is not None:
        return images.picture(look.file, side)
    if look.pixels is None:
        raise InputError(look.missing or "this row is no picture")
    pixels = look.pixels
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((side, side))
    return image


def thumbnail(look: Look, side: int) -> tuple[Markup | None, str | None]:
    """The address of a picture for a page without other files, or why there is nothing to show."""
    if not look.is_picture:
        return None, look.missing
    try:
        return Markup(as_url(picture(look, side))), None
    except InputError as error:
        return None, str(error)


def as_data(look: Look) -> dict[str, str]:
    """What another tool is to show of a row: the path of its picture, its text, or its values."""
    if look.file is not None:
        return {"image": str(look.file)}
    return dict(look.values) if look.text is None else {"text": look.text}


def _nothing(why: str) -> Rows:
    look = Look(missing=why)
    return Rows(lambda row: look)


def _known(ids: Sequence[str], look: Callable[[int], Look], truth: Sequence[str] = ()) -> Rows:
    row_of = {row: k for k, row in enumerate(ids)}
    absent = Look(missing="the data holds no such row any more")
    known = {row: label for row, label in zip(ids, truth, strict=False) if label}
    return Rows(lambda row: look(row_of[row]) if row in row_of else absent, known)


def _of_set(name: str, data_dir: str | None, *, made_wrong: bool) -> Rows:
    """Rows of a standard data set; where its labels were made wrong, those it came with are the true ones."""
    dataset = standard.load_dataset(name, data_dir)
    return _of_dataset(replace(dataset, y_true=dataset.y) if made_wrong else dataset, standard.shown_as(name))


def _of_dataset(dataset: Dataset, shape: tuple[int, int] | None = None) -> Rows:
    x, truth = dataset.x, [] if dataset.y_true is None else dataset.y_true.tolist()
    names = ["" if code < 0 else str(dataset.classes[code]) for code in truth]

    def look(k: int) -> Look:
        if dataset.kind == "image":
            return Look(pixels=x[k])
        if shape is None:
            return Look(values=_numbers(x[k]))
        return Look(pixels=(255 * (1 - x[k])).astype(np.uint8).reshape(1, *shape))

    return _known(dataset.ids.tolist(), look, names)


def _of_path(source: Path, run: Run) -> Rows:
    if not source.exists():
        return _nothing(f"{source} is not there any more; give --data and where it lies now")
    if source.is_dir():
        return Rows(lambda row: _file_below(source, row))
    if source.suffix.lower() == ".npz":
        from goldvein.data.npz import read_npz

        return _of_dataset(read_npz(source))
    return _of_table(source, run.config["spec"])


def _file_below(folder: Path, row: str) -> Look:
    # the ids of a run folder from elsewhere may say anything
    file = resolve_inside(folder, row, allow_links=True)
    return Look(missing="its id is not a path inside the folder of the data") if file is None else Look(file=file)


def _numbers(vector: NDArray) -> tuple[tuple[str, str], ...]:
    shown = [(str(i), f"{value:.4g}") for i, value in enumerate(vector[:MOST_NUMBERS].tolist())]
    rest = len(vector) - len(shown)
    return (*shown, ("…", f"{rest} more")) if rest > 0 else tuple(shown)


def _of_table(source: Path, spec: dict[str, Any]) -> Rows:
    from goldvein.data.columns import as_text, read_columns

    columns = read_columns(source)
    cells = {name: as_text(column) for name, column in columns.items()}
    true_labels = find_others(columns, spec.get("label")).get("y_true")
    truth = [] if true_labels is None else _as_written(cells[true_labels], tuple(spec.get("classes", ())))
    reader, inputs = spec.get("reader"), _inputs(columns, spec)

    def look(k: int) -> Look:
        if reader == "text" and spec.get("text") in cells:
            return Look(text=cells[spec["text"]][k])
        if reader == "images" and spec.get("path") in cells:
            return _inside(source.parent, cells[spec["path"]][k].strip())
        return Look(values=tuple((name, cells[name][k]) for name in inputs))

    return _known(read_ids(columns, spec.get("label")), look, truth)


def _as_written(cells: list[str], classes: Classes) -> list[str]:
    """Labels as a run writes them, which a column with gaps may not (3.0); as they are if one is of no class of it."""
    try:
        codes, _ = encode_labels(cells, classes)
    except InputError:
        return [cell.strip() for cell in cells]
    return [str(classes[code]) if code >= 0 else "" for code in codes]


def _inside(home: Path, cell: str) -> Look:
    """A file that a table names, unless it lies outside the table's folder."""
    if resolve_inside(home, cell) is None:
        return Look(missing="its path leads out of the folder of the table")
    return Look(file=home / cell)


def _inputs(columns: Columns, spec: dict[str, Any]) -> list[str]:
    """Columns that the model learned from, as far as they are still there, in the order of the table."""
    learned = {step.get("name") for step in spec.get("columns", ()) if isinstance(step, dict)}
    if learned:
        return [name for name in columns if name in learned]
    return find_inputs(columns, spec.get("label"))
