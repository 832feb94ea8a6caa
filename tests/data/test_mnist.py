import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from goldvein.data import standard
from goldvein.data.sets import fashion_mnist, mnist
from goldvein.errors import InputError

SOURCES = [("mnist", mnist, "MNIST"), ("fashion_mnist", fashion_mnist, "FashionMNIST")]


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def write_official(source, folder, monkeypatch, suffix=".gz"):
    raw = folder / "raw"
    raw.mkdir(parents=True)
    rng = np.random.RandomState(0)
    arrays = [rng.randint(0, 256, shape).astype(np.uint8) for shape in [(5, 28, 28), (5,), (3, 28, 28), (3,)]]
    arrays[1] %= 10
    arrays[3] %= 10
    md5 = {}
    for forms, array in zip(source.FILES, arrays, strict=True):
        name = Path(forms[0]).with_suffix(suffix).name
        content = gzip.compress(idx(array)) if suffix else idx(array)
        (raw / name).write_bytes(content)
        md5[name] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(source, "MD5", md5)
    return arrays


@pytest.mark.parametrize(("name", "source", "folder"), SOURCES)
@pytest.mark.parametrize("suffix", [".gz", ""])
def test_reads_the_official_format(name, source, folder, suffix, tmp_path, monkeypatch):
    x, y, x_test, y_test = write_official(source, tmp_path / folder, monkeypatch, suffix)
    data = standard.load_dataset(name, tmp_path)
    assert (data.name, data.kind, len(data.classes)) == (name, "image", 10)
    assert data.x.shape == (5, 1, 28, 28)
    assert data.x.dtype == np.uint8
    assert data.y.dtype == data.y_test.dtype == np.int64
    assert data.x.flags.writeable
    np.testing.assert_array_equal(data.x[:, 0], x)
    np.testing.assert_array_equal(data.x_test[:, 0], x_test)
    np.testing.assert_array_equal(data.y, y)
    np.testing.assert_array_equal(data.y_test, y_test)
    assert list(data.ids) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(("name", "source", "folder"), SOURCES)
def test_a_truncated_file_is_named(name, source, folder, tmp_path, monkeypatch):
    write_official(source, tmp_path / folder, monkeypatch)
    path = tmp_path / folder / "raw" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte\.gz has md5 .* truncated or altered"):
        standard.load_dataset(name, tmp_path)


def test_the_two_sets_do_not_share_files():
    assert set(mnist.MD5.values()).isdisjoint(fashion_mnist.MD5.values())
    assert all(form.startswith("FashionMNIST/raw/") for forms in fashion_mnist.FILES for form in forms)
    for source in (mnist, fashion_mnist):
        assert {Path(form).name for forms in source.FILES for form in forms} == set(source.MD5)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "train_counts"),
    [
        ("mnist", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        ("fashion_mnist", [6000] * 10),
    ],
)
def test_real_files(name, train_counts):
    if not os.environ.get("GOLDVEIN_DATA") or not standard.describe(name).complete:
        pytest.skip(f"GOLDVEIN_DATA does not point to {name}")
    data = standard.load_dataset(name)
    assert data.x.shape == (60000, 1, 28, 28)
    assert data.x_test.shape == (10000, 1, 28, 28)
    assert np.bincount(data.y).tolist() == train_counts
    # The mean pixel of a standardization that every MNIST example uses, .1307 (and .2860 for Fashion-MNIST).
    assert data.x.mean() / 255 == pytest.approx({"mnist": 0.1307, "fashion_mnist": 0.2860}[name], abs=5e-5)


@pytest.mark.data
@pytest.mark.parametrize(("name", "source", "folder"), SOURCES)
def test_uncompressed_real_files_have_the_md5s_given(name, source, folder):
    if not os.environ.get("GOLDVEIN_DATA") or not standard.describe(name).complete:
        pytest.skip(f"GOLDVEIN_DATA does not point to {name}")
    raw = Path(os.environ["GOLDVEIN_DATA"]) / folder / "raw"
    for path in raw.glob("*.gz"):
        assert hashlib.md5(gzip.decompress(path.read_bytes())).hexdigest() == source.MD5[path.stem]
