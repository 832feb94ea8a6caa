import os
import zipfile

import numpy as np
import pytest
import torch

from goldvein.data import standard
from goldvein.data.dataset import Dataset
from goldvein.data.sets import cifar10
from goldvein.errors import InputError
from goldvein.noise import synthetic as noise

CLEAN = np.array([6, 9, 9, 4, 1, 1])
LABELS = {
    "clean_label": CLEAN,
    "aggre_label": np.array([6, 9, 9, 4, 1, 2]),
    "worse_label": np.array([0, 9, 1, 4, 1, 2]),
    "random_label1": np.array([6, 9, 1, 4, 1, 2]),
    "random_label2": np.array([0, 9, 9, 4, 1, 2]),
    "random_label3": np.array([6, 9, 9, 4, 1, 1]),
}


@pytest.fixture
def label_file(tmp_path, monkeypatch):
    images = Dataset("cifar10", "image", np.zeros((6, 3, 32, 32), np.uint8), CLEAN, cifar10.CLASSES, CLEAN)
    monkeypatch.setattr(cifar10, "load", lambda name, data_dir: images)
    path = tmp_path / "CIFAR-10N" / "CIFAR-10_human.pt"
    path.parent.mkdir()
    return path


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor], ids=["arrays", "tensors"])
@pytest.mark.parametrize("name", [name for name in standard.dataset_names() if name.startswith("cifar10n_")])
def test_the_name_chooses_the_labels(name, convert, label_file, tmp_path):
    torch.save({key: convert(value) for key, value in LABELS.items()}, label_file)
    key = name.removeprefix("cifar10n_").replace("random", "random_label")
    data = standard.load_dataset(name, tmp_path)
    np.testing.assert_array_equal(data.y, LABELS.get(key, LABELS.get(f"{key}_label")))
    np.testing.assert_array_equal(data.y_true, CLEAN)
    assert data.y.dtype == data.y_true.dtype == np.int64


def test_reads_arrays_that_an_older_numpy_wrote(label_file, tmp_path):
    torch.save(LABELS, label_file)
    with zipfile.ZipFile(label_file) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(label_file, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert standard.load_dataset("cifar10n_worse", tmp_path).y.tolist() == [0, 9, 1, 4, 1, 2]


def test_clean_labels_of_other_images_are_refused(label_file, tmp_path):
    torch.save({**LABELS, "clean_label": CLEAN[::-1].copy()}, label_file)
    with pytest.raises(InputError, match="not those of the CIFAR-10 batches"):
        standard.load_dataset("cifar10n_worse", tmp_path)


class Call:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_file_that_calls_anything_is_refused(label_file, tmp_path):
    torch.save({**LABELS, "worse_label": Call(str(tmp_path / "trace"))}, label_file)
    with pytest.raises(InputError, match="not the label file of CIFAR-10N"):
        standard.load_dataset("cifar10n_worse", tmp_path)
    assert not (tmp_path / "trace").exists()


def test_a_broken_file_and_a_missing_label_set_are_refused(label_file, tmp_path):
    label_file.write_bytes(b"not a zip")
    with pytest.raises(InputError, match=r"CIFAR-10_human\.pt is not the label file"):
        standard.load_dataset("cifar10n_aggre", tmp_path)
    torch.save({"clean_label": CLEAN}, label_file)
    with pytest.raises(InputError, match="aggre_label"):
        standard.load_dataset("cifar10n_aggre", tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("cifar10n_aggre", 0.0901),
        ("cifar10n_random1", 0.1723),
        ("cifar10n_random2", 0.1812),
        ("cifar10n_random3", 0.1764),
        ("cifar10n_worse", 0.4021),
    ],
)
def test_real_files_have_the_published_noise_rates(name, rate):
    if not os.environ.get("GOLDVEIN_DATA") or not standard.describe(name).complete:
        pytest.skip(f"GOLDVEIN_DATA does not point to {name}")
    data = standard.load_dataset(name)
    assert noise.describe(data.y_true, data.y).rate == pytest.approx(rate, abs=5e-5)
    assert data.y_test.shape == (10000,)
