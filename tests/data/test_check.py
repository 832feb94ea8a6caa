import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.data.check import as_images, check_finite, check_ids, check_labels
from goldvein.errors import InputError


def test_a_class_with_one_label_is_named():
    with pytest.raises(InputError) as error:
        check_labels(np.array([0, 1, 1, -1]), ("cat", "dog"))
    assert str(error.value) == ("class 'cat' has 1 label; each class needs at least 2; add labels or remove the class")


def test_an_empty_class_is_named_and_the_others_are_counted():
    with pytest.raises(InputError, match=r"class 7 has 0 labels \(and 1 more class has fewer than 2\)"):
        check_labels(np.array([0, 0, 2]), (5, 7, 9))


@pytest.mark.parametrize("y", [[], [-1, -1]])
def test_no_label_at_all(y):
    with pytest.raises(InputError, match="holds no label"):
        check_labels(np.array(y, dtype=np.int64), ("a", "b"))


def test_one_class_only():
    with pytest.raises(InputError, match="every label is 'b'"):
        check_labels(np.array([1, 1, -1]), ("a", "b"))


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=20))
def test_labels_pass_exactly_when_every_class_has_two(labels):
    enough = all(labels.count(k) >= 2 for k in range(4))
    try:
        check_labels(np.array(labels), "abcd")
    except InputError:
        assert not enough
    else:
        assert enough


def test_non_finite_values_are_counted_and_the_first_row_is_named():
    x = np.zeros((4, 2, 2), dtype=np.float32)
    x[2, 0, 1], x[3, 1, 1] = np.nan, -np.inf
    with pytest.raises(InputError, match="x holds 2 NaN or infinite values, the first in row 2"):
        check_finite(x, "x")
    with pytest.raises(InputError, match="holds 1 NaN or infinite value, the first in row 0"):
        check_finite(np.array([[np.nan]]))
    check_finite(np.zeros((2, 3), dtype=np.uint8))


def test_ids_are_distinct_and_filled():
    check_ids(np.array(["a", "b"]))
    with pytest.raises(InputError, match="id 'b' occurs 2 times"):
        check_ids(np.array(["b", "a", "b"]))
    with pytest.raises(InputError, match="id of row 1 is blank"):
        check_ids(np.array(["b", "", "c"]))


@pytest.mark.parametrize("shape", [(2, 28, 28, 3), (2, 9, 7, 1), (2, 64, 64, 4)])
def test_images_with_their_channels_last(shape):
    with pytest.raises(InputError, match=r"images are \(N, channels, H, W\); give X.transpose\(0, 3, 1, 2\)"):
        as_images(np.zeros(shape, dtype=np.uint8))


@pytest.mark.parametrize("shape", [(2, 3, 28, 28), (2, 1, 9, 3), (2, 13, 64, 64), (0, 3, 8, 8)])
def test_images_as_they_should_be(shape):
    images = np.zeros(shape, dtype=np.uint8)
    assert as_images(images) is images
    assert as_images(images.astype(float)).dtype == np.float32
