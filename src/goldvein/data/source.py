"""DATA on the command line: a path, or the name of a standard data set, which may get noisy labels."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from goldvein.data import standard
from goldvein.data.dataset import Dataset
from goldvein.data.read import read_data
from goldvein.data.spec import Spec
from goldvein.errors import InputError, unknown
from goldvein.noise import synthetic as noise


class DataRecord(TypedDict, total=False):
    """The options of ``goldvein train`` that say where rows and labels came from."""

    source: str
    from_run: str
    label: str
    missing: list[str]
    image_size: int
    skip_bad: bool
    data_dir: str
    noise: str
    noise_rate: float
    labels_per_class: int


@dataclass(frozen=True)
class Source:
    """Where rows and labels come from; the fields are options of ``goldvein train``."""

    source: str
    label: str | None = None
    missing: tuple[str, ...] | None = None
    image_size: int | None = None
    skip_bad: bool = False
    data_dir: str | None = None
    noise: str | None = None
    noise_rate: float | None = None
    labels_per_class: int | None = None

    @property
    def is_standard(self) -> bool:
        """Whether the source is a standard data set. For a file or folder of that name, the user writes ``./NAME``."""
        return self.source in standard.dataset_names()

    def as_config(self, out: Path) -> DataRecord:
        """Return the options that are set; for a relative path also ``from_run``, the path from the run folder."""
        given = {name: value for name, value in asdict(self).items() if value is not None and value is not False}
        options = cast("DataRecord", given)
        path = os.path.expanduser(self.source)
        if self.is_standard or os.path.isabs(path):
            return options
        # the path as written only holds in the present directory; this one also holds elsewhere
        return {**options, "from_run": os.path.relpath(path, out)}

    def dataset(self, seed: int, *, progress: bool = False) -> Dataset:
        """Return the rows and labels to train on.

        Raises
        ------
        InputError
            If the source does not exist or cannot be read, or an option does not apply to it.
        """
        if self.is_standard:
            return self._add_noise(self._read_standard(progress), seed)
        for option in ("noise", "noise_rate", "labels_per_class"):
            value = getattr(self, option)
            if value is not None:
                raise InputError(
                    f"--{option.replace('_', '-')} {value}: only for the standard data sets, whose labels are known "
                    f"({', '.join(standard.dataset_names())}); leave it out"
                )
        check_path(self.source)
        return read_data(
            self.source,
            label=self.label,
            missing=self.missing or (),
            image_size=self.image_size,
            skip_bad=self.skip_bad,
            progress=progress,
        )

    def _read_standard(self, progress: bool) -> Dataset:
        dataset = standard.load_dataset(self.source, self.data_dir)
        in_files = not hasattr(dataset.x, "__array__")  # only images in files can be skipped
        for option in ("label", "missing", "image_size", *(() if in_files else ("skip_bad",))):
            if getattr(self, option):
                flag = f"--{option.replace('_', '-')}"
                raise InputError(f"{flag} is only for your own data: leave it out for {self.source}")
        return dataset.without_bad_images(progress=progress) if self.skip_bad else dataset

    def _add_noise(self, dataset: Dataset, seed: int) -> Dataset:
        if self.noise is None and self.noise_rate is not None:
            known = ", ".join(noise.noise_names())
            raise InputError(f"--noise-rate {self.noise_rate} needs --noise: use one of {known}")
        if self.noise is not None and (dataset.y_true is not None or dataset.trusted is not None):
            raise InputError(f"--noise {self.noise}: {self.source} already has noisy labels; leave it out")
        y, _ = noise.make_noisy(
            dataset.y,
            dataset.y,
            len(dataset.classes),
            trusted=dataset.trusted,
            noise=read_matrix(self.noise) if self.noise and self.noise.endswith(".csv") else self.noise,
            rate=self.noise_rate,
            labels_per_class=self.labels_per_class,
            random_state=seed,
        )
        # the labels of a standard data set are the true ones, unless it has noisy labels itself
        return replace(dataset, y=y, y_true=dataset.y_true if self.noise is None else dataset.y)


def load_new(source: str, spec: Spec, *, skip_bad: bool, data_dir: str | None, progress: bool) -> Dataset:
    """Return rows to predict: from a path, with the spec of a run, or the test set of a standard data set.

    Raises
    ------
    InputError
        If the source does not exist or does not fit the spec.
    """
    if source not in standard.dataset_names():
        check_path(source)
        return read_data(source, spec=spec, skip_bad=skip_bad, progress=progress)
    dataset = standard.load_dataset(source, data_dir)
    if dataset.x_test is None or dataset.y_test is None:
        return dataset
    y, ids = dataset.y_test, np.arange(len(dataset.y_test)).astype(str)
    test = Dataset(dataset.name, dataset.kind, dataset.x_test, y, dataset.classes, ids)
    return test.without_bad_images(progress=progress) if skip_bad else test


def check_path(source: str) -> None:
    """Raise an error for a single word that is neither a file nor a standard data set; suggest the closest name.

    Other paths pass: :func:`goldvein.data.read.read_data` checks them.

    Raises
    ------
    InputError
        If the source is such a word.
    """
    # a path usually has a separator or a suffix; a single word is rather a misspelled name
    bare = os.sep not in source and "." not in source
    if bare and not os.path.exists(os.path.expanduser(source)):
        raise unknown("path or data set", source, standard.dataset_names())


def read_matrix(path: str) -> NDArray[np.float64]:
    """Return the transition matrix (K, K) in a CSV file without a header, T[i, j] = P(given j | true i).

    Raises
    ------
    InputError
        If the file does not consist of rows of numbers.
    """
    try:
        return np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a matrix ({error}): give K rows of K numbers, separated by commas") from error
