import hashlib

import numpy as np
import pytest
from scipy.io import savemat

from goldvein.data import standard
from goldvein.data.sets import svhn
from goldvein.errors import InputError


@pytest.fixture
def images(tmp_path, monkeypatch):
    (tmp_path / "SVHN").mkdir()
    rng = np.random.RandomState(0)
    images = {"train": rng.randint(0, 256, (32, 32, 3, 4)), "test": rng.randint(0, 256, (32, 32, 3, 2))}
    md5 = {}
    for part, labels in (("train", [1, 10, 9, 10]), ("test", [10, 2])):
        path = tmp_path / "SVHN" / f"{part}_32x32.mat"
        savemat(path, {"X": images[part].astype(np.uint8), "y": np.array(labels, np.uint8)[:, None]})
        md5[path.name] = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(svhn, "MD5", md5)
    return images


def test_reads_the_official_format(images, tmp_path):
    data = standard.load("svhn", tmp_path)
    assert data.x.shape == (4, 3, 32, 32)
    assert data.x.dtype == np.uint8
    assert data.x.flags.c_contiguous
    np.testing.assert_array_equal(data.x[2, 1], images["train"][:, :, 1, 2])
    np.testing.assert_array_equal(data.x_test[1, 0], images["test"][:, :, 0, 1])
    assert data.y.tolist() == [1, 0, 9, 0]
    assert data.y_test.tolist() == [0, 2]
    assert data.classes == tuple(range(10))


def test_a_truncated_file_is_named(images, tmp_path):
    path = tmp_path / "SVHN" / "test_32x32.mat"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"test_32x32\.mat has md5 .* cut short or altered"):
        standard.load("svhn", tmp_path)
