import hashlib

import numpy as np
import pytest
from scipy.io import savemat
from typer.testing import CliRunner

from goldvein import runs
from goldvein.cli import app
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
    data = standard.load_dataset("svhn", tmp_path)
    assert data.x.shape == (4, 3, 32, 32)
    assert data.x.dtype == np.uint8
    assert data.x.flags.c_contiguous
    np.testing.assert_array_equal(data.x[2, 1], images["train"][:, :, 1, 2])
    np.testing.assert_array_equal(data.x_test[1, 0], images["test"][:, :, 0, 1])
    assert data.y.tolist() == [1, 0, 9, 0]
    assert data.y_test.tolist() == [0, 2]
    assert data.classes == tuple(range(10))


def test_a_short_run_on_made_files(tmp_path, monkeypatch):
    """From files of the official layout to a trained generative model: a bar of brightness stands for the digit."""
    (tmp_path / "SVHN").mkdir()
    rng, md5 = np.random.default_rng(0), {}
    for part, n in (("train", 60), ("test", 20)):
        y = np.arange(n) % 10 + 1  # 10 is the digit 0
        images = rng.integers(0, 60, (32, 32, 3, n)).astype(np.uint8)
        for i, digit in enumerate(y):
            images[3 * digit - 3 : 3 * digit, :, :, i] += 150
        path = tmp_path / "SVHN" / f"{part}_32x32.mat"
        savemat(path, {"X": images, "y": y.astype(np.uint8)[:, None]})
        md5[path.name] = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(svhn, "MD5", md5)
    noise = ["--noise", "symmetric", "--noise-rate", "0.2", "--labels-per-class", "3"]
    short = ["--method", "umn", "--set", "epochs=2", "--set", "model=conv13", "--set", "batch_size=20"]
    where = ["--data-dir", str(tmp_path), "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, ["train", "svhn", *where, *noise, *short])
    assert done.exit_code == 0, done.output
    assert "test accuracy" in done.stdout
    run = runs.open_run(tmp_path / "run")
    assert len(run.issues) == 30
    assert run.issues["epsilon"].between(0, 1).all()
    assert run.issues["guider_confidence"].between(0, 1).all()


def test_a_truncated_file_is_named(images, tmp_path):
    path = tmp_path / "SVHN" / "test_32x32.mat"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"test_32x32\.mat has md5 .* truncated or altered"):
        standard.load_dataset("svhn", tmp_path)
