"""Clothing1M: a million photographs of clothes in 14 classes, labeled from the text around them.

Xiao et al., CVPR 2015. About 38 % of these labels are wrong. The official folder ``clothing1M`` (or ``Clothing1M``)
contains ``images/``, the class names, two label files with lines "key label" (a key is a path such as
``images/0/...jpg``), and one list of keys per split.

The training rows of ``clothing1m`` are the noisy training keys (1,000,000) with their noisy labels, followed by the
clean training keys (47,570) with their clean labels, marked ``trusted``. ``clothing1m_noisy`` has only the former,
``clothing1m_clean`` only the latter. A clean key that is also in the noisy list is only used as clean. The test set has
the clean test keys (10,526). The clean validation keys (14,313) are not read. There is no published checksum to check.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from goldvein.data import official
from goldvein.data.dataset import Dataset
from goldvein.errors import InputError

NAMES = ("clothing1m", "clothing1m_clean", "clothing1m_noisy")
PAGE = "https://github.com/Cysu/noisy_label"
N_CLASSES = 14
FILES = tuple(
    (f"clothing1M/{entry}", f"Clothing1M/{entry}")
    for entry in (
        "category_names_eng.txt",
        "noisy_label_kv.txt",
        "clean_label_kv.txt",
        "noisy_train_key_list.txt",
        "clean_train_key_list.txt",
        "clean_test_key_list.txt",
        "images",
    )
)
SIZE = (256, 256)  # pixels; training takes crops of 224


def load(name: str, data_dir: Path) -> Dataset:
    """Return Clothing1M as (N, 3, 256, 256) uint8 images, which are decoded on access.

    Raises
    ------
    InputError
        If a file is missing, a line is not "key label", or a key has no label.
    """
    from goldvein.data.images import ImageFiles

    names, noisy_labels, clean_labels, noisy_list, clean_list, test_list, images = (
        official.find_file(data_dir, forms, PAGE) for forms in FILES
    )
    classes = tuple(_lines(names))
    trusted_keys, test_keys = _lines(clean_list), _lines(test_list)
    clean = set(trusted_keys)
    noisy_keys = [key for key in _lines(noisy_list) if key not in clean]
    if name == "clothing1m_clean":
        noisy_keys = []
    elif name == "clothing1m_noisy":
        trusted_keys = []
    noisy = _look_up(noisy_keys, noisy_labels)
    right = _look_up(trusted_keys + test_keys, clean_labels)
    keys = noisy_keys + trusted_keys
    root = images.parent
    return Dataset(
        name=name,
        kind="image",
        x=ImageFiles([root / key for key in keys], SIZE, channels=3),
        y=np.concatenate([noisy, right[: len(trusted_keys)]]),
        classes=classes,
        ids=np.array(keys),
        trusted=np.arange(len(keys)) >= len(noisy_keys),
        x_test=ImageFiles([root / key for key in test_keys], SIZE, channels=3),
        y_test=right[len(trusted_keys) :],
    )


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _look_up(keys: list[str], path: Path) -> NDArray[np.int64]:
    label_of = {}
    for line in _lines(path):
        key, _, label = line.rpartition(" ")
        if not (key and label.isdecimal() and int(label) < N_CLASSES):
            raise InputError(
                f"{path} has the line {line!r}: each line must be a key and a label from 0 to {N_CLASSES - 1}; "
                f"download the file again from {PAGE}"
            )
        label_of[key] = int(label)
    missing = next((key for key in keys if key not in label_of), None)
    if missing is not None:
        raise InputError(f"{path} has no label for the key {missing!r}; download both again from {PAGE}")
    return np.array([label_of[key] for key in keys], np.int64)
