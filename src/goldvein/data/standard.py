"""The standard data sets by name.

Each file under ``goldvein/data/sets`` declares one source:

- ``NAMES``: the names of its data sets,
- ``PAGE``: the official page,
- ``FILES``: the official files, each as a tuple of the relative paths that it may have,
- ``N_CLASSES``: the number of classes,
- ``load(name, data_dir)``: reads the files and returns a :class:`~goldvein.data.dataset.Dataset`,
- ``SHOWN_AS`` (optional): height and width in pixels of the image that a vector holds.

To add a data set, add a file there; no other file changes.
"""

from __future__ import annotations

import os
import pkgutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import goldvein.data.sets
from goldvein.data.dataset import Dataset
from goldvein.errors import unknown


@dataclass(frozen=True)
class Presence:
    """A data set and which of its files exist.

    Attributes
    ----------
    name, page : str
        Name of the data set and its official page.
    n_classes : int
        Number of classes.
    data_dir : Path
        The folder that was searched.
    files : dict of str to bool
        Whether each official file exists; empty for a built-in data set.
    """

    name: str
    page: str
    n_classes: int
    data_dir: Path
    files: dict[str, bool]

    @property
    def complete(self) -> bool:
        """Whether every file exists."""
        return all(self.files.values())


def dataset_names() -> list[str]:
    """Return the names of the standard data sets, sorted.

    Examples
    --------
    >>> [name for name in dataset_names() if "mnist" in name]
    ['fashion_mnist', 'mnist']
    """
    return sorted(_find_sources())


def load_dataset(name: str, data_dir: str | Path | None = None) -> Dataset:
    """Read a standard data set.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    data_dir : str or Path, optional
        Folder that holds the data sets; by default the environment variable ``GOLDVEIN_DATA``, or
        ``~/.cache/goldvein`` if that is not set.

    Returns
    -------
    Dataset
        Images as ``(N, C, H, W)`` uint8, labels as (N,) int64, and the official test set.

    Raises
    ------
    InputError
        If the name does not exist, or a file is missing, truncated or altered.

    Examples
    --------
    >>> digits = load_dataset("digits")
    >>> digits.x.shape, digits.y_test.shape
    ((1201, 64), (596,))
    """
    dataset: Dataset = _find_source(name).load(name, find_folder(data_dir))
    return dataset


def describe(name: str, data_dir: str | Path | None = None) -> Presence:
    """Return which files of a standard data set exist, without reading them.

    Raises
    ------
    InputError
        If the name does not exist.

    Examples
    --------
    >>> svhn = describe("svhn", "/nowhere")
    >>> svhn.n_classes, svhn.complete
    (10, False)
    >>> svhn.files
    {'SVHN/train_32x32.mat': False, 'SVHN/test_32x32.mat': False}
    """
    source, folder = _find_source(name), find_folder(data_dir)
    files = {}
    for forms in source.FILES:
        existing = [form for form in forms if (folder / form).exists()]
        files[(existing or forms)[0]] = bool(existing)  # the preferred form if none exists
    return Presence(name, source.PAGE, source.N_CLASSES, folder, files)


def shown_as(name: str) -> tuple[int, int] | None:
    """Return height and width in pixels of the image that a vector of a data set holds; None if it holds none.

    Examples
    --------
    >>> shown_as("digits")
    (8, 8)
    """
    return getattr(_find_source(name), "SHOWN_AS", None)


def _find_sources() -> dict[str, ModuleType]:
    package = goldvein.data.sets
    # this is fast, because the modules import heavy libraries only inside load()
    modules = [import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    return {name: module for module in modules for name in module.NAMES}


def _find_source(name: str) -> ModuleType:
    sources = _find_sources()
    if name not in sources:
        raise unknown("data set", name, sources)
    return sources[name]


def find_folder(data_dir: str | Path | None) -> Path:
    """Return the folder of the data: the given one, else that of ``GOLDVEIN_DATA``, else ``~/.cache/goldvein``."""
    return Path(data_dir or os.environ.get("GOLDVEIN_DATA") or "~/.cache/goldvein").expanduser()
