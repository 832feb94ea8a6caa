import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.data.labels import encode_label_array, encode_labels, natural_key
from goldvein.errors import InputError


def test_names_sort_as_people_count():
    names = ["img10", "img9", "img1", "b", "a10b2", "a10b10", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "a10b2", "a10b10", "b", "img1", "img9", "img10"]


@given(st.lists(st.text(max_size=6), unique=True))
def test_the_order_of_names_does_not_depend_on_their_order(names):
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


@pytest.mark.parametrize(
    ("written", "classes"),
    [
        (["3", "10", "-1"], (-1, 3, 10)),
        (["1.0", "2.0", ""], (1, 2)),
        (["01", "2"], ("01", "2")),
        (["1", "x"], ("1", "x")),
        (["NA", "nan", "None", "null"], ("NA", "None", "nan", "null")),
    ],
)
def test_classes_are_integers_only_if_every_label_is_one(written, classes):
    assert encode_labels(written)[1] == classes


def test_only_blank_is_missing():
    y, classes = encode_labels([" b ", "", "  ", "nan", "b"])
    assert classes == ("b", "nan")
    assert y.tolist() == [0, -1, -1, 1, 0]


def test_given_classes_fix_the_columns():
    y, classes = encode_labels(["5", "", "5.0"], (3, 5, 8))
    assert (y.tolist(), classes) == ([1, -1, 1], (3, 5, 8))
    assert encode_labels(["1"], ("1", "a"))[0].tolist() == [0]
    with pytest.raises(InputError, match="label 'c' of row 1 is not one of the classes, a, b"):
        encode_labels(["a", "c"], ("a", "b"))


@given(st.lists(st.sampled_from(["cat", "dog", "", "rind", "猫"]), max_size=12))
def test_encoding_and_looking_up_gives_the_labels_back(written):
    y, classes = encode_labels(written)
    assert ["" if k < 0 else classes[k] for k in y] == written


def test_arrays_of_integers_floats_and_strings():
    y, classes = encode_label_array(np.array([7, -1, 3, 7], dtype=np.int16))
    assert (y.tolist(), classes) == ([1, -1, 0, 1], (3, 7))
    y, classes = encode_label_array(np.array([1.0, np.nan, 0.0]))
    assert (y.tolist(), classes) == ([1, -1, 0], (0, 1))
    y, classes = encode_label_array(np.array(["1", "", "0"]))
    assert (y.tolist(), classes) == ([1, -1, 0], ("0", "1"))
    y, classes = encode_label_array(np.array([b"a", b""]))
    assert (y.tolist(), classes) == ([0, -1], ("a",))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((3, 1), dtype=int), r"shape \(3, 1\)"),
        (np.array([0.5]), "holds 0.5"),
        (np.array([np.inf]), "holds inf"),
        (np.array([1j]), "dtype complex128"),
    ],
)
def test_other_label_arrays_are_refused(y, message):
    with pytest.raises(InputError, match=message):
        encode_label_array(y)
