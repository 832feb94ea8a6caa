"""DATA of the command line: a path, or the name of a standard data set, whose labels may be made doubtful."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from goldvein.data import standard
from goldvein.data.dataset import Dataset
from goldvein.data.read import read_data
from goldvein.errors import InputError, unknown
from goldvein.noise import synthetic as noise


@dataclass(frozen=True)
class Source:
    """Where rows and labels come from; the fields are the options of ``goldvein train``."""

    source: str
    label: str | None = None
    image_size: int | None = None
    skip_bad: bool = False
    data_dir: str | None = None
    noise: str | None = None
    noise_rate: float | None = None
    labels_per_class: int | None = None

    @property
    def is_standard(self) -> bool:
        """Whether the source is a standard data set. A file or folder of that name is meant by ``./NAME``."""
        return self.source in standard.names()

    def described(self, out: Path) -> dict[str, Any]:
        """The options that were given; with a relative path ``from_run``, where that lies seen from the run folder."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, False)}
        path = os.path.expanduser(self.source)
        if self.is_standard or os.path.isabs(path):
            return given
        return {**given, "from_run": os.path.relpath(path, out)}

    def dataset(self, seed: int, *, progress: bool = False) -> Dataset:
        """Rows with labels to train on.

        Raises
        ------
        InputError
            If there is no such source, it cannot be read, or an option does not apply to it.
        """
        if self.is_standard:
            return self._doubtful(self._standard(progress), seed)
        for option in ("noise", "noise_rate", "labels_per_class"):
            value = getattr(self, option)
            if value is not None:
                raise InputError(
                    f"--{option.replace('_', '-')} {value}: only labels known to be right can be made doubtful, "
                    f"those of the standard data sets ({', '.join(standard.names())}); leave it out"
                )
        check_path(self.source)
        return read_data(
            self.source, label=self.label, image_size=self.image_size, skip_bad=self.skip_bad, progress=progress
        )

    def _standard(self, progress: bool) -> Dataset:
        dataset = standard.load_dataset(self.source, self.data_dir)
        in_files = not hasattr(dataset.x, "__array__")
        for option in ("label", "image_size", *(() if in_files else ("skip_bad",))):
            if getattr(self, option):
                flag = f"--{option.replace('_', '-')}"
                raise InputError(f"{flag} is for data of your own: leave it out with {self.source}")
        return dataset.without_bad_images(progress=progress) if self.skip_bad else dataset

    def _doubtful(self, dataset: Dataset, seed: int) -> Dataset:
        """The data set with noise, then with missing labels; trusted ones stay."""
        import numpy as np

        if self.noise is None and self.noise_rate is not None:
            known = ", ".join(noise.names())
            raise InputError(f"--noise-rate {self.noise_rate} lacks its --noise: give one of {known}")
        y = dataset.y
        if self.noise is not None:
            if dataset.y_true is not None or dataset.trusted is not None:
                raise InputError(f"--noise {self.noise}: labels of {self.source} are noisy as they are; leave it out")
            kind = read_matrix(self.noise) if self.noise.endswith(".csv") else self.noise
            y = noise.corrupt(y, noise.transition(kind, len(dataset.classes), self.noise_rate), seed)
            dataset = replace(dataset, y_true=dataset.y)
        if self.labels_per_class is not None:
            y = noise.keep_labels(y, self.labels_per_class, seed)
        return replace(dataset, y=y if dataset.trusted is None else np.where(dataset.trusted, dataset.y, y))


def load_new(source: str, spec: dict[str, Any], *, skip_bad: bool, data_dir: str | None, progress: bool) -> Dataset:
    """Rows to predict: a path, read with the spec of a run, or the test set of a standard data set.

    Raises
    ------
    InputError
        If there is no such source, or it does not fit the spec.
    """
    if source not in standard.names():
        check_path(source)
        return read_data(source, spec=spec, skip_bad=skip_bad, progress=progress)
    dataset = standard.load_dataset(source, data_dir)
    if dataset.x_test is None or dataset.y_test is None:
        return dataset
    alone: dict[str, Any] = dict.fromkeys(("y_true", "trusted", "x_test", "y_test"))
    test = replace(dataset, x=dataset.x_test, y=dataset.y_test, ids=_numbers(len(dataset.y_test)), **alone)
    return test.without_bad_images(progress=progress) if skip_bad else test


def check_path(source: str) -> None:
    """Refuse a bare word that names neither a file nor a standard data set, with the nearest name.

    Raises
    ------
    InputError
        If it is such a word; other paths are left to :func:`goldvein.data.read.read_data`.
    """
    bare = os.sep not in source and "." not in source
    if bare and not os.path.exists(os.path.expanduser(source)):
        raise unknown("path or data set", source, standard.names())


def read_matrix(path: str) -> Any:
    """A transition matrix (K, K) in a CSV file without a header, T[i, j] = P(given j | true i).

    Raises
    ------
    InputError
        If the file cannot be read as rows of numbers.
    """
    import numpy as np

    try:
        return np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no matrix ({error}): give K rows of K numbers with commas") from error


def _numbers(n: int) -> Any:
    import numpy as np

    return np.arange(n).astype(str)
