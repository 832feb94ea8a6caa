"""CIFAR-10N: human labels of the 50,000 CIFAR-10 training images (Wei et al., ICLR 2022).

The file ``CIFAR-10N/CIFAR-10_human.pt`` in the folder of the CIFAR-10 files follows their order. It holds the labels of
three annotators, their vote and the worst of the three. Published shares of wrong labels:

================  ======  ==========================================================
name              wrong   label
================  ======  ==========================================================
cifar10n_aggre     9.01%  majority of the three annotators; if all differ, one of them
cifar10n_random1  17.23%  first annotator
cifar10n_random2  18.12%  second annotator
cifar10n_random3  17.64%  third annotator
cifar10n_worse    40.21%  a wrong one of the three, if there is one
================  ======  ==========================================================

The authors publish no checksum. Instead, the clean labels in the file must equal those of CIFAR-10.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.data import official
from goldvein.data.dataset import Dataset
from goldvein.data.sets import cifar10
from goldvein.errors import InputError

PAGE = "https://github.com/UCSC-REAL/cifar-10-100n"
N_CLASSES = 10
FILES = (*cifar10.FILES, ("CIFAR-10N/CIFAR-10_human.pt",))
_KEYS = {
    "cifar10n_aggre": "aggre_label",
    "cifar10n_random1": "random_label1",
    "cifar10n_random2": "random_label2",
    "cifar10n_random3": "random_label3",
    "cifar10n_worse": "worse_label",
}
NAMES = tuple(_KEYS)


def load(name: str, data_dir: Path) -> Dataset:
    """Return CIFAR-10 with one of the human label sets as ``y``, and the clean labels as ``y_true``.

    Raises
    ------
    InputError
        If a file is missing or altered, or the clean labels are not those of CIFAR-10.
    """
    path = official.find_file(data_dir, FILES[-1], PAGE)
    clean, y = _read_labels(path, "clean_label", _KEYS[name])
    images = cifar10.load(name, data_dir)
    if not np.array_equal(clean, images.y):
        raise InputError(
            f"the clean labels in {path} are not those of the CIFAR-10 batches in {data_dir}, "
            f"so the rows do not line up; download the file again from {PAGE}"
        )
    return replace(images, y=y, y_true=clean)


def _read_labels(path: Path, *keys: str) -> list[NDArray[np.int64]]:
    import torch

    # weights_only refuses all names except these, which old and new numpy use to store int64 arrays
    rebuild = np.empty(0).__reduce__()[0]
    arrays: list[Any] = [
        (rebuild, "numpy.core.multiarray._reconstruct"),
        (rebuild, "numpy._core.multiarray._reconstruct"),
        np.ndarray,
        np.dtype,
        type(np.dtype("int64")),
    ]
    try:
        with torch.serialization.safe_globals(arrays):
            content = torch.load(path, map_location="cpu", weights_only=True)
        return [np.asarray(content[key], np.int64) for key in keys]
    except Exception as error:  # a broken file may raise anything
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path} is not the label file of CIFAR-10N ({reason}); download it again from {PAGE}"
        ) from error
