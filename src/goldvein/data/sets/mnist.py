"""MNIST: 60,000 + 10,000 handwritten digits of 28x28 gray pixels (LeCun, Cortes and Burges 1998).

Four IDX files in ``MNIST/raw``, compressed (.gz) or not: a big-endian header (0, 0, 8 for bytes, the number of
dimensions, and each dimension as 4 bytes), then the bytes. The md5s of the .gz files are the official ones, which other
loaders check too. Those of the uncompressed files were computed from .gz files with these md5s.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from goldvein.data import official
from goldvein.data.dataset import Dataset, make_benchmark

NAMES = ("mnist",)
PAGE = "http://yann.lecun.com/exdb/mnist/"
N_CLASSES = 10
FILES = tuple(
    (f"MNIST/raw/{part}.gz", f"MNIST/raw/{part}")
    for part in (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
)
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def load(name: str, data_dir: Path) -> Dataset:
    """Return MNIST as (N, 1, 28, 28) uint8 images, classes 0 to 9.

    Raises
    ------
    InputError
        If a file is missing, truncated or altered.
    """
    return read_dataset(name, data_dir, FILES, MD5, PAGE, tuple(range(N_CLASSES)))


def read_dataset(
    name: str,
    data_dir: Path,
    files: tuple[tuple[str, ...], ...],
    md5: dict[str, str],
    page: str,
    classes: tuple[str | int, ...],
) -> Dataset:
    """Return a data set in the format of MNIST; ``md5`` has the md5 of each file by its name."""
    x, y, x_test, y_test = (_read_idx(official.find_file(data_dir, forms, page), md5, page) for forms in files)
    return make_benchmark(name, "image", (x[:, None], y), (x_test[:, None], y_test), classes)


def _read_idx(path: Path, md5: dict[str, str], page: str) -> NDArray[np.uint8]:
    content = official.read_checked(path, md5[path.name], page)
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    n_dims = content[3]
    shape = np.frombuffer(content, ">u4", count=n_dims, offset=4)  # big-endian, whatever the machine
    # a copy, because torch warns about the read-only memory of `content`
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_dims).reshape(shape).copy()
