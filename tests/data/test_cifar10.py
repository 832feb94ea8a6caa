import hashlib
import io
import os
import pickle
import struct
from typing import ClassVar

import numpy as np
import pytest

from goldvein.data import standard
from goldvein.data.sets import cifar10
from goldvein.errors import InputError

BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


class Python2Pickler(pickle._Pickler):
    """Writes text and bytes as Python 2's ``str``, which is how the official batches hold them."""

    def save_str(self, obj):
        raw = obj.encode("latin1") if isinstance(obj, str) else obj
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(obj)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, bytes: save_str, str: save_str}


def pickled(batch, python2):
    out = io.BytesIO()
    (Python2Pickler if python2 else pickle.Pickler)(out, protocol=2).dump(batch)
    content = out.getvalue()
    return content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray") if python2 else content


def write_batches(folder, monkeypatch, form):
    rng = np.random.RandomState(0)
    x = rng.randint(0, 256, (6, 4, 3072)).astype(np.uint8)
    y = rng.randint(0, 10, (6, 4)).astype(np.uint8)
    md5 = {}
    for i, name in enumerate(BATCHES):
        if form == "bin":
            path, content = f"bin/{name}.bin", np.hstack([y[i][:, None], x[i]]).tobytes()
        else:
            path = f"py/{name}"
            content = pickled({"data": x[i], "labels": y[i].tolist()}, python2=form == "python2")
        target = folder / f"cifar-10-batches-{path}"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
        if name != "test_batch":
            md5[target.name] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(cifar10, "MD5", md5)
    monkeypatch.setattr(cifar10, "BATCH_ROWS", 4)
    return x.reshape(6, 4, 3, 32, 32), y


@pytest.mark.parametrize("form", ["bin", "python2", "python3"])
def test_reads_the_official_formats(form, tmp_path, monkeypatch):
    x, y = write_batches(tmp_path, monkeypatch, form)
    data = standard.load_dataset("cifar10", tmp_path)
    assert data.kind == "image"
    assert data.classes[3] == "cat"
    assert data.classes[5] == "dog"
    assert data.y_true is None
    assert data.y.dtype == np.int64
    np.testing.assert_array_equal(data.x, x[:5].reshape(20, 3, 32, 32))
    np.testing.assert_array_equal(data.y, y[:5].ravel())
    np.testing.assert_array_equal(data.x_test, x[5])
    np.testing.assert_array_equal(data.y_test, y[5])


@pytest.mark.parametrize(
    ("form", "batch"), [("bin", "data_batch_2.bin"), ("bin", "test_batch.bin"), ("python3", "test_batch")]
)
def test_a_short_batch_is_named(form, batch, tmp_path, monkeypatch):
    write_batches(tmp_path, monkeypatch, form)
    (path,) = tmp_path.rglob(batch)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=rf"{batch} .*download it again from https://www.cs.toronto.edu"):
        standard.load_dataset("cifar10", tmp_path)


def test_an_altered_training_batch_is_refused(tmp_path, monkeypatch):
    write_batches(tmp_path, monkeypatch, "bin")
    path = tmp_path / "cifar-10-batches-bin" / "data_batch_5.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(InputError, match=r"data_batch_5\.bin has md5"):
        standard.load_dataset("cifar10", tmp_path)


def test_a_test_label_above_nine_is_refused(tmp_path, monkeypatch):
    write_batches(tmp_path, monkeypatch, "bin")
    path = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    path.write_bytes(b"\x0a" + path.read_bytes()[1:])
    with pytest.raises(InputError, match="labels from 0 to 9"):
        standard.load_dataset("cifar10", tmp_path)


class Call:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_a_pickle_that_calls_anything_is_refused(tmp_path, monkeypatch):
    write_batches(tmp_path, monkeypatch, "python3")
    test_batch = tmp_path / "cifar-10-batches-py" / "test_batch"
    trace = tmp_path / "trace"
    for call in (
        Call(os.mkdir, str(trace)),
        Call(eval, "1"),
        Call(np.ndarray, (2,), "u1"),
        Call(np.load, "x"),
    ):
        test_batch.write_bytes(pickle.dumps({"data": call, "labels": [1, 2, 3, 4]}, protocol=2))
        with pytest.raises(InputError, match="test_batch is not a CIFAR-10 batch"):
            standard.load_dataset("cifar10", tmp_path)
    assert not trace.exists()


@pytest.mark.parametrize("content", [{"labels": [1, 2, 3, 4]}, {"data": [1], "labels": [1]}, [1, 2], None])
def test_a_pickle_of_something_else_is_refused(content, tmp_path, monkeypatch):
    write_batches(tmp_path, monkeypatch, "python3")
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(InputError, match="test_batch"):
        standard.load_dataset("cifar10", tmp_path)


@pytest.mark.data
def test_real_files():
    if not os.environ.get("GOLDVEIN_DATA") or not standard.describe("cifar10").complete:
        pytest.skip("GOLDVEIN_DATA does not point to cifar10")
    data = standard.load_dataset("cifar10")
    assert data.x.shape == (50000, 3, 32, 32)
    assert np.bincount(data.y).tolist() == [5000] * 10
    assert np.bincount(data.y_test).tolist() == [1000] * 10
    assert data.y[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    # Channel means that CIFAR-10 recipes subtract: .4914, .4822, .4465.
    np.testing.assert_allclose(data.x.mean(axis=(0, 2, 3)) / 255, [0.4914, 0.4822, 0.4465], atol=5e-5)
