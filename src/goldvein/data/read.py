"""Reads the user's own data: a folder of images, a CSV or Parquet table, or arrays in an ``.npz`` file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from goldvein.data.dataset import Dataset
from goldvein.data.folder import read_folder
from goldvein.data.images import Decoding
from goldvein.data.npz import read_npz
from goldvein.data.spec import Spec
from goldvein.data.table import read_table
from goldvein.errors import InputError

TABLES = (".csv", ".tsv", ".parquet", ".pq")
ACCEPTED = f"a folder of images, or a file ending in {', '.join(TABLES)} or .npz"


def read_data(
    path: str | os.PathLike[str],
    *,
    label: str | None = None,
    spec: Spec | None = None,
    missing: Sequence[str] = (),
    image_size: int | None = None,
    skip_bad: bool = False,
    progress: bool = False,
    workers: int | None = None,
) -> Dataset:
    """Return the inputs and labels at a path.

    Parameters
    ----------
    path : str or path
        A folder of images with one subfolder per class, and ``unlabeled`` for images without a label; a ``.csv``,
        ``.tsv`` or ``.parquet`` table (its columns: :func:`goldvein.data.table.read_table`); or an ``.npz`` file with
        ``X`` and ``y`` (see :func:`goldvein.data.npz.read_npz`).
    label : str, optional
        Name of the label column of a table; by default the first one named label, y, target or class. Only an empty
        cell is a missing label: ``NA``, ``None`` and ``-1`` are classes. If all labels are integers, so are the
        classes.
    missing : sequence of str, optional
        Labels of a table or of arrays that mean that there is none, such as ``NA`` or ``-1``.
    spec : Spec, optional
        ``Dataset.spec`` of the training data, also after a round trip through JSON. The new inputs get the same
        columns, image size and classes. Labels are then optional, and a folder may hold images without subfolders.
    image_size : int, optional
        Height and width of the images in pixels. By default, images that all have the same size of at most 64 pixels
        keep it; otherwise it is 28 or 32, by the median of the shorter sides. Larger images are slow without an
        accelerator.
    skip_bad : bool, default=False
        Skip images that cannot be read, and list them in ``Dataset.skipped``.
    progress : bool, default=False
        Show on standard error how many images have been read.
    workers : int, optional
        Threads that decode images; by default one per processor, at most 8.

    Returns
    -------
    Dataset
        Images as one array, or from 2 GiB on as :class:`~goldvein.data.images.ImageFiles`.

    Raises
    ------
    InputError
        If the path does not exist or is of another type, its content cannot be used, an argument does not apply to
        it, or ``spec`` comes from another kind of data. Without ``spec`` also if there are no labels, only one class,
        or a class with fewer than two labels.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "flowers.csv"
    >>> _ = file.write_text("width,color,label\\n1,red,a\\n2,red,a\\n,blue,b\\n4,blue,b\\n5,red,\\n")
    >>> data = read_data(file)
    >>> data.y.tolist(), data.classes
    ([0, 0, 1, 1, -1], ('a', 'b'))
    >>> data.x[2].tolist()  # the median width, "was empty", blue, red
    [3.0, 1.0, 1.0, 0.0]
    """
    source = Path(path).expanduser()
    suffix = source.suffix.lower()
    if not source.exists():
        raise InputError(f"{source} does not exist; give {ACCEPTED}")
    how = Decoding(image_size, skip_bad, progress, workers)
    if source.is_file() and suffix in TABLES:
        _check_reader(source, spec, "images", "text", "table")
        return read_table(source, label, how, spec, missing)
    if label is not None:
        raise InputError(f"label={label!r}: only tables have a label column, and {source} is not a table; leave it out")
    if source.is_dir():
        if missing:
            raise InputError(
                f"missing={missing[0]!r}: images without a label are in the subfolder unlabeled; leave it out"
            )
        _check_reader(source, spec, "images")
        assert spec is None or spec["reader"] == "images"
        return read_folder(source, how, spec)
    if source.is_file() and suffix == ".npz":
        if image_size is not None:
            raise InputError(f"image_size={image_size}: {source} holds arrays, which keep their size; leave it out")
        _check_reader(source, spec, "images", "vectors")
        assert spec is None or spec["reader"] == "images" or spec["reader"] == "vectors"
        return read_npz(source, spec, missing)
    raise InputError(f"{source} cannot be read; give {ACCEPTED}")


def _check_reader(source: Path, spec: Spec | None, *readers: str) -> None:
    if spec is not None and spec.get("reader") not in readers:
        raise InputError(
            f"{source} holds {' or '.join(readers)}, but the model was trained on {spec.get('reader')!r}; "
            "give data of the kind that it was trained on"
        )
