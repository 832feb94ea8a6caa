import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import goldvein.data.sets
from goldvein.data import official, standard
from goldvein.data.dataset import Dataset
from goldvein.errors import InputError

KNOWN = {
    "cifar10",
    "cifar10n_aggre",
    "cifar10n_random1",
    "cifar10n_random2",
    "cifar10n_random3",
    "cifar10n_worse",
    "clothing1m",
    "digits",
    "fashion_mnist",
    "mnist",
    "svhn",
}


def test_names_are_sorted_and_complete():
    assert standard.dataset_names() == sorted(standard.dataset_names())
    assert set(standard.dataset_names()) >= KNOWN


def test_listing_names_imports_no_heavy_library():
    code = (
        "import sys, goldvein.data.standard as s; before = set(sys.modules); s.dataset_names();"
        "print({'torch', 'sklearn', 'scipy', 'PIL', 'pandas'} & (set(sys.modules) - before) or 'none')"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "none"


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(InputError, match="unknown data set 'fashon_mnist': did you mean 'fashion_mnist'"):
        standard.load_dataset("fashon_mnist")
    with pytest.raises(InputError, match="unknown data set"):
        standard.describe("imagenet")


@pytest.mark.parametrize("name", standard.dataset_names())
def test_missing_files_are_reported_with_path_page_and_fix(name, tmp_path):
    presence = standard.describe(name, tmp_path)
    assert presence.name == name
    assert presence.page.startswith("http")
    assert presence.n_classes >= 2
    if not presence.files:
        assert presence.complete
        return
    assert not presence.complete
    assert not any(presence.files.values())
    with pytest.raises(InputError) as error:
        standard.load_dataset(name, tmp_path)
    assert any(str(tmp_path / file) in str(error.value) for file in presence.files)
    for part in ("http", "--data-dir", "GOLDVEIN_DATA"):
        assert part in str(error.value)


def test_describe_counts_a_file_in_any_of_its_forms(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-labels-idx1-ubyte").touch()
    files = standard.describe("mnist", tmp_path).files
    assert files == {
        "MNIST/raw/train-images-idx3-ubyte.gz": False,
        "MNIST/raw/train-labels-idx1-ubyte": True,
        "MNIST/raw/t10k-images-idx3-ubyte.gz": False,
        "MNIST/raw/t10k-labels-idx1-ubyte.gz": False,
    }


def test_data_dir_is_the_argument_then_the_environment_then_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GOLDVEIN_DATA", str(tmp_path))
    assert standard.describe("mnist").data_dir == tmp_path
    assert standard.describe("mnist", "elsewhere").data_dir == Path("elsewhere")
    monkeypatch.delenv("GOLDVEIN_DATA")
    assert standard.describe("mnist").data_dir == Path.home() / ".cache" / "goldvein"


def test_a_new_file_is_a_new_data_set(tmp_path, monkeypatch):
    (tmp_path / "toy_source.py").write_text(
        "NAMES, PAGE, FILES, N_CLASSES = ('toy',), 'http://example.org', (('toy/x.bin',),), 2\n"
        "def load(name, data_dir):\n    return name, data_dir\n"
    )
    monkeypatch.setattr(goldvein.data.sets, "__path__", [*goldvein.data.sets.__path__, str(tmp_path)])
    try:
        assert "toy" in standard.dataset_names()
        assert standard.load_dataset("toy", tmp_path) == ("toy", tmp_path)
        assert standard.describe("toy", tmp_path).files == {"toy/x.bin": False}
    finally:
        sys.modules.pop("goldvein.data.sets.toy_source", None)


def test_a_file_of_another_md5_is_refused_with_both(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"abc")
    assert official.read_checked(path, "900150983cd24fb0d6963f7d28e17f72", "http://example.org") == b"abc"
    assert official.read_checked(path, None, "http://example.org") == b"abc"
    with pytest.raises(InputError) as error:
        official.read_checked(path, "0" * 32, "http://example.org")
    for part in (str(path), "900150983cd24fb0d6963f7d28e17f72", "0" * 32, "3 bytes", "http://example.org"):
        assert part in str(error.value)


def test_digits_are_vectors_with_a_fixed_stratified_test_set():
    from sklearn.datasets import load_digits

    digits, again = standard.load_dataset("digits"), standard.load_dataset("digits")
    pixels, labels = load_digits(return_X_y=True)
    assert isinstance(digits, Dataset)
    assert digits.kind == "vector"
    assert digits.x.shape == (1201, 64)
    assert digits.x.dtype == np.float32
    assert digits.classes == tuple(range(10))
    np.testing.assert_array_equal(digits.x_test, again.x_test)
    np.testing.assert_array_equal(np.bincount(digits.y_test), np.bincount(labels) // 3)
    rows = digits.ids.astype(int)
    np.testing.assert_array_equal(digits.x * 16, pixels[rows])
    np.testing.assert_array_equal(digits.y, labels[rows])
    assert len(set(rows)) + len(digits.x_test) == 1797
