"""SVHN, cropped digits: 73,257 + 26,032 house numbers of 32x32 color pixels (Netzer et al. 2011).

``SVHN/train_32x32.mat`` and ``SVHN/test_32x32.mat`` ("format 2" of the official page): ``X`` is (32, 32, 3, N) uint8,
``y`` is (N, 1) with 10 for the digit 0. Other loaders check the same md5s. The additional training images
(``extra_32x32.mat``) are not read.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from goldvein.data import official
from goldvein.data.dataset import Dataset, make_benchmark

NAMES = ("svhn",)
PAGE = "http://ufldl.stanford.edu/housenumbers/"
N_CLASSES = 10
FILES = (("SVHN/train_32x32.mat",), ("SVHN/test_32x32.mat",))
MD5 = {
    "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
    "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
}


def load(name: str, data_dir: Path) -> Dataset:
    """Return SVHN as (N, 3, 32, 32) uint8 images, classes 0 to 9.

    Raises
    ------
    InputError
        If a file is missing, truncated or altered.
    """
    train, test = (_read_file(official.find_file(data_dir, forms, PAGE)) for forms in FILES)
    return make_benchmark(name, "image", train, test, tuple(range(N_CLASSES)))


def _read_file(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    from scipy.io import loadmat

    content = loadmat(io.BytesIO(official.read_checked(path, MD5[path.name], PAGE)))
    images = content["X"].transpose(3, 2, 0, 1)  # (N, 3, 32, 32)
    return np.ascontiguousarray(images), content["y"].ravel().astype(np.int64) % 10  # the digit 0 has label 10
