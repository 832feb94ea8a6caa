"""The standard data sets by name.

One file per source under ``goldvein/data/sets``. Each declares

- ``NAMES``: the names it answers to,
- ``PAGE``: the official page,
- ``FILES``: the official files, each as a tuple of the relative paths under which it may lie,
- ``N_CLASSES``: the number of classes,
- ``load(name, data_dir)``: reads the files and returns a :class:`~goldvein.data.dataset.Dataset`.

A new file there is a new data set; nothing else is edited.
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
    """What is known of a data set before it is read.

    Attributes
    ----------
    name, page : str
        Name of the data set, and its official page.
    n_classes : int
        Number of classes.
    data_dir : Path
        The folder that was looked into.
    files : dict of str to bool
        Every official file, and whether it is there; empty for a data set that is built in.
    """

    name: str
    page: str
    n_classes: int
    data_dir: Path
    files: dict[str, bool]

    @property
    def complete(self) -> bool:
        """Whether every file is there."""
        return all(self.files.values())


def names() -> list[str]:
    """Names of the standard data sets, sorted.

    Examples
    --------
    >>> [name for name in names() if "mnist" in name]
    ['fashion_mnist', 'mnist']
    """
    return sorted(_sources())


def load_dataset(name: str, data_dir: str | Path | None = None) -> Dataset:
    """Read a standard data set.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    data_dir : str or Path, optional
        Folder that holds the data sets; by default the environment variable ``GOLDVEIN_DATA``, else
        ``~/.cache/goldvein``.

    Returns
    -------
    Dataset
        Images as ``(N, C, H, W)`` uint8, labels as (N,) int64, and the official test set.

    Raises
    ------
    InputError
        The name does not exist, or a file is missing, cut short or altered.

    Examples
    --------
    >>> digits = load_dataset("digits")
    >>> digits.x.shape, digits.y_test.shape
    ((1201, 64), (596,))
    """
    return _source(name).load(name, _folder(data_dir))


def describe(name: str, data_dir: str | Path | None = None) -> Presence:
    """Which files of a standard data set are there, without reading them.

    Raises
    ------
    InputError
        The name does not exist.

    Examples
    --------
    >>> svhn = describe("svhn", "/nowhere")
    >>> svhn.n_classes, svhn.complete
    (10, False)
    >>> svhn.files
    {'SVHN/train_32x32.mat': False, 'SVHN/test_32x32.mat': False}
    """
    source, folder = _source(name), _folder(data_dir)
    files = {}
    for forms in source.FILES:
        there = [form for form in forms if (folder / form).exists()]
        files[(there or forms)[0]] = bool(there)
    return Presence(name, source.PAGE, source.N_CLASSES, folder, files)


def shown_as(name: str) -> tuple[int, int] | None:
    """Height and width in which a vector of a standard data set is a picture, if it is one.

    Examples
    --------
    >>> shown_as("digits")
    (8, 8)
    """
    return getattr(_source(name), "SHOWN_AS", None)


def _sources() -> dict[str, ModuleType]:
    package = goldvein.data.sets
    modules = [import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    return {name: module for module in modules for name in module.NAMES}


def _source(name: str) -> ModuleType:
    sources = _sources()
    if name not in sources:
        raise unknown("data set", name, sources)
    return sources[name]


def _folder(data_dir: str | Path | None) -> Path:
    return Path(data_dir or os.environ.get("GOLDVEIN_DATA") or "~/.cache/goldvein").expanduser()
