"""Fashion-MNIST: 60,000 + 10,000 articles of clothing, 28x28 gray pixels (Xiao, Rasul and Vollgraf 2017).

Four IDX files in ``FashionMNIST/raw``, compressed (.gz) or not; for the format see :mod:`goldvein.data.sets.mnist`.
The md5s of the .gz files are from the official page. Those of the uncompressed files were computed from these .gz.
"""

from __future__ import annotations

from pathlib import Path

from goldvein.data.dataset import Dataset
from goldvein.data.sets import mnist

NAMES = ("fashion_mnist",)
PAGE = "https://github.com/zalandoresearch/fashion-mnist"
N_CLASSES = 10
FILES = tuple(tuple(form.replace("MNIST", "FashionMNIST") for form in forms) for forms in mnist.FILES)
MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load(name: str, data_dir: Path) -> Dataset:
    """Return Fashion-MNIST as (N, 1, 28, 28) uint8 images.

    Raises
    ------
    InputError
        If a file is missing, truncated or altered.
    """
    return mnist.read_dataset(name, data_dir, FILES, MD5, PAGE, CLASSES)
