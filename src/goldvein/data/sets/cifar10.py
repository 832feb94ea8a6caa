"""CIFAR-10: 50,000 + 10,000 color photographs of 32x32 pixels in 10 classes (Krizhevsky 2009).

Five training batches and a test batch of 10,000 images each, either in the binary version (``cifar-10-batches-bin``:
records of one label byte and 3,072 bytes of red, green and blue planes) or in the Python version
(``cifar-10-batches-py``: pickles, read by an unpickler that only builds numpy arrays and plain values).

The training batches must have the official md5s, which other loaders check too. For the test batch, only the size and
the range of the labels are checked.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldvein.data import official
from goldvein.data.dataset import Dataset, make_benchmark
from goldvein.errors import InputError

NAMES = ("cifar10",)
PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
N_CLASSES = 10
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = tuple(
    (f"cifar-10-batches-bin/{batch}.bin", f"cifar-10-batches-py/{batch}")
    for batch in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
)
MD5 = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
BATCH_ROWS = 10_000
_PIXELS = 3 * 32 * 32
Bytes = NDArray[np.uint8]


def load(name: str, data_dir: Path) -> Dataset:
    """Return CIFAR-10 as (N, 3, 32, 32) uint8 images, in the official order.

    Raises
    ------
    InputError
        If a file is missing, truncated or altered, or a pickle contains other objects than arrays.
    """
    batches = [_read_batch(official.find_file(data_dir, forms, PAGE)) for forms in FILES]
    x, y = (np.concatenate(parts) for parts in zip(*batches[:-1], strict=True))
    return make_benchmark(name, "image", (x, y), batches[-1], CLASSES)


def _read_batch(path: Path) -> tuple[Bytes, Bytes]:
    content = official.read_checked(path, MD5.get(path.name), PAGE)  # None for a test batch
    pixels, labels = _read_binary(content, path) if path.suffix == ".bin" else _read_pickle(content, path)
    if pixels.shape != (BATCH_ROWS, _PIXELS) or labels.shape != (BATCH_ROWS,) or labels.max() >= N_CLASSES:
        raise InputError(
            f"{path} holds pixels {pixels.shape} and labels {labels.shape} but CIFAR-10 has "
            f"{(BATCH_ROWS, _PIXELS)} and {BATCH_ROWS} labels from 0 to 9; download it again from {PAGE}"
        )
    return pixels.reshape(BATCH_ROWS, 3, 32, 32).copy(), labels


def _read_binary(content: bytes, path: Path) -> tuple[Bytes, Bytes]:
    if len(content) != BATCH_ROWS * (1 + _PIXELS):
        raise InputError(
            f"{path} has {len(content)} bytes, but CIFAR-10 has {BATCH_ROWS * (1 + _PIXELS)}: "
            f"it is truncated or altered; download it again from {PAGE}"
        )
    records = np.frombuffer(content, np.uint8).reshape(BATCH_ROWS, 1 + _PIXELS)  # label, then pixels
    return records[:, 1:], records[:, 0]


def _read_pickle(content: bytes, path: Path) -> tuple[Bytes, Bytes]:
    try:
        batch = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()  # pickles of Python 2
        return np.asarray(batch["data"], np.uint8), np.asarray(batch["labels"], np.uint8)
    except Exception as error:  # a broken pickle may raise anything
        raise InputError(f"{path} is not a CIFAR-10 batch ({error}); download it again from {PAGE}") from error


class _ArrayUnpickler(pickle.Unpickler):
    """Builds dicts, lists, numbers, text and numpy arrays; refuses everything else, because pickles can run code."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return _empty_array  # numpy fills this array from the pickle
        if (module, name) == ("numpy", "ndarray"):
            # only an argument of _reconstruct; calling numpy.ndarray itself could read any memory
            return None
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if (module, name) == ("_codecs", "encode"):
            return _encode_latin1  # bytes in old pickle protocols
        raise pickle.UnpicklingError(f"it contains {module}.{name}, but only arrays are allowed")


def _empty_array(*_: object) -> Bytes:
    return np.empty(0, np.uint8)


def _encode_latin1(text: str, _: str) -> bytes:
    return text.encode("latin1")
