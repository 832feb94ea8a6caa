"""``Spec``: how a reader read the training data, in JSON types. New data is read in the same way."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class _Labels(TypedDict):
    classes: NotRequired[list[str | int]]  # in the order of the columns of every (N, K) array
    label: NotRequired[str | None]  # the label column, for tables
    missing: NotRequired[list[str]]  # labels that mean that there is none, beside the empty one


class ImagesSpec(_Labels):
    """Images of one size, from a folder, a table of paths or an array."""

    reader: Literal["images"]
    size: list[int]  # height and width in pixels
    channels: int  # 1 (gray) or 3 (RGB)
    path: NotRequired[str]  # the column of a table that names the files


class TextSpec(_Labels):
    """Texts from one column of a table; see :func:`goldvein.data.text.plan_text`."""

    reader: Literal["text"]
    text: str  # the column
    vocabulary: list[str]
    idf: list[float]


class ColumnPlan(TypedDict):
    """How one column of a table becomes numbers; see :func:`goldvein.data.tabular.plan_columns`."""

    name: str
    median: NotRequired[float]  # of a numeric column; it replaces empty cells
    blanks: NotRequired[bool]  # of a numeric column: whether a second input says where cells were empty
    date: NotRequired[bool]  # of a numeric column: whether it is days since 1970, followed by month and weekday
    categories: NotRequired[list[str]]  # of a categorical column; each becomes one input
    note: NotRequired[str]  # a warning for the user


class TableSpec(_Labels):
    """Numeric and categorical columns of a table."""

    reader: Literal["table"]
    columns: list[ColumnPlan]


class VectorsSpec(_Labels):
    """Vectors from an array."""

    reader: Literal["vectors"]
    width: int  # D


Spec = ImagesSpec | TextSpec | TableSpec | VectorsSpec


def spec_of_shape(shape: tuple[int, ...]) -> ImagesSpec | VectorsSpec:
    """Return the spec of inputs (N, C, H, W) or (N, D), without labels.

    Examples
    --------
    >>> spec_of_shape((50, 3, 32, 24))
    {'reader': 'images', 'size': [32, 24], 'channels': 3}
    """
    if len(shape) == 4:
        return {"reader": "images", "size": list(shape[2:]), "channels": shape[1]}
    return {"reader": "vectors", "width": shape[1]}
