import json

import numpy as np
import pytest

from goldvein.data.npz import read_npz
from goldvein.errors import InputError

Y = np.array([0, 0, 1, 1, -1, 1])
X = np.arange(12, dtype=np.float64).reshape(6, 2)


def save(folder, **arrays):
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


def test_vectors_with_everything(tmp_path):
    trusted = np.array([1, 0, 0, 1, 0, 0])
    path = save(tmp_path, X=X, y=Y, trusted=trusted, ids=np.arange(6) * 10, y_true=np.abs(Y), other=np.ones(3))
    data = read_npz(path)
    assert (data.kind, data.x.dtype) == ("vector", np.float32)
    assert np.array_equal(data.x, X)
    assert (data.y.tolist(), data.classes) == ([0, 0, 1, 1, -1, 1], (0, 1))
    assert data.trusted.tolist() == [True, False, False, True, False, False]
    assert data.ids.tolist() == ["0", "10", "20", "30", "40", "50"]
    assert data.y_true.tolist() == [0, 0, 1, 1, 1, 1]


def test_string_labels_and_default_ids(tmp_path):
    data = read_npz(save(tmp_path, X=X, y=np.array(["b", "a", "", "a", "b", "a"])))
    assert (data.y.tolist(), data.classes) == ([1, 0, -1, 0, 1, 0], ("a", "b"))
    assert data.ids.tolist() == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((6, 5, 4), (6, 1, 5, 4)),
        ((6, 5, 4, 3), (6, 3, 5, 4)),
        ((6, 5, 4, 1), (6, 1, 5, 4)),
        ((6, 3, 5, 4), (6, 3, 5, 4)),
        ((6, 3, 5, 3), (6, 3, 3, 5)),
    ],
)
def test_images_come_out_channels_first(tmp_path, shape, expected):
    x = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    data = read_npz(save(tmp_path, X=x, y=Y))
    assert (data.kind, data.x.shape, data.x.dtype) == ("image", expected, np.uint8)
    pixels = x[2].reshape(5, 4) if len(shape) == 3 else x[2] if expected == shape else x[2].transpose(2, 0, 1)
    assert np.array_equal(data.x[2].reshape(pixels.shape), pixels)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": X}, r"holds X; save it with numpy\.savez\(path, X=X, y=y\)"),
        ({"X": X, "y": Y[:4]}, r"y has shape \(4,\), but X has 6 rows"),
        ({"X": X, "y": Y, "ids": np.arange(5)}, r"ids has shape \(5,\), but X has 6 rows"),
        ({"X": X, "y": Y[:, None]}, r"y has shape \(6, 1\): it must hold one label per row"),
        ({"X": np.where(X == 5, np.nan, X), "y": Y}, "X holds 1 NaN or infinite value, the first in row 2"),
        ({"X": np.where(X == 7, 1e300, X), "y": Y}, "X holds 1 NaN or infinite value, the first in row 3"),
        ({"X": X.astype(object), "y": Y}, r"holds Python objects.*astype\('float32'\)"),
        ({"X": X, "y": np.array(["a", None] * 3, dtype=object)}, "holds Python objects"),
        ({"X": X[:0], "y": Y[:0]}, "give at least one row"),
        ({"X": X.astype(str), "y": Y}, "give at least one row of numbers"),
        ({"X": np.zeros((6, 4, 4)), "y": Y}, "dtype float64; give .* uint8 images"),
        ({"X": np.zeros((6, 4, 4, 2), np.uint8), "y": Y}, "with C 1 or 3"),
        ({"X": np.zeros(6), "y": Y}, r"shape \(6,\)"),
        ({"X": X, "y": Y, "trusted": Y}, "trusted holds -1"),
        ({"X": X, "y": Y, "trusted": np.arange(6) == 4}, "row 4 is trusted but has no label"),
        ({"X": X, "y": Y, "ids": np.zeros(6, int)}, "id '0' occurs 6 times"),
        ({"X": X, "y": Y, "ids": np.zeros(6)}, "ids has dtype float64"),
        ({"X": X, "y": Y * 0 - 1}, "holds no label"),
        ({"X": X, "y": np.array([0, 1, 1, 1, 1, 1])}, "class 0 has 1 label"),
        ({"X": X, "y": Y, "y_true": Y + 5}, "y_true label '5' of row 0"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, arrays, message):
    with pytest.raises(InputError, match=message):
        read_npz(save(tmp_path, **arrays))


def test_files_that_are_no_npz(tmp_path):
    whole = save(tmp_path, X=X, y=Y).read_bytes()
    for name, content in {"cut": whole[:200], "empty": b"", "text": b"hello"}.items():
        (tmp_path / f"{name}.npz").write_bytes(content)
        with pytest.raises(InputError, match=f"{name}.npz is not a complete .npz file"):
            read_npz(tmp_path / f"{name}.npz")
    (tmp_path / "broken.npz").write_bytes(whole.replace(b"NUMPY", b"NIMPY"))
    with pytest.raises(InputError, match=r"broken\.npz (cannot be read|holds)"):
        read_npz(tmp_path / "broken.npz")


def test_new_arrays_of_the_same_shape_need_no_labels(tmp_path):
    spec = json.loads(json.dumps(read_npz(save(tmp_path, X=X, y=Y)).spec))
    assert spec == {"reader": "vectors", "width": 2, "classes": [0, 1]}
    data = read_npz(save(tmp_path, X=X[:3]), spec)
    assert (data.y.tolist(), data.classes) == ([-1, -1, -1], (0, 1))
    assert read_npz(save(tmp_path, X=X[:2], y=np.array([1, -1])), spec).y.tolist() == [1, -1]
    with pytest.raises(InputError, match=r"rows of shape \(1,\): the model was trained on rows of shape \(2,\)"):
        read_npz(save(tmp_path, X=X[:, :1]), spec)
    with pytest.raises(InputError, match="y label '2' of row 0 is not one of the classes, 0, 1"):
        read_npz(save(tmp_path, X=X[:1], y=np.array([2])), spec)
