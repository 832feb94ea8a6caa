"""Which labels are held out, and which are trusted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.data.targets import as_trusted_mask, hold_out
from goldvein.errors import InputError


@given(
    st.lists(st.tuples(st.integers(-1, 3), st.booleans()), min_size=8, max_size=120),
    st.floats(0, 0.9),
    st.integers(0, 9),
)
def test_of_trusted_labels_the_same_share_is_held_out(rows: list[tuple[int, bool]], share: float, seed: int) -> None:
    labels = np.array([label for label, _ in rows])
    trusted = np.array([sure and label >= 0 for label, sure in rows])
    held_out = hold_out(labels, 4, share, seed, trusted)
    assert not held_out[labels < 0].any()
    for k in range(4):
        for part in (trusted, ~trusted):
            n = int((part & (labels == k)).sum())
            assert (held_out & part & (labels == k)).sum() == max(0, min(round(share * n), n - 1))


def test_a_single_trusted_label_is_trained_on() -> None:
    labels = np.repeat([0, 1], 50)
    trusted = np.isin(np.arange(100), [7, 70])
    assert not any((hold_out(labels, 2, 0.5, seed, trusted) & trusted).any() for seed in range(20))
    assert any((hold_out(labels, 2, 0.5, seed) & trusted).any() for seed in range(20))


def test_trusted_rows() -> None:
    labels = np.array([0, 1, -1])
    assert as_trusted_mask([1, 0, 0], labels).tolist() == [True, False, False]
    with pytest.raises(InputError, match="row 2 is trusted but has no label: label it"):
        as_trusted_mask([False, True, True], labels)
    with pytest.raises(InputError, match=r"trusted has shape \(2,\): give one bool for each of the 3 rows"):
        as_trusted_mask([False, True], labels)


@pytest.mark.parametrize(("mask", "shown"), [(["no", "yes"], "'no'"), ([0.0, float("nan")], "nan"), ([1, 2], "2")])
def test_a_mask_that_is_none(mask: list, shown: str) -> None:
    with pytest.raises(InputError, match=f"trusted holds {shown}: give True or False for each row"):
        as_trusted_mask(mask, np.array([0, 1]))


def test_zeros_and_ones_are_a_mask() -> None:
    assert as_trusted_mask([0, 1.0], np.array([0, 1])).tolist() == [False, True]
